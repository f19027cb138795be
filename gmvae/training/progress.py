"""What a person sees of a training while it runs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from gmvae.training.step import TrainingSettings

History = dict[str, list[float]]
"""Epoch means by name; ``epoch`` and ``seconds`` among them."""


@contextlib.contextmanager
def progress_bar(
    settings: TrainingSettings, start: int, until: int
) -> Iterator[Callable[[History], None]]:
    """Yield a function that shows the last epoch of a history, as `settings.verbose` asks.

    Parameters
    ----------
    settings : TrainingSettings
    start, until : int
        Finished epochs now and at the end of what is to be shown.
    """
    if not settings.verbose:
        yield lambda history: None
    elif sys.stderr.isatty():
        with tqdm(total=until, initial=start, unit="epoch") as bar:

            def advance(history: History) -> None:
                bar.set_postfix_str(last_values(history))
                bar.update()

            yield advance
    else:
        yield lambda history: tell(
            f"{_phase(settings)}epoch {len(history['epoch'])}/{settings.epochs}, "
            f"{last_values(history)}, "
            f"{history['seconds'][-1]:.0f} s, "
            f"{seconds_left(history, until):.0f} s to epoch {until}"
        )


def tell(line: str) -> None:
    """Print a line to standard error; a log on a disk that is full ends no training."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def last_values(history: History) -> str:
    """The logged means of the last epoch, for people."""
    shown = [name for name in history if name not in ("epoch", "seconds")]
    return ", ".join(f"{name} {history[name][-1]:.4g}" for name in shown)


def seconds_left(history: History, until: int) -> float:
    """Estimate of the training time up to the end of epoch `until`."""
    seconds, done = history["seconds"], len(history["epoch"])
    # What came before the first epoch is counted in its seconds.
    an_epoch = (seconds[-1] - seconds[0]) / (done - 1) if done > 1 else seconds[0]
    return an_epoch * (until - done)


def _phase(settings: TrainingSettings) -> str:
    return "" if settings.phase == "training" else f"{settings.phase}, "
