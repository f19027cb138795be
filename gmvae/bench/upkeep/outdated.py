"""Products that have to be made again, judged by content and never by a file's time.

Each job leaves a list of checksums with the key of what its products were made from; a training
leaves a record of its parameters, code and data, too. A job is out of date if its products are
incomplete or damaged, if these differ from the present configuration, code and data, or if a job
before it is out of date. Nothing is written here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gmvae.bench.disk.checksums import damaged, incomplete, read_key, read_manifest
from gmvae.bench.disk.errors import DataError, OtherFormatError
from gmvae.bench.disk.layout import (
    DATA,
    DATA_LIST,
    DATA_PRODUCTS,
    LOGS,
    METRICS,
    RESOLVED_CONFIG,
    RUN_PRODUCTS,
    SCORES,
    TRAIN_LIST,
)
from gmvae.bench.grid.config import Config, DatasetSpec, is_resolved
from gmvae.bench.grid.methods import training_sources
from gmvae.bench.grid.runs import Run
from gmvae.bench.grid.sources import data_key
from gmvae.bench.report import build
from gmvae.bench.runs.record import Record
from gmvae.bench.runs.score import scoring_sources

CHANGED = "does not have the content that was written (its SHA-256 is another)"


@dataclass
class Outdated:
    """Jobs to be done again, each named by the path of its list of checksums.

    Attributes
    ----------
    reasons : dict of Path to str
    missing : set of Path
        Jobs that have left nothing yet.
    damaged : dict of Path to str
        Files that changed after they were written, with the reason, to be set aside.
    """

    reasons: dict[Path, str] = field(default_factory=dict)
    missing: set[Path] = field(default_factory=set)
    damaged: dict[Path, str] = field(default_factory=dict)

    def is_up_to_date(self, job: Path) -> bool:
        """Whether a job need not be done again."""
        return job not in self.reasons and job not in self.missing

    def to_do(self, results: Path, runs: Iterable[Run]) -> list[Run]:
        """Runs that have to be trained."""
        return [run for run in runs if not self.is_up_to_date(results / run.path / TRAIN_LIST)]

    def lines(self) -> list[str]:
        """One line for each reason, with the number of jobs that it concerns."""
        counts = Counter(self.reasons.values())
        first = {reason: _name(job) for job, reason in reversed(self.reasons.items())}
        return [
            f"{first[reason]}{f' and {n - 1} more' if n > 1 else ''}: {reason}"
            for reason, n in counts.items()
        ]

    def judge(self, job: Path, reason: str | None) -> None:
        """Note a job that is missing, or out of date for a reason."""
        if not job.is_file():
            self.missing.add(job)
        elif reason is not None:
            self.reasons[job] = reason

    def any(self, jobs: Iterable[Path]) -> bool:
        """Whether one of these jobs will be done."""
        return not all(map(self.is_up_to_date, jobs))


def _name(job: Path) -> str:
    """Name of a job for a person: the folder of data or of a run, or the product of the report."""
    is_of_report = job.parent.name == LOGS
    return f"{job.parents[1]}: {job.stem}" if is_of_report else str(job.parent)


def find_outdated(config: Config, runs: Collection[Run], command: str) -> Outdated:
    """Judge every job of a grid.

    Parameters
    ----------
    config : Config
    runs : collection of Run
    command : str
        The command that makes the results, which the page shows.

    Raises
    ------
    DataError
        If the folder holds runs of another version of this project, which would be lost.
    """
    found, results = Outdated(), Path(config.results)
    changed = None if is_resolved(config) else "the configuration has changed"
    found.judge(results / RESOLVED_CONFIG, changed)
    for spec in config.datasets:
        found.judge(DATA / spec.name / DATA_LIST, _reason_of_data(spec, found))
    trainings, others = [results / run.path / TRAIN_LIST for run in runs], []
    for run, training in zip(runs, trainings, strict=True):
        try:
            found.judge(training, _reason_of_run(config, run, found))
        except OtherFormatError:
            others.append(training.parent)
    if others:
        raise DataError(
            f"{len(others)} runs of another version of this project are here, like {others[0]}, "
            "and would be overwritten; move the folder away, or choose another by 'results' in "
            "the config"
        )
    _note_damage(results / SCORES, found)
    again = "runs were made again" if found.any(trainings) else None
    found.judge(results / SCORES, again or _reason_of_scores(results, runs, found))
    _judge_report(config, runs, command, found)
    return found


def _reason_of_data(spec: DatasetSpec, found: Outdated) -> str | None:
    manifest = DATA / spec.name / DATA_LIST
    _note_damage(manifest, found)
    if any(path.parent == manifest.parent for path in found.damaged):
        return "the data are damaged"
    if lost := incomplete(manifest, DATA_PRODUCTS):
        return f"{lost[0].name} is missing"
    changed = read_key(manifest) != data_key(spec.name, spec.source)
    return "the source of the data has changed" if changed else None


def _reason_of_run(config: Config, run: Run, found: Outdated) -> str | None:
    folder = Path(config.results) / run.path
    if not (folder / "run.json").exists():
        return "run.json is missing"
    manifest = folder / TRAIN_LIST
    _note_damage(manifest, found)
    if folder / "run.json" in found.damaged:
        return "run.json is damaged"
    try:
        record = Record.read(folder)
    except OtherFormatError:
        raise
    except DataError as error:
        found.damaged[folder / "run.json"] = str(error).partition(" ")[2]
        return "run.json is damaged"
    if run != record.run:
        return "its parameters have changed"
    if record.sources_sha256 != training_sources(run.class_path):
        return "the code of its method has changed"
    if record.may_go_on(config.time_limit):
        return f"it ended at a time limit of {record.time_limit or 0:g} s, and has more time now"
    if any(path.parent == folder for path in found.damaged):
        return "its files are damaged"
    if lost := incomplete(manifest, RUN_PRODUCTS):
        return f"{lost[0].name} is missing"
    data = DATA / run.dataset / DATA_LIST
    known = _checksums(data)
    if any(known.get(name, checksum) != checksum for name, checksum in record.data_sha256.items()):
        return "its data have changed"
    source_changed = "source" in found.reasons.get(data, "")
    return "the source of its data has changed" if source_changed else None


def _checksums(manifest: Path) -> dict[str, str]:
    """Checksums of a list by the names of its products, without their endings."""
    return {path.stem: checksum for path, checksum in read_manifest(manifest).items()}


def _reason_of_scores(results: Path, runs: Collection[Run], found: Outdated) -> str | None:
    if list(read_manifest(results / SCORES)) != [results / run.path / METRICS for run in runs]:
        return "the grid has other runs"
    for run in runs:
        folder = results / run.path
        if folder / METRICS in found.damaged:
            return "scores are damaged"
        made_from = _made_from(folder / METRICS)
        if made_from is None:
            return "scores are missing"
        trained = _checksums(folder / TRAIN_LIST)
        data = _checksums(DATA / run.dataset / DATA_LIST)
        now = {
            "test": trained.get("test"),
            "epochs": trained.get("epochs"),
            "labels": data.get("test-labels") or made_from.get("labels"),
            "images": data.get("test-images") or made_from.get("images"),
            "sources": scoring_sources(),
        }
        if made_from != now:
            return "assignments, labels or the code of the scores have changed"
    return None


def _made_from(path: Path) -> Mapping[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _judge_report(config: Config, runs: Collection[Run], command: str, found: Outdated) -> None:
    results, mark = Path(config.results), config.mark
    names = build.shown_figures(runs)

    # The key is a function, since it takes time that products not there yet need not take.
    def judge(name: str, key: Callable[[], str], *before: Path) -> Path:
        job = results / LOGS / f"{name}.sha256"
        found.judge(job, _reason_of_product(job, key, before, found))
        return job

    tables = judge("tables", partial(build.tables_key, results, config), results / SCORES)
    drawn = [judge(name, partial(build.figure_key, results, name, mark), tables) for name in names]
    page_key = partial(build.page_key, results, names, command, mark)
    judge("page", page_key, results / RESOLVED_CONFIG, tables, *drawn)


def _reason_of_product(
    job: Path, key: Callable[[], str], before: Iterable[Path], found: Outdated
) -> str | None:
    _note_damage(job, found)
    products = read_manifest(job)
    if found.any(before):
        return "what it is made from was made again"
    if any(product in found.damaged for product in products):
        return "it is damaged"
    if not all(product.is_file() for product in products):
        return "a part of it is missing"
    is_known = job.is_file() and read_key(job) != key()
    return "its code or what it shows has changed" if is_known else None


def _note_damage(manifest: Path, found: Outdated) -> None:
    found.damaged.update(dict.fromkeys(damaged(manifest), CHANGED))
