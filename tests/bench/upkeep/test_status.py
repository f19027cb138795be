"""Status of a grid: done, running, failed, and the time left."""

import shutil
import threading
import time

import pytest
from made_up import RAW

from gmvae.bench.disk.errors import DataError
from gmvae.bench.grid.config import parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.runs.progress import ProgressLog
from gmvae.bench.upkeep.progress import status, watch
from gmvae.training.progress import EpochReport


def test_status_of_a_finished_grid(folder):
    found = status.read_status(folder / "results")
    assert found.is_over
    assert found.headline().endswith(": 12 of 13 runs done, 1 failed")
    text = status.as_text(found)
    assert "failed: runs/digits/gmvae/slow-K10-M1/seed7: timed out, the time limit" in text


def test_status_of_a_grid_at_work(folder, tmp_path):
    results = shutil.copytree(folder / "results", tmp_path / "results")
    runs = results / "runs" / "digits"
    busy, dead = (runs / "gmvae/fast-fc-K10-M1" / name for name in ("seed0", "seed1"))
    shutil.rmtree(runs / "gmm")
    for path, phase, epoch in ((busy, "autoencoder", 3), (dead, "training", 1)):
        (path / "run.json").unlink()
        values = {"loss": 99.5, "elbo": -98.25, "z_prior": 0.5}
        report = EpochReport(phase, None, epoch, 4, 4, seconds=12.0, left=30.0, values=values)
        log = ProgressLog(path / "progress.jsonl")
        with log.attempt():
            log(report)
    with ProgressLog(busy / "progress.jsonl").attempt():
        found = status.read_status(results)
        assert "running: runs/digits/gmvae/fast-fc-K10-M1/seed0: begins" in status.as_text(found)
    log = ProgressLog(busy / "progress.jsonl")
    with log.attempt():
        log(EpochReport("autoencoder", None, 3, 4, 4, seconds=12.0, left=30.0, values=values))
        found = status.read_status(results)
        assert [found.count(s) for s in status.STATES] == [6, 1, 1, 1, 4]
        text = status.as_text(found)
        assert (
            "running: runs/digits/gmvae/fast-fc-K10-M1/seed0: autoencoder, epoch 3/4, ELBO" in text
        )
        assert "ELBO -98.25, 30 s left" in text
        assert "stopped: runs/digits/gmvae/fast-fc-K10-M1/seed1: epoch 1/4" in text
    assert status.read_status(results).count("running") == 0, "an attempt that has ended"


def one(state, seconds=None, left=None, seed=0, variant="a"):
    raw = {**RAW, "methods": [{"name": "gmvae", "variant": variant, "K": [10], "M": [1]}]}
    run = make_runs(parse_config({**raw, "seeds": [seed]}))[0]
    return status.RunState(run, state, seconds, left=left)


def test_time_left_is_from_what_was_measured(tmp_path):
    runs = [one("done", 100.0), one("done", 140.0, seed=1), one("running", 20.0, seed=2)]
    runs += [
        one("running", 30.0, seed=3),
        one("waiting", seed=4),
        one("waiting", seed=5, variant="b"),
    ]
    found = status.Status(tmp_path, runs)
    assert found.seconds_left() == pytest.approx((100 + 90 + 120 + 120) / 2)
    last = [one("done", 100.0), one("running", 99.0, seed=1), one("running", 10.0, seed=2)]
    assert status.Status(tmp_path, last).seconds_left() == 90, "not before the longest ends"
    assert "4 min left with 2 at a time" in found.headline()
    unknown = status.Status(tmp_path, [one("running", 5.0), one("waiting", seed=1)])
    assert unknown.seconds_left() is None
    assert "not known before each method has a run done" in unknown.headline()


def test_status_watches_until_the_end(folder, tmp_path, capsys, monkeypatch):
    results = shutil.copytree(folder / "results", tmp_path / "results")
    path = results / "runs/digits/kmeans/K10/seed0/run.json"
    path.rename(path.with_suffix(".away"))
    monkeypatch.setattr(watch, "SECONDS", 0.05)

    def finish():
        time.sleep(0.5)
        path.with_suffix(".away").rename(path)

    thread = threading.Thread(target=finish)
    thread.start()
    last = watch.show(results, watch=True)
    thread.join()
    assert "11 of 13 runs done, 1 failed, 1 stopped" in capsys.readouterr().out
    assert "12 of 13 runs done, 1 failed" in last.splitlines()[0]


def test_status_of_no_grid(folder, tmp_path):
    with pytest.raises(DataError, match="no workflow was started"):
        status.read_status(tmp_path)


def test_status_on_a_terminal(folder):
    from rich.console import Console

    console = Console(force_terminal=True, width=120, color_system=None)
    with console.capture() as captured:
        console.print(watch.as_table(status.read_status(folder / "results")))
    text = captured.get()
    assert "gmvae" in text
    assert "timed out" in text
    header = next(line for line in text.splitlines() if "setting" in line)
    assert header.split() == ["data", "method", "setting", *status.STATES, "a", "run"]
