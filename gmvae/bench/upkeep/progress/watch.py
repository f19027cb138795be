"""Status of a grid on a terminal or in a log: once, until all runs are done, or now and then."""

from __future__ import annotations

import contextlib
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from gmvae.bench.disk.errors import UserError
from gmvae.bench.report.numbers import duration
from gmvae.bench.upkeep.progress.status import STATES, Status, as_text, read_status

if TYPE_CHECKING:
    from rich.console import RenderableType

COLOURS = {"done": "green", "running": "cyan", "failed": "red", "stopped": "yellow"}
SECONDS = 2.0
LINE_SECONDS = 10.0
"""Least time between two lines of a running workflow."""
LINE_SHARE = 0.1
"""The same as a share of the time that has passed: a run of ten hours prints about 80 lines."""


def show(results: Path, *, watch: bool) -> str:
    """Show the status; returns the last lines, which the command prints at its end.

    Parameters
    ----------
    results : Path
    watch : bool
        Show it until all runs are done: live on a terminal, else a line at each change.
    """
    status = read_status(results)
    if not sys.stdout.isatty():
        with contextlib.suppress(KeyboardInterrupt):
            while watch and not status.is_over:
                print(status.headline(), flush=True)
                status = _changed(status)
        return as_text(status)
    from rich.live import Live

    live = Live(as_table(status), auto_refresh=False)
    with contextlib.suppress(KeyboardInterrupt), live:
        while watch and not status.is_over:
            time.sleep(SECONDS)
            status = read_status(results)
            live.update(as_table(status), refresh=True)
    return status.headline()


def narrate(results: Path) -> None:
    """Print a line now and then until all runs are done, from a thread of this process.

    Parameters
    ----------
    results : Path
    """

    def tell() -> None:
        started = told = time.monotonic()
        failed: set[str] = set()
        is_over = False
        while not is_over:
            time.sleep(SECONDS)
            try:
                status = read_status(results)
            except UserError:  # the configuration is not there yet
                continue
            is_over = status.is_over
            for one in status.runs:
                if one.state == "failed" and one.run.path not in failed:
                    failed.add(one.run.path)
                    print(f"failed: {one.run.path}: {one.detail}", file=sys.stderr, flush=True)
            now = time.monotonic()
            if is_over or now - told >= max(LINE_SECONDS, LINE_SHARE * (now - started)):
                told = now
                print(_line(status), file=sys.stderr, flush=True)

    threading.Thread(target=tell, daemon=True).start()


def _line(status: Status) -> str:
    """Runs done of all, the time left, and the runs that are at work."""
    done = f"{status.n_over} of {len(status.runs)} runs done"
    if status.is_over:
        return f"{done}; scores, tables and figures follow"
    left = status.seconds_left()
    running = [one.run for one in status.runs if one.state == "running"]
    several = len({one.run.dataset for one in status.runs}) > 1
    names = ", ".join(
        f"{run.method} {run.setting} seed {run.seed}{f' on {run.dataset}' if several else ''}"
        for run in running
    )
    time_left = "" if left is None else f", about {duration(left)} left"
    return f"{done}{time_left}; running: {names or 'none'}"


def _changed(before: Status) -> Status:
    """Wait until a run has another state; returns the new status."""
    while True:
        time.sleep(SECONDS)
        now = read_status(before.results)
        if [one.state for one in now.runs] != [one.state for one in before.runs]:
            return now


def as_table(status: Status) -> RenderableType:
    """A bar, runs that are at work or failed, and one row per setting, for a terminal."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table("data", "method", "setting", box=None, pad_edge=False)
    for name in (*STATES, "a run"):
        table.add_column(name, justify="right", style=COLOURS.get(name))
    by_setting = defaultdict(list)
    for one in status.runs:
        by_setting[one.run.dataset, one.run.method, one.run.setting].append(one)
    for setting, runs in by_setting.items():
        counts = Counter(one.state for one in runs)
        times = [one.seconds for one in runs if one.state == "done" and one.seconds is not None]
        cells = [str(counts[state] or "") for state in STATES]
        median = duration(statistics.median(times)) if times else ""
        table.add_row(*setting, *cells, median)
    lines = [
        Text(f"{one.state}: {one.run.path}: {one.detail}", style=COLOURS[one.state])
        for one in status.runs
        if one.state in ("running", "failed", "stopped")
    ]
    bar = ProgressBar(total=len(status.runs), completed=status.n_over, width=60)
    # The runs at work come first: a table that is too long for the window is cut at its end.
    return Group(Text(status.headline(), style="bold"), bar, Text(), *lines, table)
