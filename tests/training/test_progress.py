"""Progress of a training: reports for programs, and their display for people."""

import json
import sys
from dataclasses import asdict

import pytest
import torch
from torch import nn

from gmvae.training.loop import DivergenceError, Training
from gmvae.training.progress import EpochReport, as_line, display, seconds_left, tell
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


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with display(2, 10) as show:
        show(REPORT)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/10" in err
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
