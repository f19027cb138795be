"""Runs of the workflow that are killed or interrupted, and go on to the same bytes."""

import os
import signal
import subprocess
import time

from running import (
    SMOKE,
    command,
    copy_project,
    lines_elsewhere,
    output,
    part_of_smoke,
    products,
    snakemake,
    write_config,
)


def kill_twice(folder):
    """Kill -9 the whole pipeline while it trains, each time after another number of checkpoints."""
    for number in (1, 2):
        process = subprocess.Popen(
            command("all", "--cores", "2", "--configfile", SMOKE),
            cwd=folder,
            env={**os.environ, "GMVAE_CHECKPOINT_SECONDS": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        seen = set()
        while len(seen) < 5 * number:
            assert process.poll() is None
            assert time.monotonic() < deadline
            seen |= set(folder.glob("results/smoke/runs/*/*/*/*/checkpoints/*.safetensors"))
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_one_core_elsewhere_and_two_cores_killed_and_resumed(project, tmp_path):
    """The smoke grid, killed, and by the side of it a part of it with `--directory` on one core."""
    sources, killed = (copy_project(tmp_path / name) for name in ("sources", "killed"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    variables = {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    part_of_smoke(sources / "part.yaml", "gmvae", "kmeans", "pca_gmm")
    table = "results/smoke/table1.csv"
    there = (table, "--directory", str(elsewhere), "--configfile", "part.yaml", "--cores", "1")
    # By the side of the other, on a machine that is busy then, which is one thing more to bear.
    with subprocess.Popen(
        command(*there),
        cwd=sources,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as alone:
        kill_twice(killed)
        arguments = (table, "--configfile", SMOKE, "--cores", "2")
        result = snakemake(killed, *arguments, PYTHONHASHSEED="2")
        assert result.returncode == 0, output(result)
        assert alone.wait() == 0
    resumed = [path for path in killed.rglob("run.json") if '"resumed": 0' not in path.read_text()]
    assert resumed, "no kill hit a training"
    assert not list(killed.rglob("checkpoints")), "checkpoints of complete runs are removed"
    expected, found = products(project), products(killed)
    assert len(expected) == 3 + 2 * 19
    assert list(found) == list(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert lines_elsewhere(elsewhere, project) == []
    assert not (sources / "results").exists()
    assert not (sources / "data").exists()
    assert "Nothing to be done" in output(snakemake(sources, *there))


def test_interrupted_grid_goes_on_and_repeats_nothing(tmp_path):
    folder = copy_project(tmp_path)
    slow = {"name": "gmvae", "K": [10], "M": [1], "parameters": {"epochs": 2000}}
    config = write_config(folder, methods=[{"name": "kmeans", "K": [10]}, slow])
    arguments = ("all", "--cores", "2", "--configfile", config)
    log = folder / "log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            command(*arguments),
            cwd=folder,
            stdout=file,
            stderr=file,
            start_new_session=True,
            # Tests that were started in the background may have it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
    first = folder / "results/test/runs/digits/kmeans/K10/seed0/train.sha256"
    started = folder / "results/test/runs/digits/gmvae/fast-fc-K10-M1/seed0/progress.jsonl"
    deadline = time.monotonic() + 120
    # The data and the k-means run are done, and GMVAE is at work.
    while not (first.exists() and started.exists() and '"epoch": 2' in started.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=60)
    assert not started.with_name("run.json").exists()
    written = first.stat().st_mtime_ns
    slow["parameters"]["epochs"] = 2
    write_config(folder, config, methods=[{"name": "kmeans", "K": [10]}, slow])
    result = snakemake(folder, "results/test/table1.csv", *arguments[1:])
    assert result.returncode == 0, output(result)
    assert first.stat().st_mtime_ns == written
    assert (folder / "results/test/table1.csv").exists()
    assert not list(folder.rglob(".*-*.npz")), "no temporary file stays"
