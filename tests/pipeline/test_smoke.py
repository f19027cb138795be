"""The real workflow on the smoke grid, run by Snakemake in a copy of the project: its products."""

import json
import re
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from made_up import FIGURES
from running import METHODS, ROOT, SMOKE, bench, copy_project, output, snakemake, write_config

from gmvae.bench.grid.config import load_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report import figures
from gmvae.bench.report.tables import TABLE_COLUMNS


@pytest.fixture(scope="module")
def runs():
    return make_runs(load_config(ROOT / SMOKE))


def test_smoke_grid_has_every_method_and_both_remainders(runs):
    assert {run.method for run in runs} == METHODS
    assert len({run.K for run in runs}) > 1
    assert len({run.M for run in runs if run.method == "gmvae"}) > 1


def test_products(project, runs):
    results = project / "results" / "smoke"
    table = pd.read_csv(results / "table1.csv")
    assert list(table.columns) == TABLE_COLUMNS
    assert len(table) == len({(run.method, run.setting) for run in runs})
    assert table["n_runs"].sum() == len(runs)
    assert (table["n_failed"] == 0).all()
    assert table["variant"].str.contains("smoke, not comparable").all()
    assert "smoke, not comparable" in (results / "table1.md").read_text()
    for name in FIGURES:
        for ending in figures.endings(name):
            path = results / f"{name}.{ending}"
            if ending == "csv":
                assert len(pd.read_csv(path)) >= 1, name
            else:
                assert path.stat().st_size > 200
    assert all(run.path in (results / "report/index.html").read_text() for run in runs)
    assert not list(project.glob("results/*.csv")), "smoke never writes over the main results"


def test_every_run_leaves_its_files_log_progress_and_benchmark(project, runs):
    for run in runs:
        folder = project / "results" / "smoke" / run.path
        names = {path.name for path in folder.iterdir()}
        assert names == {
            "run.json",
            "test.npz",
            "epochs.npz",
            "history.csv",
            "model.safetensors",
            "metrics.json",
            "train.log",
            "progress.jsonl",
            "benchmark.tsv",
            "train.sha256",
        }
        record = json.loads((folder / "run.json").read_text())
        assert record["run"] == run.as_dict()
        assert record["threads"] == 1
        assert record["status"] == "finished"
        assert json.loads((folder / "metrics.json").read_text())["run"] == run.path
        # The runs are short on purpose; a warning takes a line, and one with the code.
        log = (folder / "train.log").read_text().splitlines()
        known = ("ConvergenceWarning: epochs=", "ConvergenceWarning: the fit has collapsed")
        others = [line for line in log if not any(text in line for text in known)]
        assert len([line for line in others if line[:1] != " "]) == 1, "no other warning, no error"


def test_progress_and_curves_of_a_run(project, runs):
    run = next(run for run in runs if run.method == "gmvae")
    folder = project / "results" / "smoke" / run.path
    epochs = run.parameters["epochs"]
    events = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", *["epoch"] * epochs, "end"]
    assert [(event["epoch"], event["epochs"]) for event in events[1:-1]] == [
        (n, epochs) for n in range(1, epochs + 1)
    ]
    assert all(event["values"]["elbo"] < 0 for event in events[1:-1])
    assert len(pd.read_csv(folder / "history.csv")) == epochs
    with np.load(folder / "epochs.npz") as arrays:
        assert arrays["clusters"].shape == (epochs, 360)
    curves = pd.read_csv(project / "results" / "smoke" / "curves.csv")
    curves = curves[curves.method == run.method]
    curve = curves[(curves.K == run.K) & (curves.M == run.M) & (curves.seed == run.seed)]
    metrics = json.loads((folder / "metrics.json").read_text())
    final = 100 * metrics["final"]["accuracy_exemplar"]
    assert curve.accuracy_exemplar.iloc[-1] == pytest.approx(final, abs=1e-3)


def test_saved_model_gives_the_stored_probabilities(project, runs):
    from gmvae import GMVAE

    run = next(run for run in runs if run.method == "gmvae")
    folder = project / "results" / "smoke" / run.path
    images = np.load(project / "data" / "digits" / "test-images.npy").reshape(360, -1)
    with np.load(folder / "test.npz") as arrays:
        expected = arrays["probabilities"]
    model = GMVAE.load(folder / "model.safetensors")
    np.testing.assert_allclose(model.predict_proba(images), expected, atol=1e-6)


def test_second_call_has_nothing_to_do(project):
    result = snakemake(project, "all", "--cores", "2", "--configfile", SMOKE)
    assert result.returncode == 0
    assert "Nothing to be done" in output(result)
    assert len(output(result).splitlines()) <= 3


def test_report_of_snakemake_itself(project):
    result = snakemake(project, "all", "--configfile", SMOKE, "--report", "report.zip")
    assert result.returncode == 0, output(result)
    with zipfile.ZipFile(project / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
    assert all(f"{name}.svg" in page for name in FIGURES)
    assert "every seed visible" in page, "the caption of stability_grid"
    assert "Figures" in page


def test_single_product_by_its_name(project):
    target = project / "results" / "smoke" / "stability_curves.svg"
    before = target.read_text()
    target.unlink()
    name = "results/smoke/stability_curves.svg"
    result = snakemake(project, name, "--cores", "1", "--configfile", SMOKE)
    assert result.returncode == 0, output(result)
    assert target.read_text() == before


def test_partial_takes_what_is_finished_and_trains_nothing(project, runs):
    folder = project / "results" / "smoke" / runs[0].path
    kept = folder.with_name("kept")
    folder.rename(kept)
    try:
        result = bench(project, "report", "results/smoke", "--partial")
        assert result.returncode == 0, output(result)
        assert not folder.exists()
        partial = project / "results" / "smoke" / "partial"
        assert pd.read_csv(partial / "table1.csv")["n_runs"].sum() == len(runs) - 1
        assert "18 of 19 runs" in (partial / "table1.md").read_text()
        assert all((partial / f"{name}.svg").exists() for name in FIGURES)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)


def test_no_training_job_has_labels_among_its_inputs(project):
    """Asked of the running workflow: with the labels gone, training goes on and scoring cannot."""
    for path in project.glob("data/digits/*-labels.npy"):
        path.rename(path.with_suffix(".away"))
    try:
        kept = "results/smoke/runs/digits/kmeans/K10/seed0"
        (project / kept / "run.json").unlink()
        result = snakemake(
            project,
            f"{kept}/train.sha256",
            "--cores",
            "1",
            "--configfile",
            SMOKE,
            "--allowed-rules",
            "train",
        )
        assert result.returncode == 0, output(result)
        assert (project / kept / "run.json").exists()
    finally:
        for path in project.glob("data/digits/*-labels.away"):
            path.rename(path.with_suffix(".npy"))
    result = snakemake(project, "results/smoke/table1.csv", "--cores", "2", "--configfile", SMOKE)
    assert result.returncode == 0, output(result)


def test_dry_run_of_the_papers_grid_counts_its_runs(project):
    result = snakemake(project, "-n", "all")
    assert result.returncode == 0
    assert re.search(r"train +225\b", output(result))
    counted = bench(project, "check", "config/config.yaml")
    assert counted.stdout.startswith("grid: 225 runs (gmvae 120, ")
    assert "; 0 there, 225 to do\n" in counted.stdout


def test_the_configuration_is_written_before_any_training(tmp_path):
    """`gmvae-bench status` and the progress lines need it, and a training may take hours."""
    folder = copy_project(tmp_path)
    config = write_config(folder, seeds=[0, 1, 2, 3])
    arguments = ("--cores", "2", "--configfile", config)
    assert snakemake(folder, "data/digits/data.sha256", *arguments).returncode == 0
    assert snakemake(folder, "results/test/table1.csv", *arguments).returncode == 0
    results = folder / "results/test"
    written = (results / "config.json").stat().st_mtime_ns
    assert all(written < path.stat().st_mtime_ns for path in results.rglob("train.log"))
