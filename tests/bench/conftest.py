"""A small grid that was run, with a run that ran out of time, for figures, page and status."""

import os
from pathlib import Path

import pytest
from made_up import RAW

from gmvae.bench.data.prepare import prepare
from gmvae.bench.grid.config import parse_config, write_resolved
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report.build import make_page, make_report
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.runs.train import Job, train_run
from gmvae.bench.upkeep.outdated import find_outdated
from gmvae.bench.upkeep.recovery import begin


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with data, and with the results and the report of all runs."""
    root = tmp_path_factory.mktemp("report")
    before = Path.cwd()
    os.chdir(root)
    try:
        config = parse_config(RAW)
        runs = make_runs(config)
        begin(config, runs, find_outdated(config, runs, ""))
        write_resolved(config)
        for name in ("digits", "arcs"):
            prepare(name, None, Path("data") / name)
        for run in runs:
            images = [f"data/{run.dataset}/{split}-images.npy" for split in ("train", "test")]
            limit = 1e-6 if run.variant == "slow" else None
            train_run(run, Job(*map(Path, images), time_limit=limit), Path("results") / run.path)
        make_report(Path("results"), partial=False)
        make_page(Path("results"), "snakemake all <--cores 2>")
    finally:
        os.chdir(before)
    return root


@pytest.fixture(scope="session")
def source(folder):
    return Source(folder / "results", folder / "results", folder / "data")


@pytest.fixture(scope="session")
def page(folder):
    return folder / "results/report/index.html"
