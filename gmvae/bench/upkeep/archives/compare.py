"""Comparison of two results of one config: the rows that differ by more than their seeds do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import norm

from gmvae.bench.disk.errors import DataError
from gmvae.bench.grid.config import read_resolved
from gmvae.bench.grid.runs import is_finished, make_runs
from gmvae.bench.grid.seal import config_sha256
from gmvae.bench.report.drawing.names import setting_of
from gmvae.bench.report.numbers import signed
from gmvae.bench.report.statistics.intervals import CONFIDENCE, Estimate, difference_of_means
from gmvae.bench.report.tables import SETTING, ScoredRun, build
from gmvae.bench.upkeep.archives.contents import RECORDS, read_archive, scored_runs
from gmvae.bench.upkeep.archives.crate import opened

METRICS = {"accuracy_exemplar": "exemplar", "accuracy_hungarian": "Hungarian"}
POWER = 0.8
MOST_SEEDS = 1000
"""More seeds than this are not counted out."""


def compare(one: Path, other: Path) -> str:
    """Compare the accuracies of two results, row by row.

    Parameters
    ----------
    one, other : Path
        Results folders, archives or crates.

    Returns
    -------
    str
        One line per row and protocol: the mean of `other` minus that of `one`, in percentage
        points, with Welch's 95 % interval over the seeds; and where it holds 0, how many seeds on
        each side would show such a difference with a probability of 80 %.

    Raises
    ------
    DataError
        If their configs or data differ, or no row is in both.
    """
    (first, first_key), (second, second_key) = _read(one), _read(other)
    if first_key != second_key:
        raise DataError(
            f"{one} and {other} were made with different configs (SHA-256 {first_key[:12]} and "
            f"{second_key[:12]}); run the same config for both"
        )
    _refuse_other_data(one, first, other, second)
    tables = [build(runs).runs.set_index(SETTING) for runs in (first, second)]
    settings = [key for key in dict.fromkeys(tables[0].index) if key in set(tables[1].index)]
    lines = [line for key in settings for line in _lines(key, *(t.loc[[key]] for t in tables))]
    if not lines:
        raise DataError(f"{one} and {other} have no row with labels in common")
    return "\n".join([f"{other} minus {one}, in percentage points:", *lines])


def seeds_needed(one: Sequence[float], other: Sequence[float]) -> int | None:
    """Seeds on each side that would show the observed difference; None if more than 1,000.

    For a two-sided test at 5 % with a power of 80 %, by the normal approximation, with the observed
    variances.
    """
    samples = [pd.Series(values, dtype=float) for values in (one, other)]
    difference = float(samples[0].mean() - samples[1].mean())
    quantiles = norm.ppf((1 + CONFIDENCE) / 2) + norm.ppf(POWER)
    variance = sum(float(sample.var(ddof=1)) for sample in samples)
    if not difference or variance * (quantiles / difference) ** 2 > MOST_SEEDS:
        return None
    return max(2, math.ceil(variance * (quantiles / difference) ** 2))


def _read(path: Path) -> tuple[list[ScoredRun], str]:
    """The runs of results that are there, and the checksum of their config."""
    with opened(path) as folder:
        config = read_resolved(folder)
        if (folder / RECORDS).is_file():
            return scored_runs(read_archive(folder)), config_sha256(config)
        folders = [(run, folder / run.path) for run in make_runs(config)]
        done = [ScoredRun.read(place) for run, place in folders if is_finished(run, place)]
        return done, config_sha256(config)


def _refuse_other_data(
    one: Path, first: list[ScoredRun], other: Path, second: list[ScoredRun]
) -> None:
    known = {run.record.run.dataset: run.record.data_sha256 for run in first}
    for run in second:
        name = run.record.run.dataset
        if known.setdefault(name, run.record.data_sha256) != run.record.data_sha256:
            raise DataError(f"{one} and {other} were made with different data of the name {name}")


def _lines(key: tuple[Any, ...], one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    lines = []
    for metric, word in METRICS.items():
        values = [
            runs.loc[runs["status"] == "finished", metric].dropna().to_list()
            for runs in (one, other)
        ]
        if all(values):
            found = difference_of_means(values[1], values[0])
            name = setting_of(dict(zip(SETTING, key, strict=True)))
            lines.append(f"{name}, {word}: {_text(found, values)}")
    return lines


def _text(found: Estimate, values: Sequence[Sequence[float]]) -> str:
    counts = f"{len(values[0])} and {len(values[1])} seeds"
    if math.isnan(found.low):
        return f"{signed(found.value)} (no interval: {counts}, two on each side are needed)"
    if sorted(values[0]) == sorted(values[1]):
        return f"the same values, {counts}"
    interval = f"{signed(found.value)} [{signed(found.low)}, {signed(found.high)}], {counts}"
    if found.direction():
        return f"{interval}: different"
    needed = seeds_needed(*values)
    told = f"about {needed} seeds on each side" if needed else f"more than {MOST_SEEDS:,} seeds"
    return f"{interval}: not distinguishable; {told} would be needed"
