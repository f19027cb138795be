"""A small grid of which all steps were done, without Snakemake."""

import os
import shutil
from pathlib import Path

import pytest

from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk.layout import DATA
from gmvae.bench.grid.config import parse_config, write_resolved
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.grid.sources import data_key
from gmvae.bench.report.build import make_tables
from gmvae.bench.runs.score import score_runs
from gmvae.bench.runs.train import Job, train_run
from gmvae.bench.upkeep.outdated import find_outdated
from gmvae.bench.upkeep.recovery import begin

CONFIG = {
    "datasets": ["digits"],
    "seeds": [0, 1],
    "mark": "made by a test",
    "methods": [
        {"name": "kmeans", "K": [4]},
        {"name": "gmvae", "K": [3], "M": [1], "parameters": {"epochs": 1, "n_init": 2}},
    ],
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder in which all steps of the grid were done."""
    folder = tmp_path_factory.mktemp("finished")
    before = Path.cwd()
    os.chdir(folder)
    try:
        config = parse_config(CONFIG)
        runs = make_runs(config)
        begin(config, runs, find_outdated(config, runs, ""))
        write_resolved(config)
        prepare("digits", None, DATA / "digits", data_key("digits", None))
        images = (Path(f"data/digits/{split}-images.npy") for split in ("train", "test"))
        job = Job(*images)
        for run in runs:
            train_run(run, job, Path("results") / run.path)
        score_runs(runs, Path("results"))
        make_tables(Path("results"))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def grid(finished, tmp_path, monkeypatch):
    """A copy of it, as the working folder."""
    shutil.copytree(finished, tmp_path / "grid")
    monkeypatch.chdir(tmp_path / "grid")
    return tmp_path / "grid"
