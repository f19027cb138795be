"""The time limit of a run."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SHORTEST = 1e-3  # seconds between two looks


class TimeLimitError(BaseException):
    """The time of a run is over.

    Not an Exception, as KeyboardInterrupt is none: no method should take it for a failure of its
    own and go on.
    """


@contextlib.contextmanager
def time_limit(seconds: float | None, spent_before: Callable[[], float]) -> Iterator[None]:
    """End the block by TimeLimitError when its time is over.

    Code outside Python, such as one long call of a compiled library, ends first.

    Parameters
    ----------
    seconds : float or None
        None sets no limit.
    spent_before : callable
        Seconds that earlier attempts at the same have used, as far as it is known by now.
    """
    if seconds is None:
        yield
        return
    started = time.monotonic()

    def look(number: int, frame: FrameType | None) -> None:
        # Again and again: Python swallows what is raised in the middle of a __del__.
        if time.monotonic() - started + spent_before() >= seconds:
            raise TimeLimitError

    previous = signal.signal(signal.SIGALRM, look)
    # Looks often, since what was spent before may become known on the way.
    interval = max(min(seconds, 1.0), SHORTEST)
    try:
        signal.setitimer(signal.ITIMER_REAL, interval, interval)
        yield
    finally:
        _disarm(previous)


def _disarm(previous: Any) -> None:
    while True:
        with contextlib.suppress(TimeLimitError):  # one that came before the timer was stopped
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
            return
