"""Origin of a row of the table: its runs, their figures, parameters, machine and files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gmvae.bench.disk.checksums import damaged, read_manifest
from gmvae.bench.disk.errors import DataError, did_you_mean
from gmvae.bench.disk.layout import DATA, TRAIN_LIST
from gmvae.bench.report.table_files import read_table
from gmvae.bench.report.tables import SCORES, SETTING
from gmvae.bench.runs.record import Record

FIGURES = [*SCORES, "clusters_used", "elbo"]


@dataclass(frozen=True)
class Cell:
    """Values that select rows of the table; None selects all."""

    dataset: str | None = None
    method: str | None = None
    variant: str | None = None
    K: int | None = None
    M: int | None = None


def trace(table: Path, cell: Cell) -> str:
    """Describe the runs behind the rows of a table that a cell names.

    Parameters
    ----------
    table : Path
        ``table1.csv``, with ``runs.csv`` beside it.
    cell : Cell

    Returns
    -------
    str
        Lines for people, and at the end a command that repeats one of the runs.

    Raises
    ------
    DataError
        If there is no such row, or no table.
    """
    if not table.is_file():
        raise DataError(f"{table} is not there; give the path of a table1.csv")
    runs = _matching(_read(table.parent / "runs.csv"), cell)
    lines: list[str] = []
    for setting, group in runs.groupby(SETTING, sort=False, dropna=False):
        named = [f"{n} {v}" for n, v in zip(SETTING, setting, strict=True) if not pd.isna(v)]
        lines += [", ".join(named), f"  {_spread(group)}"]
        lines += _settings(table.parent, group.iloc[0])
        for row in group.to_dict("records"):
            lines += [f"  {line}" for line in _run(table.parent, row)]
    return "\n".join([*lines, *_how_to_repeat(table.parent, runs)])


def _read(path: Path) -> pd.DataFrame:
    try:
        return read_table(path)[[*SETTING, "seed", "status", "reason", *FIGURES, "path"]]
    except (DataError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read ({error.__cause__ or error}); give the path of a table1.csv "
            "with its runs.csv beside it"
        ) from error


def _matching(runs: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    found = runs
    for name in SETTING:
        wanted = getattr(cell, name)
        if wanted is None:
            continue
        words = found[name].astype(str)
        there = words[found[name].notna()].unique()
        # In table1.csv a variant can carry the mark of its config in brackets.
        found = found[words.str.lower() == str(wanted).lower().partition(" (")[0]]
        if found.empty:
            raise DataError(
                f"no run of this table has {name} {wanted}{did_you_mean(wanted, there)}; "
                f"there is: {', '.join(there) or 'none'}"
            )
    return found


def _spread(group: pd.DataFrame) -> str:
    finished = group[group["status"] == "finished"]
    parts = [f"{len(group)} runs, {len(group) - len(finished)} failed"]
    for name in ("accuracy_exemplar", "accuracy_hungarian"):
        scores = finished[name].astype(float).dropna()
        if len(scores):
            spread = f" ± {scores.std(ddof=1):.2f}" if len(scores) > 1 else ""
            parts.append(f"{name} {scores.mean():.2f}{spread} (best {scores.max():.2f})")
    return "; ".join(parts)


def _settings(results: Path, row: Mapping[str, Any]) -> list[str]:
    folder = results / str(row["path"])
    if not (folder / "run.json").is_file():
        return []
    run = Record.read(folder).run
    return [f"  class {run.class_path}, parameters {json.dumps(dict(run.parameters))}"]


def _run(results: Path, row: Mapping[str, Any]) -> Iterator[str]:
    shown = [f"{name} {row[name]:g}" for name in FIGURES if not pd.isna(row[name])]
    reason = "" if pd.isna(row["reason"]) else f" ({row['reason']})"
    yield ""
    scores = "; " + ", ".join(shown) if shown else ""
    yield f"seed {row['seed']}: {row['status']}{reason}{scores}"
    folder = results / row["path"]
    if not (folder / "run.json").is_file():
        yield f"  its files are not here (expected in {folder})"
        return
    yield from _origin(folder, Record.read(folder))
    others = damaged(folder / TRAIN_LIST, thorough=True)
    for path, checksum in read_manifest(folder / TRAIN_LIST).items():
        remark = "" if path.is_file() else "; IT IS NOT THERE"
        remark = "; WHAT IS THERE NOW IS SOMETHING ELSE" if path in others else remark
        yield f"  {path}, SHA-256 {checksum}{remark}"


def _origin(folder: Path, record: Record) -> Iterator[str]:
    """Training, program, machine and data of a run."""
    program, machine = record.program, record.machine
    changed = {True: ", with changes", False: "", None: ""}[program.get("git_dirty")]
    yield f"  its record is {folder / 'run.json'}"
    yield (
        f"  {record.train_seconds:.1f} s of training, {record.peak_memory_mb:g} MB, from "
        f"{record.started} to {record.finished}, in {record.resumed + 1} attempts"
    )
    yield (
        f"  gmvae {program.get('version')}, commit {program.get('git_commit')}{changed}; "
        + ", ".join(f"{name} {version}" for name, version in record.libraries.items())
    )
    yield (
        f"  {machine.get('processor')}, {machine.get('system')}; {record.threads} threads, "
        f"precision {record.precision}"
    )
    for name, checksum in record.data_sha256.items():
        yield f"  {DATA}/{record.run.dataset}/{name}.npy, SHA-256 {checksum}"


def _how_to_repeat(results: Path, runs: pd.DataFrame) -> list[str]:
    """Commands that repeat a run that finished, if there is one, and compare."""
    there = runs[[(results / path / "run.json").is_file() for path in runs["path"]]]
    if there.empty:
        return []
    if (there["status"] == "finished").any():
        there = there[there["status"] == "finished"]
    path = Path(there.iloc[0]["path"])
    record = Record.read(results / path)
    together = record.seeds_together
    seeds = together or [record.run.seed]
    described = [{**record.run.as_dict(), "seed": seed} for seed in seeds]
    data = DATA / record.run.dataset
    words = [
        *("python", "-m", "gmvae.bench", "train-together" if together else "train"),
        json.dumps(described if together else described[0], sort_keys=True),
        *(str(results / "repeated" / path.parent / f"seed{seed}") for seed in seeds),
        *("--train-images", str(data / "train-images.npy")),
        *("--test-images", str(data / "test-images.npy")),
        *("--threads", str(record.threads), "--fresh"),
    ]
    again = results / "repeated" / path / "test.npz"
    return [
        "",
        f"to repeat {path} in another folder and compare (no output means: the same):",
        f"  {shlex.join(words)}",
        f"  {shlex.join(['cmp', str(again), str(results / path / 'test.npz')])}",
    ]
