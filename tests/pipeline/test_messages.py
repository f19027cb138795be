"""Configs, targets and data that cannot be used: the answer is short and says what to do."""

import gzip
import re
import time

import pytest
from running import copy_project, output, snakemake, write_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the project without results."""
    return copy_project(tmp_path_factory.mktemp("project"))


def lines_of(result):
    """Lines for a person, without Snakemake's note on the profile that it uses."""
    lines = (result.stdout + result.stderr).splitlines()
    return [line for line in lines if line and not line.startswith("Using workflow specific")]


def errors_of(folder, config, *arguments, **variables):
    result = snakemake(
        folder, "all", "--cores", "1", "--configfile", config, *arguments, **variables
    )
    assert result.returncode != 0
    assert "Traceback" not in output(result)
    assert not list((folder / "results" / "test").rglob("run.json")), "nothing was trained"
    return output(result)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seedz": [0]}, "seedz: unknown key (did you mean 'seeds'?)"),
        ({"methods": [{"name": "kmeans", "K": [0]}]}, "methods[0].K[0]: should be at least 1"),
        (
            {"methods": [{"name": "gmvae", "K": [2], "M": [0]}]},
            "methods[0].M[0]: should be at least 1; found 0",
        ),
        ({"methods": [{"name": "kmeens", "K": [2]}]}, "unknown method 'kmeens' (did you mean"),
        (
            {"methods": [{"name": "kmeans", "K": [9999]}]},
            "kmeans on digits: K = 9,999 is more than the 1,437 training samples",
        ),
        (
            {"device": "cuda", "methods": [{"name": "gmvae", "K": [2], "M": [1]}]},
            "device: cuda is asked for, but torch finds no CUDA devices on this machine",
        ),
    ],
)
def test_bad_configs_end_before_anything_starts(folder, changes, expected):
    config = write_config(folder, **changes)
    message = errors_of(folder, config, CUDA_VISIBLE_DEVICES="")
    assert expected in message
    assert len(message.splitlines()) < 12


def test_missing_data_set_without_network(folder, tmp_path):
    config = write_config(folder, datasets=["mnist"])
    proxy = "http://127.0.0.1:9"  # nothing listens there: this is what no network looks like
    message = errors_of(
        folder,
        config,
        GMVAE_DATA_DIR=str(tmp_path),
        HTTP_PROXY=proxy,
        HTTPS_PROXY=proxy,
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert "data set 'mnist' is not on this machine and cannot be downloaded" in message
    assert "remedy: put the four .gz files" in message


def test_truncated_idx_file(folder, tmp_path):
    data = tmp_path / "mnist"
    data.mkdir()
    for split in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            content = gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x09123456789")
            (data / f"{split}-{kind}-ubyte.gz").write_bytes(content[:-12])
    config = write_config(folder, datasets=["mnist"], data_dir=str(tmp_path))
    message = errors_of(folder, config)
    assert "train-images-idx3-ubyte.gz holds other data: its shape should be (60000, 28" in message
    assert "replace the file, or remove it to have it downloaded" in message


def test_what_a_method_refuses_is_in_the_message(folder):
    """The check of a config does not compare a given shape with the data."""
    bad = {"name": "gmvae", "K": [2], "M": [1], "parameters": {"image_shape": [4, 4, 1]}}
    message = errors_of(folder, write_config(folder, methods=[bad]))
    assert "refused to train (runs/digits/gmvae/fast-fc-K2-M1/seed0)" in message
    assert "has 16 values, but each sample has 64" in message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("al",), "there is no target 'al'"),
        (("results/tabel1.csv",), "there is no target 'results/tabel1.csv'"),
        (("synthetic",), "there is no target 'synthetic'"),
        (("all", "--configfile", "nope.yaml"), "the config file 'nope.yaml' does not exist"),
        (("--configfile", "test.yaml", "all"), "the config file 'all' does not exist"),
    ],
)
def test_misspelt_calls_are_answered_in_three_lines(folder, words, expected):
    config = write_config(folder)
    given = words if "--configfile" in words else (*words, "--configfile", config)
    result = snakemake(folder, *given)
    assert result.returncode != 0
    lines = lines_of(result)
    assert lines[0] == f"error: {expected}"
    assert len(lines) <= 3
    if words == ("synthetic",):
        assert "GMVAE runs on arcs" in " ".join(lines)


def test_a_run_prints_little_and_snakemake_prints_more_if_asked(folder):
    config = write_config(folder, results="results/quiet", seeds=[0, 1, 2], mark="in {braces}")
    started = time.monotonic()
    result = snakemake(folder, "all", "--cores", "2", "--configfile", config)
    seconds = time.monotonic() - started
    assert result.returncode == 0, output(result)
    first, *others, last = lines_of(result)
    assert first == "grid: 3 runs (kmeans 3); 0 there, 3 to do"
    assert len(others) <= 2 + seconds / 10
    assert all("of 3 runs done" in line for line in others)
    assert last == "finished; the page with all results is results/quiet/report/index.html"
    (folder / "results/quiet/table1.csv").unlink()
    table = ("results/quiet/table1.csv", "--cores", "2", "--configfile", config)
    result = snakemake(folder, *table, "--quiet", "host")
    assert result.returncode == 0, output(result)
    assert re.search(r"Job \d+: tables", output(result))
    assert "a part of it is missing" in output(result)
