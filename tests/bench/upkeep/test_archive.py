"""The archive of a grid: its size, and whether the tables come out of it again."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from gmvae.bench.__main__ import main
from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError
from gmvae.bench.report.build import make_report
from gmvae.bench.upkeep.archive import archive
from gmvae.bench.upkeep.verify import verify

TARGET = Path("archive")


@pytest.fixture
def archived(grid):
    make_report(Path("results"), partial=False)
    archive(Path("results"), TARGET)


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
    with pytest.raises(DataError, match="does not hold the runs of the config, in order"):
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
