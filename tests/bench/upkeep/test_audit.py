"""Where numbers come from, and whether they are what the stored assignments give."""

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import gmvae
from gmvae.bench.__main__ import main
from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk import files, locks
from gmvae.bench.disk.checksums import damaged, read_manifest, write_manifest
from gmvae.bench.disk.errors import BusyError, ConfigError, DataError, StorageError
from gmvae.bench.disk.layout import RUN_PRODUCTS
from gmvae.bench.grid.config import parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report.table_files import write_tables
from gmvae.bench.report.tables import ScoredRun, build
from gmvae.bench.runs.limits import TimeLimitError, time_limit
from gmvae.bench.runs.score import write_scores
from gmvae.bench.runs.train import Job, train_run, train_runs_together
from gmvae.bench.upkeep.repair import begin
from gmvae.bench.upkeep.trace import Cell, trace
from gmvae.bench.upkeep.verify import verify

CONFIG = {
    "datasets": ["digits"],
    "seeds": [0, 1],
    "mark": "made by a test",
    "methods": [
        {"name": "kmeans", "K": [4]},
        {"name": "gmvae", "K": [3], "M": [1], "parameters": {"epochs": 1, "n_init": 2}},
    ],
}
KMEANS, GMVAE = Path("results/runs/digits/kmeans/K4"), Path("results/runs/digits/gmvae")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which all steps of a small grid were done, without Snakemake."""
    folder = tmp_path_factory.mktemp("finished")
    before = Path.cwd()
    os.chdir(folder)
    try:
        config = parse_config(CONFIG)
        runs = make_runs(config)
        begin(config, runs)
        prepare("digits", None, Path("data/digits"))
        images = (Path(f"data/digits/{split}-images.npy") for split in ("train", "test"))
        job = Job(*images, config=files.read_json("results/config.json"))
        folders = [Path("results") / run.path for run in runs]
        for run, target in zip(runs, folders, strict=True):
            train_run(run, job, target)
            write_scores(target, Path("data/digits/test-labels.npy"))
        write_tables(build(map(ScoredRun.read, folders)), Path("results"), config.mark)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def grid(finished, tmp_path, monkeypatch):
    """A copy of it, as the working folder."""
    shutil.copytree(finished, tmp_path / "grid")
    monkeypatch.chdir(tmp_path / "grid")
    return tmp_path / "grid"


def test_run_json_tells_where_a_number_comes_from(grid):
    record = json.loads((KMEANS / "seed1/run.json").read_text())
    assert record["program"]["version"] == gmvae.__version__
    assert set(record["program"]) == {"version", "git_commit", "git_dirty"}
    assert record["config"]["seeds"] == [0, 1]
    assert record["config"]["methods"][0]["name"] == "kmeans"
    assert record["run"]["seed"] == 1
    assert record["libraries"]["python"] == platform.python_version()
    assert record["libraries"]["torch"] == torch.__version__
    assert record["machine"]["processor"]
    for name, checksum in record["data_sha256"].items():
        assert checksum == files.sha256(f"data/digits/{name}.npy")
    assert record["threads"] == 1
    assert record["status"] == "finished"
    assert record["started"] <= record["finished"]
    assert record["peak_memory_mb"] > 10
    gmvae_record = json.loads((GMVAE / "fast-fc-K3-M1/seed0/run.json").read_text())
    assert gmvae_record["precision"] == "float32"
    assert gmvae_record["training_clusters"] >= 1


def test_a_sound_folder_passes(grid, capsys):
    assert main(["verify", "results"]) == 0
    assert capsys.readouterr().out == "results: 4 runs and all tables recomputed, no differences\n"


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def lift_a_metric(grid):
    path = KMEANS / "seed0/metrics.json"
    scores = json.loads(path.read_text())
    scores["final"]["nmi"] = 0.999
    files.write_json(path, scores)


def swap_assignments(grid):
    with np.load(KMEANS / "seed0/test.npz") as arrays:
        clusters = arrays["clusters"]
    files.write_arrays(KMEANS / "seed0/test.npz", clusters=clusters[::-1])


def lift_the_table(grid):
    text = Path("results/table1.csv").read_text()
    value = re.search(r"kmeans,.*?,([0-9]+[.][0-9]+)", text)[1]
    Path("results/table1.csv").write_text(text.replace(value, "99.99", 1))


def lose_a_model(grid):
    (KMEANS / "seed1/model.safetensors").unlink()


def empty_a_list(grid):
    (KMEANS / "seed0/train.sha256").write_text("")


def empty_the_assignments(grid):
    (KMEANS / "seed0/test.npz").write_text("")


def leave_a_run_out(grid):
    folders = [KMEANS / "seed0", *sorted((GMVAE / "fast-fc-K3-M1").iterdir())]
    write_tables(build(map(ScoredRun.read, folders)), Path("results"), "made by a test")


def change_the_words(grid):
    replace_in(Path("results/table1.md"), "# Unsupervised clustering accuracy", "# Triumph")


def flatten_probabilities(grid):
    path = GMVAE / "fast-fc-K3-M1/seed0/test.npz"
    arrays = files.read_arrays(path)
    sharp = np.full_like(arrays["probabilities"], 0.1)
    sharp[np.arange(len(sharp)), arrays["clusters"]] = np.linspace(0.5, 0.9, len(sharp))
    files.write_arrays(path, **{**arrays, "probabilities": sharp})
    write_manifest(path.with_name("train.sha256"), [path.with_name(n) for n in RUN_PRODUCTS])


def exchange_two_runs(grid):
    (KMEANS / "seed0").rename(KMEANS / "kept")
    (KMEANS / "seed1").rename(KMEANS / "seed0")
    (KMEANS / "kept").rename(KMEANS / "seed1")


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lift_a_metric, r"seed0/metrics\.json: final\.nmi is 0\.999, recomputed 0\."),
        (lift_a_metric, r"metrics\.json does not have the content that was written"),
        (swap_assignments, r"seed0/test\.npz does not have the content that was written"),
        (swap_assignments, r"table1\.csv, line 2: is 'digits,kmeans.*, recomputed 'digits,kmeans"),
        (lift_the_table, r"^1 differences in results:\n  results/table1\.csv, line 2: is "),
        (lose_a_model, r"seed1/model\.safetensors is missing, or not in train\.sha256"),
        (empty_a_list, r"seed0/history\.csv is missing, or not in train\.sha256"),
        (leave_a_run_out, r"runs\.csv, line 3: is 'digits,gmvae.*, recomputed 'digits,kmeans"),
        (change_the_words, r"table1\.md, line 1: is '# Triumph', recomputed '# Unsupervised"),
        (flatten_probabilities, r"test\.npz: exemplars are not the most probable samples"),
        (
            lambda grid: (KMEANS / "seed0/test.npz").write_text(""),
            r"seed0/test\.npz is not readable",
        ),
        (exchange_two_runs, r"K4/seed0 holds the result of runs/digits/kmeans/K4/seed1"),
    ],
)
def test_whatever_was_changed_is_found(grid, tamper, expected):
    tamper(grid)
    with pytest.raises(DataError) as caught:
        verify(Path("results"))
    assert re.search(expected, str(caught.value)), str(caught.value)


def test_what_cannot_be_verified(grid):
    shutil.rmtree(KMEANS / "seed0")
    with pytest.raises(DataError, match=r"K4/seed0/run.json does not exist"):
        verify(Path("results"))
    with pytest.raises(DataError, match="no pipeline was started with"):
        verify(Path("data"))
    Path("results/config.json").write_text('{"seeds": [0]}')
    with pytest.raises(ConfigError, match="this is no configuration of this version"):
        verify(Path("results"))


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
    config = parse_config({**CONFIG, "methods": CONFIG["methods"][1:], "seeds_together": True})
    runs = make_runs(config)
    images = (Path(f"data/digits/{split}-images.npy") for split in ("train", "test"))
    results = Path("together")
    folders = [results / run.path for run in runs]
    train_runs_together(runs, Job(*images), folders)
    for folder in folders:
        write_scores(folder, Path("data/digits/test-labels.npy"))
    write_tables(build(map(ScoredRun.read, folders)), results, "a mark")
    text = trace(results / "table1.csv", Cell(variant="fast-fc (a mark)", K=3))
    train, compare = (line.strip() for line in text.splitlines()[-2:])
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    words = [sys.executable, *shlex.split(train)[1:]]
    subprocess.run(words, check=True, env=environment, capture_output=True)
    subprocess.run(shlex.split(compare), check=True)


def test_no_space_left_wherever_it_happens(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    expected = r"run\.json cannot be written: No space left on device; free some space and run"
    with pytest.raises(StorageError, match=expected):
        files.write_json(tmp_path / "run.json", {})
    assert list(tmp_path.iterdir()) == [], "no half of it stays"


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
    swap_assignments(grid)
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


def test_lists_of_checksums_are_those_of_sha256sum(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    manifest = tmp_path / "logs" / "job.sha256"
    write_manifest(manifest, [tmp_path / "a", tmp_path / "b"])
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "job.sha256"]
        subprocess.run(command, cwd=manifest.parent, check=True, capture_output=True)
    assert damaged(manifest) == damaged(manifest, thorough=True) == []
    written = (tmp_path / "a").stat()
    (tmp_path / "a").write_text("x")
    assert [path.resolve() for path in damaged(manifest)] == [tmp_path / "a"]
    os.utime(tmp_path / "a", ns=(written.st_atime_ns, written.st_mtime_ns))
    assert damaged(manifest) == [], "what was not written to since is not read again"
    assert len(damaged(manifest, thorough=True)) == 1
    (tmp_path / "a").unlink()
    assert damaged(manifest, thorough=True) == [], "what is missing is no damage"
    assert read_manifest(tmp_path / "none") == {}


def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "folder" / "lock"
    script = (
        "import sys, time; from pathlib import Path; from gmvae.bench.disk.locks import hold\n"
        "hold(Path(sys.argv[1]), 'work'); print('held', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=rf"work is under way already \(process {process.pid} "):
            locks.hold(path, "work")
        process.kill()
    locks.hold(path, "work")


def test_waiting_for_a_lock(tmp_path, capsys):
    path = tmp_path / "lock"
    script = (
        "import sys, time; from pathlib import Path; from gmvae.bench.disk.locks import waiting\n"
        "with waiting(Path(sys.argv[1]), ''): print('held', flush=True); sys.stdin.readline()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    command = [sys.executable, "-c", script, str(path)]
    pipes = {"stdout": subprocess.PIPE, "stdin": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, env=environment) as process:
        assert process.stdout.readline() == b"held\n"
        release = threading.Timer(0.5, process.stdin.close)
        release.start()
        with locks.waiting(path, "somebody is at it"):
            assert f"somebody is at it (process {process.pid} since" in capsys.readouterr().err
            assert process.stdin.closed
        assert process.wait() == 0


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path):
    """Who waits for a file that is gone must not be inside together with who made it again."""
    path = tmp_path / "lock"
    with locks.waiting(path, ""):
        entered = []

        def enter():
            with locks.waiting(path, ""):
                entered.append(path.exists())

        thread = threading.Thread(target=enter)
        thread.start()
        time.sleep(0.3)
        path.unlink()
    thread.join(timeout=10)
    assert entered == [True]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_time_limit_is_not_lost_where_python_swallows_exceptions():
    class Slow:
        def __del__(self):
            time.sleep(0.4)

    def work():
        with time_limit(0.2, lambda: 0.0):
            Slow()
            time.sleep(5)

    with pytest.raises(TimeLimitError):
        work()


def test_time_limit_counts_what_was_spent_before():
    def swallow():
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue

    for limit, before in ((0.2, 0.0), (100.2, 100.0)):
        started = time.monotonic()
        with pytest.raises(TimeLimitError), time_limit(limit, lambda before=before: before):
            swallow()
        assert time.monotonic() - started < 5
    with time_limit(0.2, lambda: 0.0):
        pass
    with time_limit(None, lambda: 0.0):
        time.sleep(0.3)
