"""Status of a grid: runs that are done, running or failed, and the time left."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import PROGRESS
from gmvae.bench.grid.config import read_resolved
from gmvae.bench.grid.runs import Run, is_finished, make_runs
from gmvae.bench.report.numbers import duration
from gmvae.bench.runs.progress import LastAttempt, last_attempt
from gmvae.bench.runs.record import Record

STATES = ("done", "running", "failed", "stopped", "waiting")
OBJECTIVES = {"elbo": "ELBO", "loss": "loss"}
"""Objectives of an epoch by name, with words for people; the first that is there is shown."""


@dataclass(frozen=True)
class RunState:
    """State of one run.

    Attributes
    ----------
    run : Run
    state : str
        One of `STATES`. A failed run is a result; a stopped one has begun, is not at work, and goes
        on when the workflow is called again.
    seconds : float or None
        Training time of a run that is done; time since its process began for a running one.
    detail : str
        Progress, or the reason of a failure.
    left : float or None
        Seconds that a running training still needs up to the end of its phase.
    """

    run: Run
    state: str
    seconds: float | None = None
    detail: str = ""
    left: float | None = None


@dataclass(frozen=True)
class Status:
    """State of a whole grid.

    Attributes
    ----------
    results : Path
    runs : sequence of RunState
    """

    results: Path
    runs: Sequence[RunState]

    def count(self, state: str) -> int:
        """Number of runs in a state."""
        return sum(run.state == state for run in self.runs)

    @property
    def at_a_time(self) -> int:
        """Number of runs that are at work now, at least one."""
        return max(1, self.count("running"))

    def seconds_left(self) -> float | None:
        """Seconds until the last training ends, with as many at a time as now.

        None as long as a method that is still to be run has no finished run on its data: the times
        of other methods say nothing about it.
        """
        measured: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for one in self.runs:
            if one.state == "done" and one.seconds is not None:
                for key in _keys(one.run):
                    measured[key].append(one.seconds)
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
        others = [f"{self.count(state)} {state}" for state in STATES[1:] if self.count(state)]
        done = f"{self.count('done')} of {len(self.runs)} runs done"
        line = f"{self.results}: {', '.join([done, *others])}"
        if self.is_over:
            return line
        left = self.seconds_left()
        if left is None:
            return f"{line}; time left not known before each method has a run done"
        return f"{line}; {duration(left)} left with {self.at_a_time} at a time"

    @property
    def n_over(self) -> int:
        """Number of runs that are done or have failed."""
        return self.count("done") + self.count("failed")

    @property
    def is_over(self) -> bool:
        """Whether every run is done or has failed."""
        return self.n_over == len(self.runs)


def read_status(results: Path) -> Status:
    """Look at all runs of a results folder; nothing is changed.

    Parameters
    ----------
    results : Path

    Raises
    ------
    DataError
        If the workflow was never started with this folder.
    """
    runs = make_runs(read_resolved(results))
    return Status(results, [_state(run, results / run.path) for run in runs])


def as_text(status: Status) -> str:
    """A status in plain lines: the counts, then every run that is running, failed or stopped."""
    lines = [status.headline()]
    for state in ("running", "failed", "stopped"):
        lines += [
            f"  {state}: {one.run.path}{one.detail and f': {one.detail}'}"
            for one in status.runs
            if one.state == state
        ]
    return "\n".join(lines)


def _keys(run: Run) -> list[tuple[str, ...]]:
    """Groups of runs with similar times, the nearest first: the setting, the method."""
    return [(run.dataset, run.method, run.setting), (run.dataset, run.method)]


def _state(run: Run, folder: Path) -> RunState:
    # Before the look at the record: a run that ends in between is done.
    attempt = last_attempt(folder / PROGRESS)
    if is_finished(run, folder):
        try:
            record = Record.read(folder)
        except DataError as error:
            return RunState(run, "stopped", detail=str(error))
        if record.status == "finished":
            return RunState(run, "done", record.train_seconds)
        reason = f"{record.status.replace('_', ' ')}, {record.reason}"
        return RunState(run, "failed", record.train_seconds, reason)
    if attempt is None:
        return RunState(run, "waiting")
    if attempt.is_running:
        left = attempt.epoch.get("left")
        return RunState(run, "running", attempt.seconds, _detail(attempt), left)
    return RunState(run, "stopped", detail=attempt.error or _detail(attempt))


def _detail(attempt: LastAttempt) -> str:
    """Phase, epoch and objective of a training, and the time left to the end of its phase."""
    epoch = attempt.epoch
    if not epoch:
        return "begins"
    parts = [] if epoch["phase"] == "training" else [epoch["phase"]]
    parts.append(f"epoch {epoch['epoch']}/{epoch['epochs']}")
    values = epoch["values"]
    shown = [f"{word} {values[name]:.4g}" for name, word in OBJECTIVES.items() if name in values]
    parts += shown[:1]
    if attempt.is_running:
        parts.append(f"{duration(epoch['left'])} left")
    return ", ".join(parts)
