"""The time limit of a run."""

import contextlib
import signal
import time

import pytest

from gmvae.bench.runs.environment import TimeLimit, TimeLimitError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_time_limit_is_not_lost_where_python_swallows_exceptions():
    class Slow:
        def __del__(self):
            time.sleep(0.4)

    def work():
        with TimeLimit(0.2, lambda: 0.0):
            Slow()
            time.sleep(5)

    with pytest.raises(TimeLimitError):
        work()


def test_time_limit_counts_what_was_spent_before():
    def swallow():
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue

    for limit, before in ((0.2, 0.0), (100.2, 100.0)):
        started = time.monotonic()
        with pytest.raises(TimeLimitError), TimeLimit(limit, lambda before=before: before):
            swallow()
        assert time.monotonic() - started < 5
    with TimeLimit(0.2, lambda: 0.0):
        pass
    with TimeLimit(None, lambda: 0.0):
        time.sleep(0.3)


def forever():
    while True:
        yield None


def last(values):
    for value in values:
        found = value
    return found


def test_an_alarm_never_hits_the_edges_of_a_block():
    """Hundreds of limits that are over at once; each ends its own block and nothing else."""
    before = signal.getsignal(signal.SIGALRM)
    for _ in range(300):
        with pytest.raises(TimeLimitError), TimeLimit(1e-6, lambda: 0.0):
            last(forever())
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) == before
    for _ in range(300):  # so short a block that the alarm comes at its end, or not at all
        with contextlib.suppress(TimeLimitError), TimeLimit(1e-6, lambda: 0.0):
            sum(range(30_000))
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) == before
