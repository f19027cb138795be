"""Content decides what the workflow does again: parameters, code and data, never a file's time."""

import contextlib
import os
import random
import re
import shutil
import time

import numpy as np
import pytest
import yaml
from made_up import FIGURES
from running import SMOKE, output, snakemake, write_config

from gmvae.bench.grid import methods
from gmvae.bench.report import figures


def planned(result):
    """Number of training jobs of each method in a dry run."""
    lines = [line for line in output(result).splitlines() if ": train " in line]
    return {name: sum(f"train {name} " in line for line in lines) for name in methods.available()}


def jobs(result):
    """Number of jobs of each rule in a dry run."""
    found = re.findall(r"^(\w+) +(\d+)$", output(result), re.MULTILINE)
    return {name: int(count) for name, count in found if name not in ("all", "total")}


@contextlib.contextmanager
def edited(path, old, new):
    """Edit a source, and put it back as it was."""
    before, times = path.read_text(), path.stat()
    assert old in before
    try:
        path.write_text(before.replace(old, new, 1))
        yield
    finally:
        path.write_text(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


IMPORT = "from __future__ import annotations"
NETWORKS = ("vae_kmeans", "vae_gmm", "aae", "dec", "vade", "catgan", "gmvae_warm")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("baselines/kmeans.py", {"kmeans": 2}),
        ("baselines/dec.py", {"dec": 1}),
        ("baselines/shared/vae.py", {"vae_kmeans": 1, "vae_gmm": 1, "vade": 1}),
        ("gmvae/model/objective.py", {"gmvae": 6, "gmvae_warm": 1}),
        ("gmvae/training/loop.py", {"gmvae": 6, **dict.fromkeys(NETWORKS, 1)}),
        ("gmvae/bench/report/drawing/style.py", {}),
        ("gmvae/bench/runs/metrics.py", {}),
        ("gmvae/bench/runs/train.py", {}),
    ],
)
def test_an_edited_source_repeats_exactly_its_runs(project, path, expected):
    with edited(project / path, IMPORT, f"{IMPORT}\nimport abc"):
        result = snakemake(project, "all", "-n", "--configfile", SMOKE)
    assert planned(result) == dict.fromkeys(methods.available(), 0) | expected


@pytest.mark.parametrize("old", ['"""', IMPORT])
def test_an_edited_comment_or_docstring_repeats_nothing(project, old):
    new = '"""Better: ' if old == '"""' else f"# A remark.\n{IMPORT}"
    with edited(project / "gmvae/model/objective.py", old, new):
        result = snakemake(project, "all", "-n", "--configfile", SMOKE)
    assert "Nothing to be done" in output(result)


def test_an_edited_source_is_run_again_and_the_others_are_kept(project, tmp_path):
    copy = shutil.copytree(project, tmp_path / "project")
    arguments = ("results/smoke/table1.csv", "results/smoke/cost.svg", "--configfile", SMOKE)
    runs = copy / "results/smoke/runs/digits"
    times = {path: path.stat().st_mtime_ns for path in runs.rglob("run.json")}
    repeated = set(runs.glob("kmeans/*/*/run.json"))
    table = (copy / "results/smoke/table1.csv").read_bytes()
    with edited(copy / "baselines/kmeans.py", IMPORT, f"{IMPORT}\nimport abc"):
        result = snakemake(copy, *arguments, "--cores", "2")
        assert result.returncode == 0, output(result)
        assert "kmeans/K10/seed0 and 1 more: the code of its method has changed" in output(result)
        assert "; 17 there, 2 to do\n" in output(result)
        assert "Nothing to be done" in output(snakemake(copy, *arguments))
    assert {path for path in times if path.stat().st_mtime_ns != times[path]} == repeated
    assert (copy / "results/smoke/table1.csv").read_bytes() == table


@pytest.mark.parametrize("with_metadata", [True, False])
def test_a_copied_project_with_results_has_nothing_to_do(project, tmp_path, with_metadata):
    """Like `cp -r`, or like a clone into which the results were carried: all times are new."""
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, copy_function=shutil.copy)
    if not with_metadata:
        shutil.rmtree(copy / ".snakemake")
        shutil.rmtree(copy / "data")
    paths = sorted(path for path in copy.rglob("*") if path.is_file())
    random.Random(0).shuffle(paths)
    for number, path in enumerate(paths):
        os.utime(path, (time.time() - number, time.time() - number))
    result = snakemake(copy, "all", "--cores", "1", "--configfile", SMOKE)
    assert result.returncode == 0, output(result)
    assert "Nothing to be done" in output(result)
    with edited(copy / "baselines/dec.py", IMPORT, f"{IMPORT}\nimport abc"):
        result = snakemake(copy, "all", "-n", "--configfile", SMOKE)
    assert planned(result) == dict.fromkeys(methods.available(), 0) | {"dec": 1}


def test_other_triggers_train_nothing_that_is_there(project):
    """Without the profile Snakemake decides by time; the command itself sees that all is done."""
    path = project / "results/smoke/runs/digits/kmeans/K10/seed0/run.json"
    before = path.stat().st_mtime_ns
    arguments = ("--cores", "1", "--configfile", SMOKE, "--workflow-profile", "none", "--nolock")
    target = "results/smoke/runs/digits/kmeans/K10/seed0/train.sha256"
    result = snakemake(project, target, "--force", *arguments)
    assert result.returncode == 0, output(result)
    assert path.stat().st_mtime_ns == before


def test_a_changed_parameter_repeats_its_runs_alone(project):
    raw = yaml.safe_load((project / SMOKE).read_text())
    changed = next(method for method in raw["methods"] if method["name"] == "vae_gmm")
    changed["parameters"]["epochs"] = 4
    (project / "changed.yaml").write_text(yaml.safe_dump(raw))
    result = snakemake(project, "all", "-n", "--configfile", "changed.yaml")
    assert planned(result) == dict.fromkeys(methods.available(), 0) | {"vae_gmm": 1}


def test_a_changed_metric_scores_again_and_trains_nothing(project):
    path = project / "gmvae/bench/runs/metrics.py"
    with edited(path, IMPORT, f"{IMPORT}\nimport abc"):
        result = snakemake(project, "all", "-n", "--configfile", SMOKE)
    with_table = sum("csv" in figures.endings(name) for name in FIGURES)
    drawn = {"figure": len(FIGURES) - with_table, "figure_with_table": with_table}
    assert jobs(result) == {"score": 1, "tables": 1, **drawn, "page": 1}


def test_a_changed_colour_draws_the_figures_again_and_no_table(project):
    path = project / "gmvae/bench/report/drawing/style.py"
    with edited(path, IMPORT, f"{IMPORT}\nimport abc"):
        result = snakemake(project, "all", "-n", "--configfile", SMOKE)
    assert jobs(result).keys() == {"figure", "figure_with_table", "page"}


def test_changed_data_of_a_user_are_read_again(project):
    random = np.random.default_rng(0)
    np.savez(project / "mine.npz", X=random.standard_normal((60, 3)))
    config = write_config(project, datasets=[{"name": "mine", "npz": "mine.npz"}])
    arguments = ("data/mine/data.sha256", "--cores", "1", "--configfile", config)
    assert snakemake(project, *arguments).returncode == 0
    assert "Nothing to be done" in output(snakemake(project, *arguments))
    np.savez(project / "mine.npz", X=random.standard_normal((80, 3)))
    assert snakemake(project, *arguments).returncode == 0
    assert len(np.load(project / "data/mine/train-images.npy")) == 64
    (project / "mine.npz").unlink()
    assert "mine.npz does not exist" in output(snakemake(project, *arguments))
