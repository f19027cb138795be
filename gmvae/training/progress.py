"""Progress of a training: reports of epochs and of long epochs' batches, and their display."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

History = dict[str, list[float]]
"""Epoch means by name; ``epoch`` and ``seconds`` among them."""
SECONDS_BETWEEN_BATCH_REPORTS = 1.0
SECONDS_BETWEEN_LINES = 20.0
"""Seconds between two lines of a log within an epoch; a terminal shows every report."""


@dataclass(frozen=True)
class EpochReport:
    """State of a training after an epoch.

    Attributes
    ----------
    phase : str
        Name of this training within the fit, such as "autoencoder".
    restart : int or None
        Number of the restart, from 0, if there are several.
    epoch, epochs : int
        Number of finished epochs, and of all epochs of the training.
    until : int
        Epoch at which this part of the training ends, for example to compare restarts.
    seconds : float
        Training time so far.
    left : float
        Estimated training time to the end of epoch `until`, in seconds.
    values : mapping of str to float
        Means of the last epoch.
    """

    phase: str
    restart: int | None
    epoch: int
    epochs: int
    until: int
    seconds: float
    left: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class BatchReport:
    """State of a training within an epoch.

    Attributes
    ----------
    phase, restart, epochs, until
        As of `EpochReport`.
    epoch : int
        Number of finished epochs.
    batch, batches : int
        Number of finished batches of the epoch under way, and of all its batches.
    seconds : float
        Time that this epoch has taken so far.
    """

    phase: str
    restart: int | None
    epoch: int
    epochs: int
    until: int
    batch: int
    batches: int
    seconds: float


Progress = Callable[[EpochReport], None]
"""Function that is called after each epoch. If it has a method ``within_epoch``, that is called
with a `BatchReport` about once a second during an epoch."""


@contextlib.contextmanager
def display(start: int, until: int) -> Iterator[Progress]:
    """Yield a function that shows reports on standard error: as a bar or, in a log, as lines.

    Without the package tqdm, a terminal gets lines, too.

    Parameters
    ----------
    start, until : int
        Number of finished epochs at the beginning and at the end.
    """
    tqdm = _tqdm() if sys.stderr.isatty() else None
    if tqdm is None:
        yield _Lines()
        return
    with tqdm(total=until, initial=start, unit="epoch") as bar:
        yield _Bar(bar)


def _tqdm() -> Any:
    """The package's class, or None: it is no requirement of the library."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return None
    return tqdm


class _Lines:
    """A line for each epoch, and some within long ones."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, report: EpochReport) -> None:
        self._tell(as_line(report))

    def within_epoch(self, report: BatchReport) -> None:
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._tell(as_line_within(report))

    def _tell(self, line: str) -> None:
        self._last = time.monotonic()
        tell(line)


class _Bar:
    """A bar of tqdm, whose unit is an epoch."""

    def __init__(self, bar: Any):
        self._bar = bar

    def __call__(self, report: EpochReport) -> None:
        self._show(report.epoch, _values(report))

    def within_epoch(self, report: BatchReport) -> None:
        done = round(report.epoch + report.batch / report.batches, 3)
        self._show(done, f"batch {report.batch}/{report.batches}")

    def _show(self, done: float, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(done - self._bar.n)
        self._bar.refresh()


def tell(line: str) -> None:
    """Print a line to standard error; a log on a full disk does not stop a training."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def as_line(report: EpochReport) -> str:
    """Format a report as one line for a log."""
    phase = "" if report.phase == "training" else f"{report.phase}, "
    return (
        f"{phase}epoch {report.epoch}/{report.epochs}, {_values(report)}, "
        f"{report.seconds:.0f} s, {report.left:.0f} s to epoch {report.until}"
    )


def as_line_within(report: BatchReport) -> str:
    """Format a report within an epoch as one line for a log."""
    phase = "" if report.phase == "training" else f"{report.phase}, "
    left = report.seconds * (report.batches - report.batch) / report.batch
    return (
        f"{phase}epoch {report.epoch + 1}/{report.epochs}, batch {report.batch}/{report.batches}, "
        f"{report.seconds:.0f} s, {left:.0f} s to the end of this epoch"
    )


def seconds_left(history: History, until: int) -> float:
    """Estimate the training time to the end of epoch `until`."""
    seconds, done = history["seconds"], len(history["epoch"])
    # The seconds of the first epoch include those before it.
    per_epoch = (seconds[-1] - seconds[0]) / (done - 1) if done > 1 else seconds[0]
    return per_epoch * (until - done)


def _values(report: EpochReport) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in report.values.items())
