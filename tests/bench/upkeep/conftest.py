"""A small grid of which all steps were done, without Snakemake."""

import contextlib
import shutil
from pathlib import Path

import pytest

from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk.layout import DATA
from gmvae.bench.grid.config import parse_config, write_resolved
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.grid.sources import data_key
from gmvae.bench.report.build import make_report, make_tables
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
    with contextlib.chdir(folder):
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
    return folder


@pytest.fixture(scope="session")
def reported(finished, tmp_path_factory):
    """The same with figures and page."""
    folder = shutil.copytree(finished, tmp_path_factory.mktemp("reported") / "grid")
    with contextlib.chdir(folder):
        make_report(Path("results"), partial=False)
    return folder


@pytest.fixture
def enter(tmp_path, monkeypatch):
    """Function that makes a copy of a folder the working folder."""

    def entered(folder):
        copy = shutil.copytree(folder, tmp_path / "grid")
        monkeypatch.chdir(copy)
        return copy

    return entered


@pytest.fixture
def grid(finished, enter):
    """Finished grid with tables, as the working folder."""
    return enter(finished)


@pytest.fixture
def whole(reported, enter):
    """Finished grid with figures and page, as the working folder."""
    return enter(reported)
