"""Runs that could not work are refused before anything is trained, in three lines or fewer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from gmvae.bench import data as datasets
from gmvae.bench.__main__ import main
from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid.checks import check_devices, check_runs, remarks
from gmvae.bench.grid.config import load_config, parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.clusterer.parameters import FEW_SAMPLES

CONFIGS = sorted((Path(__file__).parents[3] / "config").rglob("*.yaml"))
GMVAE = {"name": "gmvae", "K": [3], "M": [1]}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with tables of 40 rows, as the working folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name, n_columns in (("four", 4), ("many", 256)):
        frame = pd.DataFrame(random.standard_normal((40, n_columns))).add_prefix("x")
        frame.assign(kind=np.arange(40) % 2).to_csv(f"{name}.csv", index=False)
    pixels = random.integers(0, 256, (40, 400), dtype=np.uint8)
    np.savez("flat.npz", images=pixels)
    np.savez("images.npz", images=pixels.reshape(40, 20, 20))
    np.savez("tiny.npz", images=pixels[:, :4].reshape(40, 2, 2))
    return tmp_path


def table(name="four", **more):
    return {"name": "mine", "csv": f"{name}.csv", "label": "kind", **more}


def npz(name):
    return {"name": "mine", "npz": f"{name}.npz"}


def conv(**parameters):
    return {**GMVAE, "parameters": {"network": "fast-conv", **parameters}}


def checked(dataset, entry, **more):
    config = parse_config({"datasets": [dataset], "seeds": [0, 1], "methods": [entry], **more})
    runs = make_runs(config)
    check_runs(config, runs)
    check_devices(runs)


@pytest.mark.parametrize(
    ("dataset", "entry"),
    [
        (table(), {"name": "kmeans", "K": [32]}),
        ("digits", {"name": "kmeans", "K": [1437]}),
        (table(), GMVAE),
        ("digits", conv()),
        (npz("flat"), conv()),
        (npz("images"), conv()),
        (table("many"), conv(image_shape=[16, 16, 1])),
        (table(), {"name": "birch", "class": "sklearn.cluster.Birch", "K": [32]}),
        ("arcs", {**GMVAE, "parameters": {"device": "auto"}}),
        ({"name": "mine", "openml": 61}, {"name": "kmeans", "K": [9999]}),
    ],
)
def test_what_can_be_run_passes(mine, dataset, entry):
    checked(dataset, entry)


@pytest.mark.parametrize(
    ("dataset", "entry", "found", "remedy"),
    [
        (table(), {"name": "kmeans", "K": [33]}, "K = 33 is more than the 32 training", "lower K"),
        (table(test="four.csv"), {**GMVAE, "K": [41]}, "K = 41 is more than the 40", "lower K"),
        ("digits", {"name": "gmm", "K": [1438]}, "K = 1,438 is more than the 1,437", "lower K"),
        (table(), conv(), "each sample is a vector of 4 real values", "network: fast-fc"),
        (table("many"), conv(), "each sample is a vector of 256 real values", "image_shape"),
        ("arcs", conv(), "gmvae on arcs: network fast-conv is convolutional", "network: fast-fc"),
        (npz("tiny"), conv(), "images of 2x2 pixels are too small", "network: fast-fc"),
        (npz("flat"), conv(image_shape=[2, 200, 1]), "are too small", "network: fast-fc"),
    ],
)
def test_what_cannot_be_run_is_refused(mine, dataset, entry, found, remedy):
    with pytest.raises(ConfigError) as caught:
        checked(dataset, entry)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert found in lines[0]
    assert lines[1].startswith("expected: ")
    assert lines[2].startswith("remedy: ")
    assert remedy in lines[2]


@pytest.mark.parametrize(
    ("asked", "there", "found"),
    [
        ("cuda", 0, "device: cuda is asked for, but torch finds no CUDA devices"),
        ("cuda:1", 1, "device: cuda:1 is asked for, but torch finds 1 CUDA device on"),
        ("cuda", 1, None),
        ("cuda:1", 2, None),
        ("auto", 0, None),
    ],
)
def test_devices(monkeypatch, asked, there, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    entry = {**GMVAE, "parameters": {"device": asked}}
    if found is None:
        checked("digits", entry)
        return
    with pytest.raises(ConfigError) as caught:
        checked("digits", entry)
    assert found in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


def test_a_device_counts_only_where_it_is_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    checked("digits", {"name": "kmeans", "K": [3]}, device="cuda")
    with pytest.raises(ConfigError, match="torch finds no CUDA"):
        checked("digits", GMVAE, device="cuda")


def test_a_folder_of_data_that_is_not_there(mine):
    checked("digits", GMVAE, data_dir="nowhere")
    with pytest.raises(ConfigError, match="data_dir: nowhere is not a folder"):
        checked("mnist", GMVAE, data_dir="nowhere")
    (mine / "data/mnist").mkdir(parents=True)
    (mine / "data/mnist/data.sha256").touch()
    checked("mnist", GMVAE, data_dir="nowhere")


def test_the_command_tells_it(mine, capsys):
    config = {"results": "r", "datasets": [table()], "methods": [{"name": "kmeans", "K": [3, 33]}]}
    (mine / "mine.yaml").write_text(yaml.safe_dump(config))
    assert main(["check", "mine.yaml"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: kmeans on mine: K = 33 is more than the 32 training samples")
    assert len(error.splitlines()) == 3
    config["methods"][0]["K"] = [3]
    (mine / "mine.yaml").write_text(yaml.safe_dump(config))
    assert main(["check", "mine.yaml"]) == 0
    assert "5 runs (kmeans 5); 0 there, 5 to do" in capsys.readouterr().out
    config["datasets"] = [table(label="kid")]
    (mine / "mine.yaml").write_text(yaml.safe_dump(config))
    assert main(["check", "mine.yaml"]) == 1
    assert "four.csv has no column 'kid' (did you mean 'kind'?)" in capsys.readouterr().err


def test_seeds_cannot_be_trained_together_from_mixtures(mine):
    random = {**GMVAE, "parameters": {"init": "random"}}
    checked(table(), random, seeds_together=True)
    checked("arcs", GMVAE, seeds_together=True)
    for dataset, entry in (
        (table(), GMVAE),
        ("arcs", {**GMVAE, "parameters": {"init": "mixture"}}),
    ):
        with pytest.raises(ConfigError, match=r"seeds_together cannot train\n.*\n.*'init: random'"):
            checked(dataset, entry, seeds_together=True)


def test_scaled_tables_that_look_like_pixels_are_remarked_on(mine):
    entries = [
        GMVAE,
        {"name": "dec", "K": [3]},
        {"name": "kmeans", "K": [3]},
        {**GMVAE, "variant": "real", "parameters": {"observation": "gaussian"}},
    ]
    for scale, expected in (("minmax", 1), ("standard", 0), ("none", 0)):
        values = {"datasets": [table(scale=scale)], "seeds": [0], "methods": entries}
        config = parse_config(values)
        lines = remarks(config, make_runs(config))
        assert len(lines) == expected
        assert all("pixels to gmvae, dec;" in line for line in lines)
    only_real = parse_config(
        {**values, "datasets": [table(scale="minmax")], "methods": entries[2:]}
    )
    assert remarks(only_real, make_runs(only_real)) == []
    prepared = parse_config({**values, "datasets": [table()]})
    Path("data/mine").mkdir(parents=True)
    for samples, expected in ((np.eye(40), 1), (2 * np.eye(40), 0), (np.ones((9, 4, 4)), 0)):
        np.save("data/mine/train-images.npy", samples.astype(np.float32))
        assert len(remarks(prepared, make_runs(prepared))) == expected


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_gmvae_starts_in_our_configs_as_in_the_paper(path):
    for run in make_runs(load_config(path)):
        if run.method == "gmvae" and run.parameters.get("init") != "random":
            header = datasets.header(run.dataset)
            assert header is not None, run.dataset
            assert header.n_train >= FEW_SAMPLES, run.path
