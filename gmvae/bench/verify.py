"""A results folder held against itself: every number from the assignments that are stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gmvae.bench import files
from gmvae.bench.errors import DataError
from gmvae.bench.manifests import damaged
from gmvae.bench.records import read_metrics, read_record
from gmvae.bench.recovery import DATA, RESOLVED
from gmvae.bench.report_tables import as_csv
from gmvae.bench.score import score_run
from gmvae.bench.tables import ScoredRun, build

SHOWN = 3


def verify(results: Path, data: Path = DATA) -> str:
    """Recompute every metric and every table of a results folder.

    Parameters
    ----------
    results : Path
        With ``runs.csv``, which says what runs there are.
    data : Path
        Where ``{dataset}/test-labels.npy`` are.

    Returns
    -------
    str
        That there is no difference, and in how much.

    Raises
    ------
    DataError
        With all differences, if there is one; or if something needed is missing.
    """
    folders = _folders(results)
    differences: list[str] = []
    scored: list[ScoredRun] = []
    for folder in folders:
        record = read_record(folder / "run.json")
        scores = score_run(folder, data / record["run"]["dataset"] / "test-labels.npy")
        scored.append(ScoredRun(folder, record, scores))
        differences += _differences_of_run(folder, scored[-1])
    differences += _differences_of_tables(results, scored)
    if differences:
        raise DataError(
            "\n".join([f"{len(differences)} differences in {results}:", *differences])
            + "\ndelete what differs and run the pipeline again, which makes it anew"
        )
    return f"{results}: {len(scored)} runs and 4 tables recomputed, no differences"


def _folders(results: Path) -> list[Path]:
    path = results / "runs.csv"
    try:
        paths = pd.read_csv(path)["path"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); give a folder in which the pipeline has finished"
        ) from error
    folders = [results / part for part in paths]
    missing = [folder for folder in folders if not (folder / "run.json").is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(folders)} runs of {path} are not there, like {missing[0]}; "
            "only a folder with all of its runs can be checked"
        )
    return folders


def _differences_of_run(folder: Path, scored: ScoredRun) -> Iterator[str]:
    for name in ("train.sha256", "score.sha256"):
        if not (folder / name).is_file():
            yield f"  {folder / name} is missing: the files of this run cannot be checked"
        for path in damaged(folder / name, thorough=True):
            yield f"  {path} does not have the content that was written"
    if folder.parts[-len(Path(scored.path).parts) :] != Path(scored.path).parts:
        yield f"  {folder} holds the result of {scored.path}"
    stored = read_metrics(folder / "metrics.json")
    for place, was, is_now in _unequal("", stored, scored.scores):
        yield f"  {folder / 'metrics.json'}: {place} is {was}, recomputed {is_now}"


def _unequal(place: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _unequal(f"{place}.{key}".strip("."), one.get(key), other.get(key))
    elif one != other:
        yield place, one, other


def _differences_of_tables(results: Path, scored: list[ScoredRun]) -> Iterator[str]:
    config = files.read_json(results / RESOLVED)
    for name, text in as_csv(build(scored), config.get("mark")).items():
        path = results / name
        stored = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        expected = text.splitlines()
        lines = [
            f"  {path}, line {number}: is {_line(stored, number)}, recomputed "
            f"{_line(expected, number)}"
            for number in range(1, max(len(stored), len(expected)) + 1)
            if _line(stored, number) != _line(expected, number)
        ]
        yield from lines[:SHOWN]
        if len(lines) > SHOWN:
            yield f"  {path}: {len(lines) - SHOWN} more lines differ"


def _line(lines: list[str], number: int) -> str:
    return repr(lines[number - 1]) if number <= len(lines) else "missing"
