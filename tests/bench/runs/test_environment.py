"""The time limit of a run."""

import time

import pytest

from gmvae.bench.runs.environment import TimeLimitError, time_limit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_time_limit_is_not_lost_where_python_swallows_exceptions():
    class Slow:
        def __del__(self):
            time.sleep(0.4)

    def work():
        with time_limit(0.2, lambda: 0.0):
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
        with pytest.raises(TimeLimitError), time_limit(limit, lambda before=before: before):
            swallow()
        assert time.monotonic() - started < 5
    with time_limit(0.2, lambda: 0.0):
        pass
    with time_limit(None, lambda: 0.0):
        time.sleep(0.3)
