"""Progress of a training as data, read on whatever machine."""

import datetime
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gmvae
from gmvae.bench.runs import progress
from gmvae.bench.runs.progress import ProgressLog, last_attempt
from gmvae.training.progress import EpochReport

REPORT = EpochReport(
    phase="training",
    restart=0,
    epoch=2,
    epochs=5,
    until=5,
    seconds=4.0,
    left=6.0,
    values={"loss": 3.5, "elbo": -3.5},
)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_attempt_as_it_is_written_and_read(tmp_path):
    path = tmp_path / "run" / "progress.jsonl"
    assert last_attempt(path) is None
    log = ProgressLog(path)
    with log.attempt():
        log(REPORT)
        attempt = last_attempt(path)
        assert attempt.is_running
        assert attempt.epoch["values"] == {"loss": 3.5, "elbo": -3.5}
        assert (attempt.epoch["epoch"], attempt.epoch["left"]) == (2, 6.0)
    assert [line["event"] for line in lines(path)] == ["start", "epoch", "end"]
    assert not last_attempt(path).is_running
    assert last_attempt(path).error is None
    with pytest.raises(ValueError, match="too bad"), ProgressLog(path).attempt():
        raise ValueError("too bad")
    assert last_attempt(path).error == "ValueError: too bad"
    assert last_attempt(path).epoch == {}, "epochs of an earlier attempt do not count"


def test_heartbeats_within_long_epochs(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.05)
    path = tmp_path / "progress.jsonl"
    with ProgressLog(path).attempt():
        time.sleep(0.5)
    events = [line["event"] for line in lines(path)]
    assert events[0] == "start"
    assert events[-1] == "end"
    assert set(events[1:-1]) == {"alive"}
    assert len(events) > 4


def test_a_killed_process_is_not_running(tmp_path):
    path = tmp_path / "progress.jsonl"
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from gmvae.bench.runs.progress import ProgressLog\n"
        "with ProgressLog(Path(sys.argv[1])).attempt(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=False)
    assert [line["event"] for line in lines(path)] == ["start"]
    assert not last_attempt(path).is_running


@pytest.mark.parametrize(("age", "running"), [(5, True), (3600, False)])
def test_on_another_machine_the_last_sign_of_life_counts(tmp_path, age, running):
    path = tmp_path / "progress.jsonl"
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    events = [
        {"time": "2026-01-01T00:00:00+00:00", "event": "start", "host": "elsewhere", "pid": 1},
        {"time": then.isoformat(), "event": "alive"},
    ]
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events) + '{"time": "20')
    assert last_attempt(path).is_running is running
