"""The origin of a row of the table, and the command that repeats a run."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gmvae
from gmvae.bench.__main__ import main
from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError
from gmvae.bench.grid.config import parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report.table_files import write_tables
from gmvae.bench.report.tables import ScoredRun, build
from gmvae.bench.runs.score import score_runs
from gmvae.bench.runs.train import Job, train_runs_together
from gmvae.bench.upkeep.trace import Cell, trace

KMEANS, GMVAE = Path("results/runs/digits/kmeans/K4"), Path("results/runs/digits/gmvae")


def test_trace_shows_runs_and_the_command_that_repeats_one(grid):
    text = trace(Path("results/table1.csv"), Cell(method="KMeans", K=4))
    assert "dataset digits, method kmeans, K 4\n  2 runs, 0 failed; accuracy_hungarian " in text
    assert "class baselines.kmeans.PixelKMeans" in text
    for seed in (0, 1):
        assert f"seed {seed}: finished; accuracy_hungarian" in text
        assert f"{KMEANS}/seed{seed}/test.npz, SHA-256 " in text
    assert f"SHA-256 {files.sha256('data/digits/train-images.npy')}" in text
    train, compare = (line.strip() for line in text.splitlines()[-2:])
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    words = [sys.executable, *shlex.split(train)[1:]]
    subprocess.run(words, check=True, env=environment, capture_output=True)
    subprocess.run(shlex.split(compare), check=True)
    assert not list(Path("results/repeated").rglob("checkpoints"))


def test_trace_of_runs_that_were_trained_together(grid):
    parameters = {"epochs": 1, "n_init": 2, "init": "random"}
    entry = {"name": "gmvae", "K": [3], "M": [1], "parameters": parameters}
    values = {"datasets": ["digits"], "seeds": [0, 1], "methods": [entry], "seeds_together": True}
    config = parse_config(values)
    runs = make_runs(config)
    images = (Path(f"data/digits/{split}-images.npy") for split in ("train", "test"))
    results = Path("together")
    folders = [results / run.path for run in runs]
    train_runs_together(runs, Job(*images), folders)
    score_runs(runs, results)
    write_tables(build(map(ScoredRun.read, folders)), results, "a mark")
    text = trace(results / "table1.csv", Cell(variant="fast-fc (a mark)", K=3))
    train, compare = (line.strip() for line in text.splitlines()[-2:])
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    words = [sys.executable, *shlex.split(train)[1:]]
    subprocess.run(words, check=True, env=environment, capture_output=True)
    subprocess.run(shlex.split(compare), check=True)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (Cell(method="kmean"), r"has method kmean \(did you mean 'kmeans'\?\); there is: kmeans, "),
        (Cell(K=7), "no run of this table has K 7; there is: 4, 3"),
        (Cell(method="gmvae", M=5), "no run of this table has M 5; there is: 1"),
    ],
)
def test_trace_of_what_is_not_there(grid, cell, expected):
    with pytest.raises(DataError, match=expected):
        trace(Path("results/table1.csv"), cell)
    with pytest.raises(DataError, match=r"is not there; give the path of a table1\.csv"):
        trace(Path("data/table1.csv"), cell)


def test_trace_tells_what_was_changed(grid, capsys):
    with np.load(KMEANS / "seed0/test.npz") as arrays:
        clusters = arrays["clusters"]
    files.write_arrays(KMEANS / "seed0/test.npz", clusters=clusters[::-1])
    text = trace(Path("results/table1.csv"), Cell(method="kmeans"))
    assert text.count("; WHAT IS THERE NOW IS SOMETHING ELSE") == 1
    Path("results/runs.csv").write_text("a,b\n1,2\n")
    assert main(["trace", "results/table1.csv"]) == 1
    assert "give the path of a table1.csv with its runs.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("trace results/table1.csv | true", ""),
        ("train foo out --train-images a --test-images b", "is not valid JSON"),
        ("train '{}' out --train-images a --test-images b", "a run needs the values dataset, "),
    ],
)
def test_no_tracebacks_on_the_command_line(grid, command, expected):
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    words = f"{shlex.quote(sys.executable)} -m gmvae.bench {command}"
    result = subprocess.run(
        words, shell=True, env=environment, capture_output=True, text=True, check=False
    )
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


def test_trace_of_a_table_without_its_runs(grid):
    shutil.rmtree("results/runs")
    assert "its files are not here (expected in results/runs/digits/kmeans/K4" in trace(
        Path("results/table1.csv"), Cell(K=4)
    )
