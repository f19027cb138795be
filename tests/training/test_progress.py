"""Progress of a training: reports for programs, and their display for people."""

import json
import sys
from dataclasses import asdict

import pytest
import torch
from torch import nn

from gmvae.training import loop, progress
from gmvae.training.loop import DivergenceError, Training
from gmvae.training.progress import (
    BatchReport,
    EpochReport,
    as_line,
    as_line_within,
    display,
    seconds_left,
    tell,
)
from gmvae.training.step import TrainingSettings, TrainingStep


class Sum(nn.Module):
    """Network and objective in one, whose loss can become NaN."""

    def __init__(self, diverges_in=99):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.diverges_in = diverges_in

    def draw_noise(self, network, n_rows, generator):
        return None

    def __call__(self, network, y, noise, progress):
        factor = float("nan") if progress >= self.diverges_in - 1 else 1.0
        return {"loss": factor * (y + self.weight).sum(), "size": torch.tensor(len(y))}


class Counted(TrainingStep):
    """A step with a further value per epoch."""

    def end_epoch(self):
        return {"changed": 0.25}


def make(progress=None, restart=None, network=None, **changes):
    values = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, **changes}
    settings, network = TrainingSettings(**values), network or Sum()
    step = Counted(network, network, torch.ones(8, 2), settings, torch.Generator().manual_seed(0))
    return Training(step, settings, progress=progress, restart=restart)


def test_reports_follow_each_epoch():
    reports = []
    run = make(reports.append, restart=4, verbose=True, phase="warm")
    run.count(10.0)
    run.run(2)
    run.run(3)
    assert [(r.epoch, r.epochs, r.until) for r in reports] == [(1, 3, 2), (2, 3, 2), (3, 3, 3)]
    assert {(r.phase, r.restart) for r in reports} == {("warm", 4)}
    assert [r.values["loss"] for r in reports] == run.history["loss"]
    assert [r.left == 0 for r in reports] == [False, True, True]
    assert reports[0].seconds == run.history["seconds"][0] > 10, "time spent before counts"


def test_reports_are_plain_numbers():
    """They go to a file of JSON lines as they are."""
    reports = []
    make(reports.append).run(2)
    for report in reports:
        assert type(report.epoch) is type(report.epochs) is type(report.until) is int
        assert type(report.seconds) is type(report.left) is float
        assert {name: type(value) for name, value in report.values.items()} == {
            "loss": float,
            "size": float,
            "changed": float,
        }
        assert EpochReport(**json.loads(json.dumps(asdict(report)))) == report


def test_a_report_comes_before_the_callback_of_its_epoch():
    events = []
    make(lambda report: events.append(("report", report.epoch))).run(
        2, lambda epoch: events.append(("callback", epoch))
    )
    assert events == [("report", 1), ("callback", 1), ("report", 2), ("callback", 2)]


def test_an_epoch_that_diverged_is_not_reported():
    reports = []
    with pytest.raises(DivergenceError):
        make(reports.append, network=Sum(diverges_in=2)).run(3)
    assert [report.epoch for report in reports] == [1]


def test_verbose_prints_only_without_a_function_of_its_own(capsys):
    make(lambda report: None, verbose=True).run(1)
    make().run(1)
    assert capsys.readouterr() == ("", "")
    make(verbose=True).run(2)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("epoch 1/3, loss ")
    assert ", size 4, changed 0.25, " in first
    assert second.endswith(" 0 s to epoch 2")


REPORT = EpochReport("autoencoder", None, 3, 20, 10, 61.4, 143.3, {"loss": 0.51234567})


def test_a_line_names_its_phase():
    expected = "epoch 3/20, loss 0.5123, 61 s, 143 s to epoch 10"
    assert as_line(REPORT) == f"autoencoder, {expected}"
    assert as_line(EpochReport(**{**asdict(REPORT), "phase": "training"})) == expected


class Watcher:
    """Progress of the kind that asks for reports within epochs."""

    def __init__(self):
        self.batches = []

    def __call__(self, report):
        self.batches.append(f"epoch {report.epoch}")

    def within_epoch(self, report):
        self.batches.append((report.epoch, report.batch, report.batches, report.until))


def test_a_long_epoch_reports_its_batches_to_those_who_ask(monkeypatch):
    watcher = Watcher()
    make(watcher).run(1)
    assert watcher.batches == ["epoch 1"], "a short epoch has no reports within"
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_BATCH_REPORTS", 0.0)
    watcher, plain = Watcher(), []
    make(watcher).run(2)
    within = [(0, 1, 2, 2), (0, 2, 2, 2), "epoch 1", (1, 1, 2, 2), (1, 2, 2, 2), "epoch 2"]
    assert watcher.batches == within
    make(plain.append).run(2)
    assert [report.epoch for report in plain] == [1, 2]


WITHIN = BatchReport("autoencoder", None, 2, 20, 10, 50, 200, 30.4)


def test_lines_within_an_epoch_are_seldom(monkeypatch, capsys):
    line = "autoencoder, epoch 3/20, batch 50/200, 30 s, 91 s to the end of this epoch"
    assert as_line_within(WITHIN) == line
    with display(2, 10) as show:
        show.within_epoch(WITHIN)
        monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
        show.within_epoch(WITHIN)
    assert capsys.readouterr().err == f"{line}\n"


def test_a_terminal_without_tqdm_gets_lines(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with display(2, 10) as show:
        show(REPORT)
    assert capsys.readouterr().err == f"{as_line(REPORT)}\n"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with display(2, 10) as show:
        show.within_epoch(WITHIN)
        show(REPORT)
    out, err = capsys.readouterr()
    assert out == ""
    assert "batch 50/200" in err
    assert "2.25/10" in err
    assert "3/10" in err or "3.0/10" in err
    assert "loss 0.5123" in err


def test_a_full_disk_under_the_log_does_not_end_the_training(monkeypatch):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    tell("epoch 1/2")


def test_time_left_leaves_out_what_came_before_the_first_epoch():
    assert seconds_left({"epoch": [1], "seconds": [5.0]}, 3) == 10
    assert seconds_left({"epoch": [1, 2, 3], "seconds": [50.0, 52.0, 54.0]}, 6) == 6
