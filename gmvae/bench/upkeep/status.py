"""How far a grid is: done, running, failed, and the time left from what has been measured."""

from __future__ import annotations

import datetime
import fcntl
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import CHECKPOINTS
from gmvae.bench.grid.config import read_resolved
from gmvae.bench.grid.runs import Run, is_finished, make_runs
from gmvae.bench.runs.record import read_record

STATES = ("done", "running", "failed", "stopped", "waiting")
EPOCH = re.compile(
    r"^(?P<step>(?:[^,]+, )*?epoch \d+/\d+), (?P<values>.*), \d+ s, (?P<left>\d+) s to epoch \d+$"
)
SINCE = re.compile(r"since (\S+)")
TAIL_BYTES = 4096


@dataclass(frozen=True)
class RunState:
    """Where one run is.

    Attributes
    ----------
    run : Run
    state : str
        One of `STATES`. A failed run is a result; a stopped one has begun, is not at work, and goes
        on when the pipeline is called again.
    seconds : float or None
        Training time of a run that is done; of a running one the time since its process began.
    detail : str
        Progress, or the reason of a failure.
    left : float or None
        What a running training says it needs up to the end of its phase.
    """

    run: Run
    state: str
    seconds: float | None = None
    detail: str = ""
    left: float | None = None


@dataclass(frozen=True)
class Status:
    """A whole grid.

    Attributes
    ----------
    results : Path
    runs : sequence of RunState
    """

    results: Path
    runs: Sequence[RunState]

    def count(self, state: str) -> int:
        """Runs in a state."""
        return sum(run.state == state for run in self.runs)

    @property
    def at_a_time(self) -> int:
        """Runs that are at work now, at least one."""
        return max(1, self.count("running"))

    def seconds_left(self) -> float | None:
        """Until the last training ends, with as many at a time as now.

        None as long as a method that is still to be run has no run on its data that is done: those
        of others tell nothing of it.
        """
        measured: dict[tuple[object, ...], list[float]] = {}
        for one in self.runs:
            if one.state == "done" and one.seconds is not None:
                for key in _keys(one.run):
                    measured.setdefault(key, []).append(one.seconds)
        each = []
        for one in self.runs:
            if one.state in ("done", "failed"):
                continue
            times = next((measured[key] for key in _keys(one.run) if key in measured), None)
            if times is None:
                return None
            spent = one.seconds or 0.0 if one.state == "running" else 0.0
            each.append(max(statistics.median(times) - spent, one.left or 0.0))
        return max(sum(each) / self.at_a_time, max(each, default=0.0))

    def headline(self) -> str:
        """The counts and the time left, in one line."""
        counts = [f"{self.count(state)} {state}" for state in STATES if self.count(state)]
        line = f"{self.results}: {len(self.runs)} runs, {', '.join(counts)}"
        if self.is_over:
            return line
        left = self.seconds_left()
        if left is None:
            return f"{line}; time left not known before each method has a run done"
        return f"{line}; {duration(left)} left with {self.at_a_time} at a time"

    @property
    def is_over(self) -> bool:
        """Whether every run is done or has failed."""
        return self.count("done") + self.count("failed") == len(self.runs)


def read_status(results: Path) -> Status:
    """Look at all runs of a results folder; nothing is changed.

    Parameters
    ----------
    results : Path
        Where the pipeline has been started.

    Raises
    ------
    DataError
        If it has not.
    """
    config = read_resolved(results)
    together = config.seeds_together
    return Status(results, [_state(run, results / run.path, together) for run in make_runs(config)])


def as_text(status: Status) -> str:
    """A status in plain lines: the counts, what runs, what failed."""
    lines = [status.headline()]
    for state in ("running", "failed", "stopped"):
        lines += [
            f"  {state}: {one.run.path}{one.detail and f': {one.detail}'}"
            for one in status.runs
            if one.state == state
        ]
    return "\n".join(lines)


def _keys(run: Run) -> list[tuple[object, ...]]:
    """What times are taken from, the nearest first: the setting, the method."""
    return [(run.dataset, run.method, run.setting), (run.dataset, run.method)]


def _state(run: Run, folder: Path, together: bool) -> RunState:
    since = _held_since(folder / CHECKPOINTS / "lock")
    last = _last_line(folder / "train.log")
    if together and since is None and not last:
        # All seeds of a setting are one process, with a lock in the folder of one of them.
        locks = folder.parent.glob(f"seed*/{CHECKPOINTS}/lock")
        since = next((held for held in map(_held_since, locks) if held is not None), None)
        last = _last_line(folder.parent / "train.log")
    # After the look at the lock: a run that ends in between is done.
    if is_finished(run, folder):
        try:
            record = read_record(folder / "run.json")
        except DataError as error:
            return RunState(run, "stopped", detail=str(error))
        if record["status"] == "finished":
            return RunState(run, "done", record["train_seconds"])
        reason = f"{record['status'].replace('_', ' ')}, {record['reason']}"
        return RunState(run, "failed", record["train_seconds"], reason)
    if since is not None:
        progress = EPOCH.match(last)
        if progress is None:
            return RunState(run, "running", since, last or "begins")
        left = float(progress["left"])
        detail = f"{progress['step']}, {_objective(progress['values'])}, {duration(left)} left"
        return RunState(run, "running", since, detail, left)
    return RunState(run, "stopped", detail=last) if last else RunState(run, "waiting")


def _objective(values: str) -> str:
    """Of the values of an epoch the ELBO, or else the first one, which is the loss."""
    named = dict(part.rsplit(" ", 1) for part in values.split(", "))
    return f"ELBO {named['elbo']}" if "elbo" in named else " ".join(next(iter(named.items())))


def _held_since(path: Path) -> float | None:
    """Seconds for which a process has the lock of a run; None if none has it."""
    try:
        with open(path, encoding="utf-8") as file:
            try:
                # Shared, and given back at once: a training that begins now waits for an instant.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
            except BlockingIOError:
                signed = SINCE.search(file.read())
    except OSError:
        return None
    if signed is None:
        return 0.0
    began = datetime.datetime.fromisoformat(signed[1])
    return (datetime.datetime.now().astimezone() - began).total_seconds()


def _last_line(path: Path) -> str:
    """The error at the end of a log, or else its last line; empty where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    told = [line.strip() for line in lines if line.strip()]
    # After what went wrong comes what to do, in lines of their own.
    errors = [line for line in told if line.startswith("error: ")]
    return (errors or told or [""])[-1]


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
