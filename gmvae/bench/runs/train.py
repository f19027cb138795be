"""Training of one run, from images to files. There are no labels here."""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk import files, locks
from gmvae.bench.disk.checksums import damaged, incomplete
from gmvae.bench.disk.errors import ConfigError, DataError, RunError
from gmvae.bench.disk.layout import CHECKPOINTS, PROGRESS, RUN_PRODUCTS, TRAIN_LIST
from gmvae.bench.grid.runs import Run, is_finished
from gmvae.bench.runs import environment
from gmvae.bench.runs.environment import TimeLimitError, time_limit
from gmvae.bench.runs.fit import EpochRecorder, as_taken, build
from gmvae.bench.runs.products import Outcome, now, training_sources, write_run
from gmvae.bench.runs.progress import ProgressLog
from gmvae.bench.runs.record import Record

if TYPE_CHECKING:
    from gmvae.training.checkpoints import Checkpoints


@dataclass(frozen=True)
class Job:
    """Data and conditions of a training.

    Attributes
    ----------
    train_images, test_images : Path
        Arrays as the data step writes them; labels cannot be passed.
    threads : int
        Recorded in ``run.json``; the command line sets them before anything is imported.
    time_limit : float or None
        Seconds after which a run ends without a result.
    fresh : bool
        Train even if the result is there, and neither use nor leave checkpoints.
    """

    train_images: Path
    test_images: Path
    threads: int = 1
    time_limit: float | None = None
    fresh: bool = False

    def samples(self, estimator: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Training and test samples, flat, as `estimator` takes them."""
        train, test = map(files.read_array, (self.train_images, self.test_images))
        return as_taken(estimator, train), as_taken(estimator, test)

    def data_sha256(self) -> dict[str, str]:
        """Checksums of both arrays, by name."""
        return {path.stem: files.sha256(path) for path in (self.train_images, self.test_images)}


def train_run(run: Run, job: Job, folder: Path) -> Record:
    """Train one run, unless its result is there, and write everything that scoring needs.

    Parameters
    ----------
    run : Run
    job : Job
    folder : Path
        Folder for the files of the run. The checkpoints of an earlier attempt are used.

    Returns
    -------
    Record
        The content of ``run.json``. A run that diverges, collapses or exceeds its time limit is a
        result, with that status and a reason; any other exception is a fault and passes through.
    """
    [record] = _train([run], job, [folder], _fit)
    return record


def train_runs_together(runs: Sequence[Run], job: Job, folders: Sequence[Path]) -> list[Record]:
    """Train runs that differ in their seed alone as one computation, each with its own files.

    Parameters
    ----------
    runs : sequence of Run
    job : Job
        Its time limit holds for all runs together.
    folders : sequence of Path
        One for each run. The first holds the checkpoints of all.

    Returns
    -------
    list of Record
        The training time of a run is its share of the whole; the peak of memory is that of the
        process.

    Raises
    ------
    ConfigError
        If the method cannot do this, or the number of folders is not that of the runs.
    """
    if not runs or len(runs) != len(folders):
        raise ConfigError(
            f"as many folders as runs, and at least one, are needed; got {len(runs)} runs and "
            f"{len(folders)} folders"
        )
    if len(set(folders)) < len(folders):
        raise ConfigError("each run needs a folder of its own, but one is named twice")
    return _train(runs, job, folders, _fit_together)


def is_current(run: Run, folder: Path, job: Job, data_sha256: dict[str, str]) -> bool:
    """Whether a folder holds the whole result of this run, from these data and today's code."""
    try:
        record = Record.read(folder)
    except DataError:
        return False
    manifest = folder / TRAIN_LIST
    return (
        is_finished(run, folder)
        and record.data_sha256 == data_sha256
        and record.sources_sha256 == training_sources(run.class_path)
        and not may_go_on(record, job.time_limit)
        and not incomplete(manifest, RUN_PRODUCTS)
        and not damaged(manifest)
    )


def may_go_on(record: Record, time_limit: float | None) -> bool:
    """Whether a run was out of time, and would have more of it now."""
    if record.status != "timed_out":
        return False
    return time_limit is None or time_limit > (record.time_limit or 0)


class _NoCheckpoints:
    """Stands in for the checkpoints of a method that keeps none."""

    restored_seconds = 0.0
    resumed = 0


def _train(
    runs: Sequence[Run],
    job: Job,
    folders: Sequence[Path],
    fit: Callable[[_Trial], list[Outcome]],
) -> list[Record]:
    place, data_sha256 = folders[0] / CHECKPOINTS, job.data_sha256()
    with locks.waiting(place / "lock", f"{runs[0].path} is being trained; waiting for it"):
        there = zip(runs, folders, strict=True)
        if not job.fresh and all(is_current(run, one, job, data_sha256) for run, one in there):
            shutil.rmtree(place)
            return [Record.read(folder) for folder in folders]
        log = ProgressLog(folders[0] / PROGRESS)
        with log.attempt():
            context = {
                "started": now(),
                "threads": job.threads,
                "time_limit": job.time_limit,
                "data_sha256": data_sha256,
                "seeds_together": [run.seed for run in runs] if fit is _fit_together else None,
            }
            trial = _trial(runs, job, place, log)
            outcomes = _timed(trial, fit)
            written = zip(runs, outcomes, folders, strict=True)
            records = [
                write_run(run, one, trial.test, folder, context) for run, one, folder in written
            ]
        # A run that ran out of time can go on from its checkpoints with a higher limit.
        if all(record.status != "timed_out" for record in records):
            shutil.rmtree(place)
        return records


@dataclass(frozen=True)
class _Trial:
    """Everything that a fit is given."""

    runs: Sequence[Run]
    job: Job
    estimators: list[Any]
    train: NDArray[Any]
    test: NDArray[Any]
    recorder: EpochRecorder
    log: ProgressLog
    checkpoints: Checkpoints | _NoCheckpoints

    @property
    def offered(self) -> dict[str, Any]:
        """Optional arguments of ``fit``, of which a method takes those that it knows."""
        kept = None if isinstance(self.checkpoints, _NoCheckpoints) else self.checkpoints
        return {"on_epoch": self.recorder, "progress": self.log, "checkpoint": kept}

    def limited(self) -> contextlib.AbstractContextManager[None]:
        """Context that ends by TimeLimitError when the time of the job is over."""
        return time_limit(self.job.time_limit, lambda: self.checkpoints.restored_seconds)


def _trial(runs: Sequence[Run], job: Job, place: Path, log: ProgressLog) -> _Trial:
    estimators = [build(run) for run in runs]
    train, test = job.samples(estimators[0])
    checkpoints = _checkpoints(runs[0], place, job, estimators[0])
    return _Trial(runs, job, estimators, train, test, EpochRecorder(test), log, checkpoints)


def _timed(trial: _Trial, fit: Callable[[_Trial], list[Outcome]]) -> list[Outcome]:
    started = time.perf_counter()
    try:
        outcomes = fit(trial)
    except ValueError as error:
        raise _refusal(trial.runs[0], error) from error
    spent = time.perf_counter() - started - trial.recorder.seconds
    for run, outcome in zip(trial.runs, outcomes, strict=True):
        outcome.seconds = (spent + trial.checkpoints.restored_seconds) / len(outcomes)
        outcome.resumed = trial.checkpoints.resumed
        _note_collapse(run, outcome)
    return outcomes


def _fit(trial: _Trial) -> list[Outcome]:
    [estimator] = trial.estimators
    outcome = Outcome(estimator)
    accepted = inspect.signature(estimator.fit).parameters
    try:
        with trial.limited():
            taken = {name: value for name, value in trial.offered.items() if name in accepted}
            estimator.fit(trial.train, **taken)
        outcome.history = getattr(estimator, "history_", {})
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        outcome.fail("diverged", str(error))
        outcome.history = getattr(error, "history", {})
    except TimeLimitError:
        outcome.history = getattr(estimator, "history_", {})
        outcome.fail("timed_out", _out_of_time(trial.job, outcome.history))
    return [outcome]


def _fit_together(trial: _Trial) -> list[Outcome]:
    estimators = trial.estimators
    if not callable(getattr(estimators[0], "fit_together", None)):
        raise ConfigError(
            f"{trial.runs[0].class_path} cannot train several seeds together; leave "
            "seeds_together out"
        )
    outcomes = [Outcome(estimator) for estimator in estimators]
    try:
        with trial.limited():
            errors = estimators[0].fit_together(estimators, trial.train, **trial.offered)
        for outcome, failure in zip(outcomes, errors, strict=True):
            if failure is not None:
                outcome.fail("diverged", str(failure))
    except TimeLimitError:
        for outcome in outcomes:
            reached = getattr(outcome.estimator, "history_", {})
            outcome.fail("timed_out", _out_of_time(trial.job, reached))
    for outcome in outcomes:
        outcome.history = getattr(outcome.estimator, "history_", {})
    return outcomes


def _checkpoints(run: Run, place: Path, job: Job, estimator: Any) -> Checkpoints | _NoCheckpoints:
    if "checkpoint" not in inspect.signature(estimator.fit).parameters or job.fresh:
        return _NoCheckpoints()
    # Late, since it loads torch, which other methods do not need.
    from gmvae.training.checkpoints import SECONDS, Checkpoints

    identity = {
        "run": run.as_dict(),
        "sources": training_sources(run.class_path),
        "libraries": environment.libraries(),
        "processor": environment.machine()["processor"],
    }
    seconds = float(os.environ.get(environment.CHECKPOINT_VARIABLE) or SECONDS)
    return Checkpoints(place, identity, seconds=seconds)


def _note_collapse(run: Run, outcome: Outcome) -> None:
    n_clusters = run.K or 1
    if outcome.status == "finished" and n_clusters > 1 and outcome.training_clusters == 1:
        outcome.fail("collapsed", f"one cluster of {n_clusters} holds all training samples")


def _out_of_time(job: Job, history: dict[str, Any]) -> str:
    epochs = len(history.get("epoch", ()))
    reached = f", after {epochs} whole epochs" if epochs else ""
    return f"the time limit of {job.time_limit:g} s was reached{reached}"


def _refusal(run: Run, error: ValueError) -> RunError:
    return RunError(
        f"{run.class_path} refused to train ({run.path}): {error}\n"
        f"its parameters: {dict(run.parameters)}; set GMVAE_DEBUG=1 to see the traceback"
    )
