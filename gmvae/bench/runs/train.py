"""Training of one run, from images to files. There are no labels here."""

from __future__ import annotations

import inspect
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk import files, locks
from gmvae.bench.disk.checksums import damaged, incomplete
from gmvae.bench.disk.errors import ConfigError, DataError, RunError
from gmvae.bench.disk.layout import CHECKPOINTS, LOCK_OF_RUN, PROGRESS, RUN_PRODUCTS, TRAIN_LIST
from gmvae.bench.grid.entries import foreign
from gmvae.bench.grid.methods import MAX_SAMPLES, is_transductive, training_sources
from gmvae.bench.grid.runs import Run, is_finished
from gmvae.bench.runs import environment
from gmvae.bench.runs.adapters.transductive import Transductive
from gmvae.bench.runs.environment import TimeLimit, TimeLimitError
from gmvae.bench.runs.fit import EpochRecorder, as_taken, build, tell_shape
from gmvae.bench.runs.products import (
    Outcome,
    SharedNetwork,
    now,
    shared_network,
    training_clusters,
    write_run,
)
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
    sealed : mapping or None
        Date and checksum of the seal of the config, for ``run.json``.
    """

    train_images: Path
    test_images: Path
    threads: int = 1
    time_limit: float | None = None
    fresh: bool = False
    sealed: Mapping[str, str] | None = None

    def samples(self, estimators: Sequence[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Training and test samples, flat, as the estimators take them; they learn their shape."""
        train, test = map(files.read_array, (self.train_images, self.test_images))
        for estimator in estimators:
            tell_shape(estimator, train)
        return as_taken(estimators[0], train), as_taken(estimators[0], test)

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
    [record] = _train([run], job, [folder], together=False)
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
    return _train(runs, job, folders, together=True)


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
        and not record.may_go_on(job.time_limit)
        and not incomplete(manifest, RUN_PRODUCTS)
        and not damaged(manifest)
    )


def _train(
    runs: Sequence[Run], job: Job, folders: Sequence[Path], *, together: bool
) -> list[Record]:
    place, data_sha256 = folders[0] / CHECKPOINTS, job.data_sha256()
    with locks.waiting(
        folders[0] / LOCK_OF_RUN, f"{runs[0].path} is being trained; waiting for it"
    ):
        there = zip(runs, folders, strict=True)
        if not job.fresh and all(is_current(run, one, job, data_sha256) for run, one in there):
            shutil.rmtree(place, ignore_errors=True)
            return [Record.read(folder) for folder in folders]
        for run in runs:
            if run.class_path == foreign.CLASS_PATH:
                test_sha256 = data_sha256[job.test_images.stem]
                foreign.refuse_other_data(run.parameters, run.dataset, test_sha256)
        log = ProgressLog(folders[0] / PROGRESS)
        with log.attempt():
            context = {
                "started": now(),
                "threads": job.threads,
                "time_limit": job.time_limit,
                "data_sha256": data_sha256,
                "sealed": job.sealed,
                "seeds_together": [run.seed for run in runs] if together else None,
            }
            shared = None
            if not together and not job.fresh:
                current = partial(is_current, job=job, data_sha256=data_sha256)
                shared = shared_network(
                    runs[0],
                    folders[0],
                    current,
                    threads=job.threads,
                    time_limit=job.time_limit,
                )
            context["network_of"] = shared and shared.path
            outcomes, test = _outcomes(runs, job, place, log, shared, together=together)
            if shared or any(one.resumed for one in outcomes):
                context["sealed"] = None  # some of it was trained before, perhaps before the seal
            written = zip(runs, outcomes, folders, strict=True)
            records = [write_run(run, one, test, folder, context) for run, one, folder in written]
        # A run that ran out of time can go on from its checkpoints with a higher limit.
        if all(record.status != "timed_out" for record in records):
            shutil.rmtree(place, ignore_errors=True)
        return records


def _outcomes(
    runs: Sequence[Run],
    job: Job,
    place: Path,
    log: ProgressLog,
    shared: SharedNetwork | None,
    *,
    together: bool,
) -> tuple[list[Outcome], NDArray[Any]]:
    """Fit the estimators of the runs; returns what came of each, and the test samples."""
    estimators = [build(run) for run in runs]
    if together and not callable(getattr(estimators[0], "fit_together", None)):
        raise ConfigError(
            f"{runs[0].class_path} cannot train several seeds together; leave seeds_together out"
        )
    train, test = job.samples(estimators)
    estimators = _adapted(runs[0], estimators, test)
    recorder, checkpoints = EpochRecorder(test), _checkpoints(runs[0], place, job, estimators[0])
    offered = {"on_epoch": recorder, "progress": log, "checkpoint": checkpoints}

    def spent_before() -> float:
        return checkpoints.restored_seconds if checkpoints else 0.0

    errors: Sequence[BaseException | None]
    started = time.perf_counter()
    try:
        with TimeLimit(job.time_limit, spent_before):
            if together:
                errors = estimators[0].fit_together(estimators, train, **offered)
            else:
                errors = [_failure(estimators[0], train, offered, shared)]
    except TimeLimitError as error:
        errors = [error] * len(runs)
    except ValueError as error:
        raise RunError(
            f"{runs[0].class_path} refused to train ({runs[0].path}): {error}\n"
            f"its parameters: {dict(runs[0].parameters)}; set GMVAE_DEBUG=1 to see the traceback"
        ) from error
    seconds = time.perf_counter() - started - recorder.seconds + spent_before()
    seconds += shared.seconds if shared else 0.0
    outcomes = [
        Outcome(
            estimator,
            *_status(run, job, estimator, error),
            seconds=seconds / len(runs),
            resumed=checkpoints.resumed if checkpoints else 0,
        )
        for run, estimator, error in zip(runs, estimators, errors, strict=True)
    ]
    return outcomes, test


def _adapted(run: Run, estimators: list[Any], test: NDArray[Any]) -> list[Any]:
    """The estimators, or adapters of them if they have no ``predict``."""
    if not is_transductive(run.class_path):
        return estimators
    is_own = MAX_SAMPLES in inspect.signature(type(estimators[0])).parameters
    limit = None if is_own else run.parameters.get(MAX_SAMPLES)
    return [Transductive(one, test, limit) for one in estimators]


def _failure(
    estimator: Any, train: NDArray[Any], offered: dict[str, Any], shared: SharedNetwork | None
) -> Exception | None:
    """Fit an estimator, with those optional arguments that it knows; returns why it diverged."""
    accepted = inspect.signature(estimator.fit).parameters
    try:
        if shared:
            shared.give(estimator, train)
        else:
            estimator.fit(train, **{name: offered[name] for name in offered if name in accepted})
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        return error
    return None


def _status(
    run: Run, job: Job, estimator: Any, error: BaseException | None
) -> tuple[str, str | None, dict[str, Any]]:
    """Status of a run, the reason why it has not finished, and its history."""
    history = getattr(estimator, "history_", {})
    if isinstance(error, TimeLimitError):
        epochs = len(history.get("epoch", ()))
        reached = f", after {epochs} whole epochs" if epochs else ""
        return "timed_out", f"the time limit of {job.time_limit:g} s was reached{reached}", history
    if error is not None:
        return "diverged", str(error), getattr(error, "history", {})
    if run.K is not None and run.K > 1 and training_clusters(estimator) == 1:
        reason = f"one cluster of {run.K} holds all training samples (see train.log)"
        return "collapsed", reason, history
    return "finished", None, history


def _checkpoints(run: Run, place: Path, job: Job, estimator: Any) -> Checkpoints | None:
    if "checkpoint" not in inspect.signature(estimator.fit).parameters or job.fresh:
        return None
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
