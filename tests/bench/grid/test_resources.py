"""Memory, time and GPUs of a training, and trainings that share GPUs."""

import contextlib
import csv
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up import RECORD
from running import ROOT

from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid import resources
from gmvae.bench.grid.runs import Run

TAKE = """
import os, sys
from pathlib import Path
import tempfile
tempfile.tempdir = sys.argv[1]
from gmvae.bench.grid.resources import take_gpu
print(take_gpu({"device": sys.argv[2]}, int(sys.argv[3])), flush=True)
assert "torch" not in sys.modules
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def fresh_look():
    resources.gpus_here.cache_clear()
    yield
    resources.gpus_here.cache_clear()


def test_memory_and_time_grow_with_each_attempt():
    assert [resources.memory_mb(n) for n in (1, 2, 3)] == [2000, 4000, 6000]
    assert resources.memory_mb(1, 5) > resources.memory_mb(1)
    assert [resources.minutes(n) for n in (1, 2)] == [60, 120]
    assert resources.minutes(2, time_limit=90) == 12


def test_twice_the_measured_peaks_fit():
    peaks = []
    for path in (ROOT / "results" / "reference").rglob("times.csv"):
        with open(path, newline="") as file:
            rows = [row["peak_memory_mb"] for row in csv.DictReader(file)]
            peaks += [float(peak) for peak in rows if peak]
    assert peaks
    assert max(peaks) <= resources.TRAINING_MB / 2
    assert max(peaks) > resources.TRAINING_MB / 4, "far too much is asked for"


@pytest.mark.parametrize(
    ("device", "is_there", "wanted"),
    [
        ("cpu", True, False),
        ("cuda", False, True),
        ("cuda:1", False, True),
        ("auto", True, True),
        ("auto", False, False),
        (None, True, False),
    ],
)
def test_who_wants_a_gpu(device, is_there, wanted):
    parameters = {} if device is None else {"device": device}
    run = Run.from_dict({**RECORD["run"], "parameters": parameters})
    assert resources.wants_gpu(run, is_there=is_there) is wanted


@pytest.mark.parametrize(
    ("visible", "names"),
    [("0,1", ("0", "1")), ("", ()), ("-1", ()), ("GPU-8a, GPU-9b", ("GPU-8a", "GPU-9b"))],
)
def test_gpus_that_the_environment_names(monkeypatch, visible, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert resources.gpus_here() == names


@pytest.mark.parametrize(
    ("answer", "names"), [("printf '0\\n1\\n2\\n'", ("0", "1", "2")), ("exit 9", ())]
)
def test_gpus_that_the_driver_names(monkeypatch, tmp_path, answer, names):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\n{answer}\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert resources.gpus_here() == names


@pytest.mark.parametrize(
    ("command", "answer", "is_refused"),
    [
        ("sacct", "echo Slurm accounting storage is disabled >&2; exit 1", True),
        ("sacct", "exit 0", False),
        ("squeue", "exit 1", False),
    ],
)
def test_a_cluster_without_accounts_is_refused(monkeypatch, tmp_path, command, answer, is_refused):
    sacct = tmp_path / "sacct"
    sacct.write_text(f"#!/bin/sh\n{answer}\n")
    sacct.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    expected = pytest.raises(ConfigError, match=r"storage is disabled\); add --slurm-status")
    with expected if is_refused else contextlib.nullcontext():
        resources.check_accounting(SimpleNamespace(status_command=command))


def test_another_executor_is_not_asked_for_accounts():
    resources.check_accounting(None)


def start(stack, folder, device, runs_per_gpu, visible="0,1"):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": visible}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    words = [sys.executable, "-c", TAKE, str(folder), device, str(runs_per_gpu)]
    return stack.enter_context(subprocess.Popen(words, **pipes, env=environment, text=True))


def test_trainings_spread_over_the_gpus_and_share_them(tmp_path):
    """Two GPUs with two shares each: the fifth training waits until one of the four has ended."""
    with contextlib.ExitStack() as stack:
        taken = []
        for _ in range(4):
            process = start(stack, tmp_path, "cuda", 2)
            taken.append((process.stdout.readline().strip(), process))
        assert [name for name, _ in taken] == ["0", "1", "0", "1"]
        fifth = start(stack, tmp_path, "auto", 2)
        assert "all shares of 2 GPUs are taken" in fifth.stderr.readline()
        taken[1][1].kill()
        assert fifth.stdout.readline() == "1\n"
        for process in (fifth, *(process for _, process in taken)):
            with contextlib.suppress(BrokenPipeError):
                process.communicate()


@pytest.mark.parametrize(
    ("device", "visible", "shares"),
    [("cpu", "0", 1), ("cuda:0", "0", 1), ("auto", "", 1), ("cuda", "0", 0)],
)
def test_nothing_is_taken_where_nothing_is_to_be_chosen(tmp_path, device, visible, shares):
    with contextlib.ExitStack() as stack:
        process = start(stack, tmp_path, device, shares, visible)
        assert process.communicate()[0] == "None\n"
    assert not any(Path(tmp_path).iterdir())
