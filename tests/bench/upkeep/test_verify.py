"""Verification: whether the numbers are what the stored assignments give."""

import json
import platform
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import gmvae
from gmvae.bench.__main__ import main
from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.disk.layout import DATA_LIST, DATA_PRODUCTS, RUN_PRODUCTS
from gmvae.bench.grid.config import parse_config
from gmvae.bench.report.table_files import write_tables
from gmvae.bench.report.tables import ScoredRun, build
from gmvae.bench.upkeep.verify import prepare_missing, verify

KMEANS, GMVAE = Path("results/runs/digits/kmeans/K4"), Path("results/runs/digits/gmvae")


def test_run_json_tells_where_a_number_comes_from(grid):
    record = json.loads((KMEANS / "seed1/run.json").read_text())
    assert record["program"]["version"] == gmvae.__version__
    assert set(record["program"]) == {"version", "git_commit", "git_dirty"}
    assert record["run"]["seed"] == 1
    assert (record["run"]["K"], record["run"]["parameters"]) == (4, {})
    config = json.loads(Path("results/config.json").read_text())
    assert config["seeds"] == [0, 1]
    assert config["methods"][0]["name"] == "kmeans"
    assert record["libraries"]["python"] == platform.python_version()
    assert record["libraries"]["torch"] == torch.__version__
    assert record["machine"]["processor"]
    for name, checksum in record["data_sha256"].items():
        assert checksum == files.sha256(f"data/digits/{name}.npy")
    assert record["threads"] == 1
    assert record["status"] == "finished"
    assert record["started"] <= record["finished"]
    assert record["peak_memory_mb"] > 10
    gmvae_record = json.loads((GMVAE / "fast-fc-K3-M1/seed0/run.json").read_text())
    parameters = gmvae_record["run"]["parameters"]
    assert parameters == {"device": "cpu", "precision": "float32", "epochs": 1, "n_init": 2}
    assert gmvae_record["training_clusters"] >= 1


def test_a_sound_folder_passes(grid, capsys):
    assert main(["verify", "results"]) == 0
    assert capsys.readouterr().out == "results: 4 runs and all tables recomputed, no differences\n"


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def lift_a_metric(grid):
    path = KMEANS / "seed0/metrics.json"
    scores = json.loads(path.read_text())
    scores["final"]["nmi"] = 0.999
    files.write_json(path, scores)


def lift_a_silhouette(grid):
    path = KMEANS / "seed1/metrics.json"
    scores = json.loads(path.read_text())
    scores["final"]["silhouette"] = 0.999
    files.write_json(path, scores)


def prepare_other_data_of_the_name(grid):
    images = np.load("data/digits/test-images.npy")
    np.save("data/digits/test-images.npy", 255 - images)
    folder = Path("data/digits")
    write_manifest(folder / DATA_LIST, [folder / name for name in DATA_PRODUCTS])


def swap_assignments(grid):
    with np.load(KMEANS / "seed0/test.npz") as arrays:
        clusters = arrays["clusters"]
    files.write_arrays(KMEANS / "seed0/test.npz", clusters=clusters[::-1])


def lift_the_table(grid):
    text = Path("results/table1.csv").read_text()
    value = re.search(r"kmeans,.*?,([0-9]+[.][0-9]+)", text)[1]
    Path("results/table1.csv").write_text(text.replace(value, "99.99", 1))


def lose_a_model(grid):
    (KMEANS / "seed1/model.safetensors").unlink()


def empty_a_list(grid):
    (KMEANS / "seed0/train.sha256").write_text("")


def empty_the_assignments(grid):
    (KMEANS / "seed0/test.npz").write_text("")


def leave_a_run_out(grid):
    folders = [KMEANS / "seed0", *sorted((GMVAE / "fast-fc-K3-M1").iterdir())]
    write_tables(build(map(ScoredRun.read, folders)), Path("results"), "made by a test")


def change_the_words(grid):
    replace_in(Path("results/table1.md"), "# Unsupervised clustering accuracy", "# Triumph")


def flatten_probabilities(grid):
    path = GMVAE / "fast-fc-K3-M1/seed0/test.npz"
    arrays = files.read_arrays(path)
    sharp = np.full_like(arrays["probabilities"], 0.1)
    sharp[np.arange(len(sharp)), arrays["clusters"]] = np.linspace(0.5, 0.9, len(sharp))
    files.write_arrays(path, **{**arrays, "probabilities": sharp})
    write_manifest(path.with_name("train.sha256"), [path.with_name(n) for n in RUN_PRODUCTS])


def exchange_two_runs(grid):
    (KMEANS / "seed0").rename(KMEANS / "kept")
    (KMEANS / "seed1").rename(KMEANS / "seed0")
    (KMEANS / "kept").rename(KMEANS / "seed1")


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lift_a_metric, r"seed0/metrics\.json: final\.nmi is 0\.999, recomputed 0\."),
        (lift_a_metric, r"metrics\.json does not have the content that was written"),
        (lift_a_silhouette, r"seed1/metrics\.json: final\.silhouette is 0\.999, recomputed -?0\."),
        (prepare_other_data_of_the_name, r"K4/seed0 belongs to other data: .*other images"),
        (swap_assignments, r"seed0/test\.npz does not have the content that was written"),
        (swap_assignments, r"table1\.csv, line 2: is 'digits,kmeans.*, recomputed 'digits,kmeans"),
        (lift_the_table, r"^2 differences in results:\n  results/table1\.csv, line 2: is "),
        (lose_a_model, r"seed1/model\.safetensors is missing, or not in train\.sha256"),
        (empty_a_list, r"seed0/history\.csv is missing, or not in train\.sha256"),
        (leave_a_run_out, r"runs\.csv, line 3: is 'digits,gmvae.*, recomputed 'digits,kmeans"),
        (change_the_words, r"table1\.md, line 1: is '# Triumph', recomputed '# Unsupervised"),
        (flatten_probabilities, r"test\.npz: exemplars are not the most probable samples"),
        (
            lambda grid: (KMEANS / "seed0/test.npz").write_text(""),
            r"seed0/test\.npz is not readable",
        ),
        (exchange_two_runs, r"K4/seed0 holds the result of runs/digits/kmeans/K4/seed1"),
    ],
)
def test_whatever_was_changed_is_found(grid, tamper, expected):
    tamper(grid)
    with pytest.raises(DataError) as caught:
        verify(Path("results"))
    assert re.search(expected, str(caught.value)), str(caught.value)


def test_what_cannot_be_verified(grid):
    shutil.rmtree(KMEANS / "seed0")
    with pytest.raises(DataError, match=r"K4/seed0/run.json does not exist"):
        verify(Path("results"))
    with pytest.raises(DataError, match="no workflow was started with"):
        verify(Path("data"))
    Path("results/config.json").write_text('{"seeds": [0]}')
    with pytest.raises(ConfigError, match="this is not a configuration of this version"):
        verify(Path("results"))


def test_data_of_a_user_that_are_not_there_are_named(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("a,species\n" + "1,x\n2,y\n" * 10)
    own = {"name": "mine", "csv": str(table), "label": "species"}
    methods = [{"name": "kmeans", "K": [3]}]
    config = parse_config({"datasets": [own], "seeds": [0], "methods": methods})
    with pytest.raises(
        DataError, match="does not hold the data set mine, which does not come with"
    ):
        prepare_missing(config, {"mine"}, tmp_path)
    prepare_missing(config, {"another"}, tmp_path)
    assert list(tmp_path.glob("*/*.npy")) == []
