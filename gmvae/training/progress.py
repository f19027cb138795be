"""Progress of a training: one report per epoch, and its display for a person."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tqdm import tqdm

History = dict[str, list[float]]
"""Epoch means by name; ``epoch`` and ``seconds`` among them."""


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


Progress = Callable[[EpochReport], None]


@contextlib.contextmanager
def display(start: int, until: int) -> Iterator[Progress]:
    """Yield a function that shows reports on standard error: as a bar or, in a log, as lines.

    Parameters
    ----------
    start, until : int
        Number of finished epochs at the beginning and at the end.
    """
    if not sys.stderr.isatty():
        yield lambda report: tell(as_line(report))
        return
    with tqdm(total=until, initial=start, unit="epoch") as bar:

        def advance(report: EpochReport) -> None:
            bar.set_postfix_str(_values(report))
            bar.update()

        yield advance


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


def seconds_left(history: History, until: int) -> float:
    """Estimate the training time to the end of epoch `until`."""
    seconds, done = history["seconds"], len(history["epoch"])
    # The seconds of the first epoch include those before it.
    per_epoch = (seconds[-1] - seconds[0]) / (done - 1) if done > 1 else seconds[0]
    return per_epoch * (until - done)


def _values(report: EpochReport) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in report.values.items())
