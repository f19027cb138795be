"""The archive of a grid: its size, and whether the tables come out of it again."""

import contextlib
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from gmvae.bench.__main__ import main
from gmvae.bench.disk import files
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.upkeep.archives.archive import archive
from gmvae.bench.upkeep.verify import verify

TARGET = Path("archive")


@pytest.fixture(scope="module")
def with_archive(reported, tmp_path_factory):
    folder = shutil.copytree(reported, tmp_path_factory.mktemp("archived") / "grid")
    with contextlib.chdir(folder):
        archive(Path("results"), TARGET)
    return folder


@pytest.fixture
def archived(with_archive, enter):
    return enter(with_archive)


def test_an_archive_is_small_and_verified(archived, capsys):
    assert main(["verify", "archive"]) == 0
    assert capsys.readouterr().out == "archive: 4 runs and all tables recomputed, no differences\n"
    size = sum(path.stat().st_size for path in TARGET.iterdir())
    assert size < sum(path.stat().st_size for path in Path("results").rglob("*") if path.is_file())
    assert {"table1.csv", "table1.md", "runs.csv", "confusion.png", "README.md"} <= {
        path.name for path in TARGET.iterdir()
    }
    text = (TARGET / "README.md").read_text()
    records = [json.loads(path.read_text()) for path in Path("results").rglob("run.json")]
    statuses = Counter(record["status"] for record in records)
    (line,) = [line for line in text.splitlines() if line.startswith("- Runs: 4 (")]
    assert all(f"{n} {status}" in line for status, n in statuses.items())
    assert "gmvae-bench verify archive" in text
    assert "silhouette is taken as recorded" in " ".join(text.split())


def test_a_changed_cluster_is_found(archived):
    arrays = files.read_arrays(TARGET / "assignments.npz")
    name = "runs/digits/kmeans/K4/seed1/clusters"
    assert arrays[name].dtype == np.uint8
    arrays[name][0] = (arrays[name][0] + 1) % 4
    files.write_arrays(TARGET / "assignments.npz", **arrays)
    with pytest.raises(DataError, match=r"runs/digits/kmeans/K4/seed1: final.accuracy_\w+ is "):
        verify(TARGET)


def test_data_of_the_package_are_prepared_where_they_are_missing(archived, tmp_path):
    assert "no differences" in verify(TARGET, tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere/digits/test-labels.npy").is_file()


def test_agreement_is_recomputed_and_a_silhouette_taken_as_recorded(archived):
    table = pd.read_csv(TARGET / "table1.csv").set_index("method")
    assert table.loc["kmeans", "silhouette_space"] == "samples"
    assert -1 < table.loc["kmeans", "silhouette_mean"] < 1
    arrays = files.read_arrays(TARGET / "assignments.npz")
    clusters = [arrays[f"runs/digits/kmeans/K4/seed{seed}/clusters"] for seed in (0, 1)]
    expected = adjusted_rand_score(*clusters)
    assert table.loc["kmeans", "agreement"] == pytest.approx(expected, abs=1e-4)
    path = TARGET / "table1.csv"
    text = path.read_text()
    path.write_text(text.replace(f",{table.loc['kmeans', 'agreement']}", ",0.123"))
    assert path.read_text() != text
    with pytest.raises(DataError, match=r"table1\.csv, line 2"):
        verify(TARGET)


def test_a_changed_table_is_found(archived):
    path = TARGET / "table1.csv"
    path.write_text(path.read_text().replace("digits", "digit5", 1))
    with pytest.raises(DataError, match=r"table1\.csv, line 2: is .digit5"):
        verify(TARGET)


def test_a_missing_run_is_found(archived):
    path = TARGET / "runs.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match=r"table1\.csv, line"):
        verify(TARGET)


@pytest.mark.parametrize("text", ["{", "[1]\n", json.dumps({"record": {}}) + "\n"])
def test_damaged_records_are_named(archived, text):
    (TARGET / "runs.jsonl").write_text(text)
    with pytest.raises(DataError, match=r"runs\.jsonl is not readable as records of runs"):
        verify(TARGET)


def test_an_unfinished_grid_is_not_archived(grid):
    Path("results/table1.csv").unlink()
    with pytest.raises(DataError, match=r"table1\.csv does not exist; run the workflow to its end"):
        archive(Path("results"), TARGET)


def remove_runs(results, method):
    shutil.rmtree(results / "runs/digits" / method)


@pytest.fixture(scope="module")
def with_parts(with_archive, tmp_path_factory):
    """Also a folder and an archive with a part of the runs each."""
    folder = shutil.copytree(with_archive, tmp_path_factory.mktemp("parts") / "grid")
    with contextlib.chdir(folder):
        shutil.copytree("results", "first")
        remove_runs(Path("first"), "kmeans")
        remove_runs(Path("results"), "gmvae")
        assert archive(Path("first"), Path("part"), partial=True).startswith("part: 2 of 4 runs")
    return folder


@pytest.fixture
def in_parts(with_parts, enter):
    return enter(with_parts)


def test_parts_give_the_tables_of_the_whole(in_parts, capsys):
    assert main(["archive", "results", "both", "--part", "part", "--command", "make full"]) == 0
    assert "both: 4 runs" in capsys.readouterr().out
    for name in ("table1.csv", "table1.md", "runs.csv", "curves.csv", "times.csv", "runs.jsonl"):
        assert Path("both", name).read_bytes() == (TARGET / name).read_bytes()
    one, other = (
        files.read_arrays(folder / "assignments.npz") for folder in (TARGET, Path("both"))
    )
    assert list(one) == list(other)
    # Only the figures that are still to be drawn need them.
    assert not any(name.endswith("train_clusters") for name in one)
    of_part = files.read_arrays(Path("part/assignments.npz"))
    assert sum(name.endswith("train_clusters") for name in of_part) == 2
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert "Command: `make full`" in Path("both/README.md").read_text()
    assert verify(Path("both")) == "both: 4 runs and all tables recomputed, no differences"
    # Drawn from both parts, of which none has all runs; what needs models is left out.
    assert Path("both/stability_grid.png").stat().st_size > 10_000
    assert not Path("both/latent.png").exists()


def test_a_part_is_verified_as_one(in_parts):
    assert verify(Path("part")) == "part: 2 of 4 runs and all tables recomputed, no differences"
    assert "2 of 4 runs" in Path("part/table1.md").read_text()
    with pytest.raises(DataError, match=r"2 of 4 runs are neither in first nor in a part, first "):
        archive(Path("first"), Path("both"), parts=[Path("part")])


def test_an_archive_over_another_leaves_no_figure_of_it(in_parts):
    shutil.copytree(TARGET, "both")
    assert Path("both/latent.png").exists()
    archive(Path("results"), Path("both"), parts=[Path("part")])
    assert not Path("both/latent.png").exists(), "it shows runs of both parts"
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("text")
    with pytest.raises(ConfigError, match="mine is neither empty nor an archive"):
        archive(Path("results"), Path("mine"), parts=[Path("part")])
    remove_runs(Path("results"), "kmeans")
    with pytest.raises(DataError, match="4 of 4 runs are not in results"):
        archive(Path("results"), Path("none"), partial=True)
    assert not Path("none").exists()


def test_parameters_that_are_not_those_of_the_config_are_found(archived):
    records = TARGET / "runs.jsonl"
    text = records.read_text()
    records.write_text(text.replace('"n_init": 2', '"n_init": 3'))
    assert records.read_text() != text
    with pytest.raises(DataError, match=r"'n_init': 3.* are not those of the config"):
        verify(TARGET)


def test_parts_that_do_not_belong_together_are_refused(in_parts):
    records = Path("part/runs.jsonl")
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    for place, value, problem in (
        (("sources_sha256",), "0" * 64, "were made with different code"),
        (("data_sha256",), {"test-images": "0" * 64}, "were made with different data"),
        (("run", "parameters"), {"epochs": 77}, r"with other parameters, .*'epochs': 77"),
    ):
        changed = json.loads(json.dumps(lines[:1]))
        inner = changed[0]["record"]
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = {**inner[place[-1]], **value} if isinstance(value, dict) else value
        records.write_text("".join(f"{json.dumps(line)}\n" for line in [*changed, *lines[1:]]))
        with pytest.raises(DataError, match=problem):
            archive(Path("results"), Path("both"), parts=[Path("part")])
