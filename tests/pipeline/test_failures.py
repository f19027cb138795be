"""Failures of the workflow, really caused: nothing is lost, and the cause is reported."""

import ctypes
import fcntl
import json
import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from running import ROOT, command, copy_project, output, snakemake, write_config

KMEANS = {"name": "kmeans", "K": [10]}


@pytest.fixture
def folder(tmp_path):
    project = copy_project(tmp_path / "project")
    shutil.copy(ROOT / "tests" / "foreign.py", project / "foreign.py")
    return project


TABLE = "results/test/table1.csv"


def run(folder, *targets, **variables):
    """Make everything, or these products alone, by the command that makes what is missing."""
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    arguments = (*(targets or ("all",)), "--cores", "2", "--configfile", "test.yaml")
    return snakemake(folder, *arguments, PYTHONPATH=paths, **variables)


def foreign(name, K=10):
    return {"name": name.lower(), "class": f"foreign.{name}", "K": [K]}


def test_failures_are_results_with_a_reason_and_the_others_go_on(folder):
    bad = {"name": "gmvae", "K": [10], "M": [1]}
    endless = {**bad, "variant": "endless", "parameters": {"epochs": 10**6, "n_init": 2}}
    diverging = {**bad, "parameters": {"epochs": 2, "learning_rate": 1.0e30}}
    methods = [KMEANS, diverging, endless, foreign("Slow"), foreign("Collapsing")]
    write_config(folder, time_limit=8, methods=methods)
    result = run(folder, TABLE)
    assert result.returncode == 0, output(result)
    results = folder / "results/test"
    table = pd.read_csv(results / "table1.csv").set_index(["method", "variant"])
    assert table.n_failed.tolist() == [0, 1, 1, 1, 1]
    assert table.accuracy_hungarian_mean.notna().tolist() == [True, False, False, False, False]
    runs = pd.read_csv(results / "runs.csv")
    assert runs.status.tolist() == ["finished", "diverged", "timed_out", "timed_out", "collapsed"]
    text = (results / "table1.md").read_text()
    assert "1 (1 failed)" in text
    assert "seed0`: diverged, training diverged in epoch 1: loss" in text
    assert "endless-K10-M1/seed0`: timed out, the time limit of 8 s was reached, after" in text
    assert "slow/K10/seed0`: timed out, the time limit of 8 s was reached" in text
    assert "seed0`: collapsed, one cluster of 10 holds all training samples" in text
    # What a collapsed run has found is in the tidy table; what one out of time has reached is kept.
    assert runs.clusters_used.tolist()[-1] == 1
    endless_run = results / "runs/digits/gmvae/endless-K10-M1/seed0"
    assert list(endless_run.glob("checkpoints/restart0-*.safetensors"))
    assert len(pd.read_csv(endless_run / "history.csv")) >= 1
    assert not list((results / "runs/digits/gmvae/fast-fc-K10-M1/seed0").glob("checkpoints"))


def test_a_run_out_of_time_goes_on_with_a_longer_limit(folder):
    slow = {"name": "gmvae", "K": [3], "M": [1], "parameters": {"epochs": 80}}
    write_config(folder, time_limit=1.5, methods=[slow])
    assert run(folder, TABLE, GMVAE_CHECKPOINT_SECONDS="0.05").returncode == 0
    path = "results/test/runs/digits/gmvae/fast-fc-K3-M1/seed0/train.sha256"
    record = (folder / path).with_name("run.json")
    assert json.loads(record.read_text())["status"] == "timed_out"
    write_config(folder, methods=[slow])
    result = run(folder, path, TABLE)
    assert result.returncode == 0, output(result)
    assert "it ended at a time limit of 1.5 s, and has more time now" in output(result)
    second = json.loads(record.read_text())
    assert (second["status"], second["resumed"]) == ("finished", 1)
    assert second["train_seconds"] > 1.5
    whole = copy_project(folder.with_name("whole"))
    write_config(whole, methods=[slow])
    assert run(whole, TABLE).returncode == 0
    for name in ("table1.csv", "runs.csv", "curves.csv"):
        one, other = (f / "results/test" / name for f in (folder, whole))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Buggy", ["about to divide", "ZeroDivisionError"]), ("Greedy", ["asks for all memory"])],
)
def test_a_crash_fails_its_job_and_shows_the_log(folder, name, shown):
    write_config(folder, methods=[KMEANS, foreign(name)])
    result = run(folder)
    assert result.returncode != 0
    assert all(text in output(result) for text in shown), output(result)
    last = output(result).splitlines()[-1]
    assert last == "error: not all jobs were done; the same command goes on from here"
    assert (folder / "results/test/runs/digits/kmeans/K10/seed0/run.json").exists()
    assert not (folder / f"results/test/runs/digits/{name.lower()}/K10/seed0/run.json").exists()
    assert not (folder / "results/test/table1.csv").exists()


def test_two_pipelines_in_one_folder(folder):
    write_config(folder, methods=[KMEANS])
    (folder / ".snakemake").mkdir()
    with open(folder / ".snakemake/gmvae.lock", "w") as file:
        file.write("process 1234 since noon")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        result = run(folder)
        assert result.returncode != 0
        place = folder / ".snakemake"
        assert (
            f"a run of this workflow in {place} is under way already (process 1234 since noon); "
            "wait until it has ended, or stop it and then repeat this command"
        ) in output(result)
        assert "Traceback" not in output(result)
        for option in ("-n", "--summary", "--rulegraph", "--list-rules"):
            looks = snakemake(folder, "all", "--configfile", "test.yaml", option)
            assert looks.returncode == 0, "looking disturbs nobody"
    assert run(folder, TABLE).returncode == 0, "a lock whose process is gone is none"


def obey_permissions():
    """Let root be refused what permissions refuse to others."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE


def test_a_results_folder_that_cannot_be_written(folder):
    write_config(folder, methods=[KMEANS])
    results = folder / "results" / "test"
    results.mkdir(parents=True)
    results.chmod(0o500)
    result = subprocess.run(
        command("all", "--cores", "1", "--configfile", "test.yaml"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=obey_permissions,
    )
    assert result.returncode != 0
    assert (
        "results/test cannot be written: Permission denied; make the folder writable, or choose "
        "another by 'results' in the config"
    ) in output(result)
    assert "Traceback" not in output(result)


@pytest.fixture
def full_disk(tmp_path):
    """A file system of half a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here; make soak has another way")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=False)


def test_no_space_left(folder, full_disk):
    model = {"name": "gmvae", "K": [10], "M": [1], "parameters": {"epochs": 2}}
    write_config(folder, results=str(full_disk), methods=[KMEANS, model])
    result = run(folder)
    assert result.returncode != 0
    assert "cannot be written: No space left on device; free some space and run" in output(result)
    assert "no checkpoint could be written" in output(result)
    assert (full_disk / "runs/digits/kmeans/K10/seed0/run.json").exists()
    subprocess.run(["mount", "-o", "remount,size=64m", str(full_disk)], check=True)
    result = run(folder, f"{full_disk}/table1.csv")
    assert result.returncode == 0, output(result)
    assert pd.read_csv(full_disk / "table1.csv").n_failed.tolist() == [0, 0]


def test_every_damaged_product_is_found_and_made_anew(folder):
    write_config(folder, methods=[KMEANS, {"name": "gmm", "K": [3]}])
    model = "results/test/runs/digits/gmm/K3/seed0/model.safetensors"
    targets = (TABLE, "results/test/cost.png")
    assert run(folder, *targets).returncode == 0
    results = folder / "results/test"
    compared = {name: (results / name).read_bytes() for name in ("table1.csv", "runs.csv")}
    kmeans = results / "runs/digits/kmeans/K10/seed0"
    untouched = (kmeans / "run.json").stat().st_mtime_ns
    damaged = [folder / model, kmeans / "metrics.json", results / "table1.csv"]
    damaged.append(results / "cost.png")
    for path in damaged:
        os.truncate(path, path.stat().st_size // 2)
    looks = snakemake(folder, "-n", *targets, "--configfile", "test.yaml")
    assert "tables" in output(looks)
    assert all(path.exists() for path in damaged), "looking changes nothing"
    result = run(folder, *targets)
    assert result.returncode == 0, output(result)
    for path in damaged:
        assert path.with_name(f"{path.name}.damaged").exists()
        assert f"it is now {path.name}.damaged and will be made again" in output(result)
    assert {name: (results / name).read_bytes() for name in compared} == compared
    assert (kmeans / "run.json").stat().st_mtime_ns == untouched
    assert "Nothing to be done" in output(run(folder, *targets))


def test_looking_changes_nothing(folder):
    write_config(folder, methods=[KMEANS])
    assert run(folder, TABLE).returncode == 0
    (folder / TABLE).write_text("damage")
    for option in ("-n", "--summary", "--rulegraph", "--detailed-summary", "--list-rules"):
        snakemake(folder, "all", "--configfile", "test.yaml", option)
        assert (folder / TABLE).read_text() == "damage"
    result = run(folder, TABLE)
    assert result.returncode == 0, output(result)
    assert (folder / TABLE).read_text().count("kmeans") == 1


def test_lost_data_are_repaired_from_the_folder_of_the_config(folder):
    random = np.random.default_rng(0)
    np.savez(folder / "mine.npz", X=random.standard_normal((60, 3)), y=np.arange(60) % 3)
    small = {"name": "kmeans", "K": [3]}
    write_config(folder, datasets=[{"name": "mine", "npz": "mine.npz"}], methods=[small])
    assert run(folder, TABLE).returncode == 0
    (folder / "data/mine/train-images.npy").unlink()
    os.truncate(folder / "data/mine/test-labels.npy", 10)
    record = folder / "results/test/runs/mine/kmeans/K3/seed0/run.json"
    before = record.stat().st_mtime_ns
    result = run(folder, TABLE, "data/mine/data.sha256")
    assert result.returncode == 0, output(result)
    assert "data/mine: the data are damaged" in output(result)
    assert len(np.load(folder / "data/mine/train-images.npy")) == 48
    assert record.stat().st_mtime_ns == before, "the same data train nothing again"
    assert "Nothing to be done" in output(run(folder, TABLE, "data/mine/data.sha256"))


def test_results_of_another_version_are_not_overwritten(folder):
    write_config(folder, methods=[KMEANS])
    run_folder = folder / "results/test/runs/digits/kmeans/K10/seed0"
    run_folder.mkdir(parents=True)
    old = {"run": {"dataset": "digits", "method": "kmeans"}, "status": "finished"}
    (run_folder / "run.json").write_text(json.dumps(old))
    result = run(folder)
    assert result.returncode != 0
    assert "1 runs of another version of this project" in output(result)
    assert "move the folder away, or choose another by 'results' in the config" in output(result)
    assert json.loads((run_folder / "run.json").read_text()) == old


def test_a_half_written_result_is_made_again(folder):
    write_config(folder, methods=[KMEANS])
    run_folder = folder / "results/test/runs/digits/kmeans/K10/seed0"
    run_folder.mkdir(parents=True)
    (run_folder / "run.json").write_text('{"run": {"dataset": "dig')
    np.savez(run_folder / "test.npz", clusters=np.zeros(3))
    result = run(folder, TABLE)
    assert result.returncode == 0, output(result)
    assert "run.json is not valid JSON" in output(result)
    assert "it is now run.json.damaged and will be made again" in output(result)
    assert pd.read_csv(folder / "results/test/table1.csv").n_runs.tolist() == [1]


def test_fewer_samples_than_clusters(folder):
    random = np.random.default_rng(0)
    np.savez(folder / "mine.npz", X=random.standard_normal((12, 3)))
    small = {"name": "gmvae", "K": [50], "M": [1]}
    methods = [{"name": "kmeans", "K": [50]}, small]
    write_config(folder, datasets=[{"name": "mine", "npz": "mine.npz"}], methods=methods)
    result = run(folder)
    assert result.returncode != 0
    assert "kmeans on mine: K = 50 is more than the 10 training samples" in output(result)
    assert "remedy: lower K" in output(result)
    assert "Traceback" not in output(result)


def test_whatever_a_run_has_lost_is_asked_for_again(folder):
    write_config(folder, methods=[KMEANS])
    lost = folder / "results/test/runs/digits/kmeans/K10/seed0/history.csv"
    assert run(folder, TABLE).returncode == 0
    lost.unlink()
    plan = snakemake(folder, "-n", "all", "--configfile", "test.yaml")
    assert "train kmeans K10 seed 0" in output(plan)
