"""A small archive of a finished grid, from which every table can be computed again.

It holds tables, figures, one line with record and scores per run, and the clusters that the scores
are computed from, but no model, no probabilities and no clusters after single epochs.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.disk.layout import RESOLVED_CONFIG
from gmvae.bench.grid.config import read_resolved
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report.build import TABLE_NAMES, shown_figures
from gmvae.bench.report.figures import endings
from gmvae.bench.report.numbers import duration
from gmvae.bench.report.tables import UNSUPERVISED
from gmvae.bench.runs import metrics
from gmvae.bench.runs.record import Record, Scores

RECORDS = "runs.jsonl"
ASSIGNMENTS = "assignments.npz"
ARRAYS = ("clusters", "exemplars", "train_clusters")
"""Of ``test.npz``."""
N_COLOURS = 128
"""Of the pictures, which are a third as large then."""


@dataclass(frozen=True)
class ArchivedRun:
    """A run of an archive.

    Attributes
    ----------
    record : Record
    scores : Scores
    arrays : mapping of str to ndarray
        Those of `ARRAYS` that the run has.
    """

    record: Record
    scores: Scores
    arrays: Mapping[str, NDArray[Any]]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Cluster of each test sample, shape (N,); empty for a run without clusters."""
        return self.arrays["clusters"].astype(np.int64)

    def scores_now(self, labels: NDArray[np.integer] | None) -> dict[str, Any] | None:
        """Final scores, computed from the clusters and the test labels; None without clusters.

        An archive has no latent codes, so the silhouette is the recorded one.
        """
        if not len(self.clusters):
            return None
        recorded = self.scores.final or {}
        return {
            **{name: recorded[name] for name in UNSUPERVISED if name in recorded},
            **vars(metrics.evaluate(self.clusters, self.arrays.get("exemplars"), labels)),
        }


def archive(results: Path, target: Path) -> str:
    """Write the archive of a finished grid.

    Parameters
    ----------
    results : Path
        Folder in which the workflow has finished.
    target : Path
        Folder to write to.

    Returns
    -------
    str
        One line with the number of runs and the size.
    """
    if target.resolve() == results.resolve():
        raise ConfigError(f"{target} is the results folder itself; give another folder")
    config = read_resolved(results)
    runs = make_runs(config)
    records, lines = [], []
    arrays: dict[str, NDArray[Any]] = {}
    for run in runs:
        folder = results / run.path
        record, scores = Record.read(folder), Scores.read(folder)
        records.append(record)
        lines.append(json.dumps({"record": record.as_dict(), "scores": vars(scores)}))
        test = files.read_arrays(folder / "test.npz")
        arrays |= {f"{run.path}/{name}": _small(test[name]) for name in ARRAYS if name in test}
    files.write_text(target / RECORDS, "".join(f"{line}\n" for line in lines))
    files.write_arrays(target / ASSIGNMENTS, **arrays)
    for name in (*TABLE_NAMES, RESOLVED_CONFIG):
        _copy(results / name, target / name)
    for name in shown_figures(runs):
        for ending in endings(name):
            if ending != "svg":
                _copy(results / f"{name}.{ending}", target / f"{name}.{ending}")
    files.write_text(target / "README.md", _description(target, records, config.mark))
    size = sum(path.stat().st_size for path in target.iterdir()) / files.MEGABYTE
    return f"{target}: {len(runs)} runs, {size:.1f} MB"


def read_archive(folder: Path) -> list[ArchivedRun]:
    """Read the runs of an archive, in its order.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    path = folder / RECORDS
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        pairs = [(line["record"], line["scores"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not readable as records of runs ({error})") from error
    arrays = files.read_arrays(folder / ASSIGNMENTS)
    found = []
    for values, scores in pairs:
        record = Record.from_dict(values, path)
        places = {name: f"{record.run.path}/{name}" for name in ARRAYS}
        own = {name: arrays[place] for name, place in places.items() if place in arrays}
        if "clusters" not in own:
            raise DataError(f"{folder / ASSIGNMENTS} has no clusters of {record.run.path}")
        found.append(ArchivedRun(record, Scores.from_dict(scores, path), own))
    return found


def _small(array: NDArray[Any]) -> NDArray[Any]:
    """The same whole numbers in the smallest type that holds them."""
    least, most = int(array.min(initial=0)), int(array.max(initial=0))
    return array.astype(np.promote_types(np.min_scalar_type(least), np.min_scalar_type(most)))


def _copy(path: Path, target: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path} does not exist; run the workflow to its end before archiving")
    with files.replacing(target) as temporary:
        if path.suffix == ".png":
            from PIL import Image

            Image.open(path).convert("RGB").quantize(N_COLOURS).save(temporary, optimize=True)
        else:
            shutil.copyfile(path, temporary)


def _description(target: Path, records: Sequence[Record], mark: str | None) -> str:
    """Text of the archive's README: what there is, where and when it was made, how to check it."""
    commits = Counter(_commit(record.program) for record in records)
    machines = Counter(record.machine["processor"] for record in records)
    spent = duration(sum(record.train_seconds for record in records))
    statuses = Counter(record.status for record in records)
    parts = [f"{n} {status.replace('_', ' ')}" for status, n in statuses.items()]
    first, last = min(r.started for r in records), max(r.finished for r in records)
    code, processors = _counted(commits), _counted(machines)
    return f"""\
# Results of {len(records)} runs{f" ({mark})" if mark else ""}

- Runs: {len(records)} ({", ".join(parts)}), those of [{RESOLVED_CONFIG}]({RESOLVED_CONFIG}).
- Code: {code}.
- Processor: {processors}; torch {records[0].libraries.get("torch")}.
- Time: {spent} of training in all (a network that several runs share counts for each of them),
  between {first} and {last}.
- Check: `gmvae-bench verify {target}` computes the final scores again from the clusters in
  `{ASSIGNMENTS}` and the test labels, and the tables from these and from `{RECORDS}`. The
  silhouette is taken as recorded, since the archive has no latent codes.

[table1.md](table1.md) is the table for people. `{RECORDS}` has one line per run: its record, with
every parameter, and its scores, also after each epoch. On another processor the values differ
within the spread over seeds.
"""


def _commit(program: Mapping[str, Any]) -> str:
    changed = " with changes" if program.get("git_dirty") else ""
    return f"commit {program.get('git_commit')}{changed}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({n} runs)" for name, n in counts.items())
