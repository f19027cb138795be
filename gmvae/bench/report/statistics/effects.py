"""The effects of K and M on the accuracy of GMVAE and on its spread over seeds.

The paper concludes from its Table 1 (arXiv:1611.02648v2, section 4.2) that larger K and M give
higher accuracy and less spread between runs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import bootstrap, norm, t

from gmvae.bench.report.selection import SYNTHETIC, WITH_CLUSTERS
from gmvae.bench.report.statistics.intervals import CONFIDENCE

METRIC = "accuracy_exemplar"
RESAMPLES = 9999
SEED = 0
LEAST_SEEDS = 5
ALL = "all"
STATISTICS = {"mean": np.mean, "std": functools.partial(np.std, ddof=1)}
COLUMNS = [
    *("dataset", "variant", "factor", "from", "to", "at", "quantity"),
    *("effect", "effect_low", "effect_high", "n_runs"),
]


def effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Difference between the largest and the smallest K, and between those of M, with intervals.

    Parameters
    ----------
    runs : DataFrame
        As in `gmvae.bench.report.tables.Tables`. Collapsed runs count, since they have an accuracy.

    Returns
    -------
    DataFrame
        One row for each data set, variant, factor (K or M), value of the other factor, and
        quantity: ``mean`` and ``std`` (ddof=1) of the exemplar accuracy over seeds, in percentage
        points. The value ``all`` of the other factor stands for the mean over its values with at
        least five seeds. ``effect`` is the quantity at ``to`` minus the quantity at ``from``. Its
        95 % interval is a bootstrap over the seeds of each setting (scipy.stats.bootstrap) with
        percentiles expanded for small samples (Hesterberg, arXiv:1411.5279, section 3.4.2); it is
        empty if a setting has fewer than five seeds.
    """
    shown = runs[
        (runs["method"] == "gmvae")
        & (runs["dataset"] != SYNTHETIC)
        & runs["status"].isin(WITH_CLUSTERS)
        & runs[METRIC].notna()
    ]
    rows = [
        {"dataset": dataset, "variant": variant, **row}
        for (dataset, variant), group in shown.groupby(["dataset", "variant"], sort=False)
        for factor, other in (("K", "M"), ("M", "K"))
        for row in _of_factor(group, factor, other)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def sentences(table: pd.DataFrame) -> list[str]:
    """Verdicts on the paper's claim, one sentence for each row of `effects` over ``all``.

    Parameters
    ----------
    table : DataFrame
        From `effects`.
    """
    return [_sentence(row) for row in table[table["at"] == ALL].to_dict("records")]


def _sentence(row: dict[str, Any]) -> str:
    adjective, name, sign = {
        "mean": ("higher", "mean", 1),
        "std": ("steadier", "standard deviation", -1),
    }[row["quantity"]]
    claim = f"{row['dataset']}, {row['variant']}: a larger {row['factor']} makes accuracy"
    if pd.isna(row["effect_low"]):
        return f"{claim} {adjective}: not tested (five seeds are needed)."
    ends = sorted((sign * row["effect_low"], sign * row["effect_high"]))
    verdict = "supported" if ends[0] > 0 else "refuted" if ends[1] < 0 else "undecided"
    return (
        f"{claim} {adjective}: {verdict} ({name} {row['effect']:+.1f} points from "
        f"{row['factor']} = {row['from']} to {row['to']}, 95 % interval "
        f"{row['effect_low']:+.1f} to {row['effect_high']:+.1f}, {row['n_runs']} runs)."
    )


def _of_factor(group: pd.DataFrame, factor: str, other: str) -> Iterator[dict[str, Any]]:
    values = sorted(group[factor].unique())
    if len(values) < 2:
        return
    low, high = int(values[0]), int(values[-1])
    pairs = {}
    for level in sorted(group[other].unique()):
        here = group[group[other] == level]
        pair = [here.loc[here[factor] == value, METRIC].to_numpy(float) for value in (low, high)]
        if all(map(len, pair)):
            pairs[f"{other} = {int(level)}"] = pair
    if not pairs:
        return
    enough = [pair for pair in pairs.values() if min(map(len, pair)) >= LEAST_SEEDS]
    chosen = {**{at: [pair] for at, pair in pairs.items()}, ALL: enough or list(pairs.values())}
    for at, pairs_here in chosen.items():
        for quantity in STATISTICS:
            known = {"factor": factor, "from": low, "to": high, "at": at}
            yield {**known, "quantity": quantity, **_difference(pairs_here, quantity)}


def _difference(
    pairs: Sequence[Sequence[NDArray[np.float64]]], quantity: str
) -> dict[str, float | int]:
    """Effect and interval, averaged over pairs of samples at the low and high values."""
    samples = list(itertools.chain.from_iterable(pairs))
    found: dict[str, float | int] = {"n_runs": sum(map(len, samples))}
    enough = min(map(len, samples)) >= LEAST_SEEDS
    if enough or quantity == "mean":
        found["effect"] = round(float(_statistic(quantity)(*samples, axis=-1)), 2)
    if enough:
        interval = bootstrap(
            samples,
            _statistic(quantity),
            vectorized=True,
            confidence_level=_expanded(min(map(len, samples))),
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(SEED),
        ).confidence_interval
        found["effect_low"], found["effect_high"] = (round(float(end), 2) for end in interval)
    return found


def _expanded(n_seeds: int) -> float:
    """Confidence level that gives a percentile bootstrap of the mean the width of a t-interval."""
    quantile = t.ppf((1 + CONFIDENCE) / 2, n_seeds - 1)
    return float(1 - 2 * norm.cdf(-quantile * np.sqrt(n_seeds / (n_seeds - 1))))


def _statistic(quantity: str) -> Any:
    of: Any = STATISTICS[quantity]

    def difference(*samples: NDArray[np.float64], axis: int) -> Any:
        each: Iterable[Any] = zip(samples[::2], samples[1::2], strict=True)
        return np.mean([of(high, axis=axis) - of(low, axis=axis) for low, high in each], axis=0)

    return difference
