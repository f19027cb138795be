"""The claims of the GMVAE paper (arXiv:1611.02648v2), and what these runs say about each.

A claim is supported or refuted if a 95 % interval lies wholly on one side, undecided if it does
not, and not tested if there are fewer than five runs on either side or no runs at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.numbers import signed
from gmvae.bench.report.selection import SYNTHETIC
from gmvae.bench.report.statistics.effects import ALL, LEAST_SEEDS
from gmvae.bench.report.statistics.intervals import (
    CONFIDENCE,
    Estimate,
    difference_of_fractions,
    difference_of_means,
    fraction,
    mean_of,
)
from gmvae.bench.report.table_files import read_table

SIMPLE = {
    "k-means": ("kmeans",),
    "Gaussian mixtures": ("gmm", "pca_gmm"),
    "a plain VAE whose codes are clustered afterwards": ("vae_kmeans", "vae_gmm"),
}
REMEDIES = {
    "warm-up": "turning the z-prior term on slowly (warm-up)",
    "threshold": "ignoring the z-prior term below a threshold",
}
"""What variants do whose name begins so."""
PLAIN = "plain"
"""Variant of the synthetic experiment without a remedy."""
ONE_CLASS = 80.0
"""Percent of a cluster's samples in its most frequent class from which it counts as one class."""
STYLE_SHARE = 5.0
"""Percent of the variance of the pixels, given the component, from which w counts as used."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and its verdict.

    Attributes
    ----------
    dataset : str
    text : str
        The claim, in one sentence.
    verdict : str
        "supported", "refuted", "undecided" or "not tested".
    evidence : list of str
        Sentences with numbers and intervals.
    figure : str
        Name of the figure that shows it; empty if there is none.
    """

    dataset: str
    text: str
    verdict: str
    evidence: list[str]
    figure: str = ""


def claims_of(source: Source, figures: Sequence[str]) -> list[Claim]:
    """All claims, for each data set on which they can be tested.

    Parameters
    ----------
    source : Source
    figures : sequence of str
        Names of the figures of the page, whose tables are read.
    """
    tables = {
        name: read_table(source.tables / f"{name}.csv")
        for name in ("stability_grid", "synthetic", "generation")
        if name in figures
    }
    found: list[Claim] = []
    runs = source.runs[source.runs["status"] == "finished"]
    for dataset in dict.fromkeys(runs.loc[runs["dataset"] != SYNTHETIC, "dataset"]):
        labelled = runs[(runs["dataset"] == dataset) & runs["accuracy_hungarian"].notna()]
        if labelled.empty:
            continue
        found += _simple_methods(dataset, labelled, source)
        if "stability_grid" in tables:
            found += _larger(dataset, tables["stability_grid"])
        found += _components(dataset, labelled)
        if "generation" in tables:
            found += _style(dataset, tables["generation"])
    if "synthetic" in tables and len(tables["synthetic"]):
        found += _over_regularisation(tables["synthetic"])
    return [one if one.figure in figures else replace(one, figure="") for one in found]


def _simple_methods(dataset: str, runs: pd.DataFrame, source: Source) -> Iterator[Claim]:
    ours = nearest(runs[runs["method"] == "gmvae"], len(source.class_names(dataset)))
    for others, names in SIMPLE.items():
        text = f"GMVAE clusters better than {others}."
        if ours.empty:
            yield Claim(dataset, text, "not tested", ["There is no GMVAE run."])
            continue
        k = ours["K"].iloc[0]
        rivals = runs[runs["method"].isin(names) & (runs["K"] == k)]
        found = []
        by_variant = rivals.groupby(["method", "variant"], sort=False, dropna=False)
        for (name, variant), rows in by_variant:
            n_variants = rivals.loc[rivals["method"] == name, "variant"].nunique()
            title = f"{name} {variant}" if n_variants > 1 else name
            found.append((title, _scores(ours), _scores(rows)))
        differences = [difference_of_means(mine, theirs) for _, mine, theirs in found]
        fewest = min((min(len(mine), len(theirs)) for _, mine, theirs in found), default=0)
        m, mean = ours["M"].iloc[0], _scores(ours).mean()
        start = f"Hungarian accuracy, K = {k}: GMVAE (M = {m}) {mean:.1f} %, "
        parts = [
            f"{title} {theirs.mean():.1f} % ({_points(difference)})"
            for difference, (title, _, theirs) in zip(differences, found, strict=True)
        ]
        evidence = [start + ", ".join(parts) + "."] if parts else ["No such method was run."]
        yield _judged(
            Claim(dataset, text, "", evidence, "against_published"),
            [difference.direction() for difference in differences],
            fewest,
        )


def _larger(dataset: str, effects: pd.DataFrame) -> Iterator[Claim]:
    # With few seeds, the spread has no effect that could be told.
    is_known = (effects["at"] == ALL) & effects["effect"].notna()
    rows = effects[(effects["dataset"] == dataset) & is_known]
    for factor, name in (("K", "clusters (K)"), ("M", "Monte Carlo samples (M)")):
        for quantity, claimed, sign in (("mean", "raise accuracy", 1), ("std", "steady it", -1)):
            text = f"More {name} {claimed}."
            chosen = rows[(rows["factor"] == factor) & (rows["quantity"] == quantity)]
            if chosen.empty:
                reason = f"There are no runs with two values of {factor} and enough seeds."
                yield Claim(dataset, text, "not tested", [reason], "stability_grid")
                continue
            listed = chosen.to_dict("records")
            directions = [sign * _effect(row).direction() for row in listed]
            fewest = LEAST_SEEDS if chosen["effect_low"].notna().all() else 0
            evidence = [_effect_text(row, len(listed) > 1) for row in listed]
            yield _judged(Claim(dataset, text, "", evidence, "stability_grid"), directions, fewest)


def _effect(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["effect"], row["effect_low"], row["effect_high"])


def _effect_text(row: Mapping[str, Any], is_one_of_many: bool) -> str:
    name = {"mean": "Exemplar accuracy", "std": "Standard deviation over seeds"}[row["quantity"]]
    variant = f" ({row['variant']})" if is_one_of_many else ""
    return (
        f"{name}{variant}, from {row['factor']} = {row['from']} to {row['to']}: "
        f"{_points(_effect(row))}."
    )


def _over_regularisation(found: pd.DataFrame) -> Iterator[Claim]:
    """With the K of the plain runs alone; a remedy is any other variant, with its M."""
    ours = found[(found["method"] == "gmvae") & found["variant"].notna()]
    plain_rows = ours[ours["variant"] == PLAIN]
    text = (
        "The plain objective over-regularises: its z-prior term presses the posterior of the "
        "cluster z towards the uniform prior, and components merge."
    )
    if plain_rows.empty:
        yield Claim(SYNTHETIC, text, "not tested", ["There is no run without a remedy."])
        return
    row = plain_rows.iloc[0].to_dict()
    plain = fraction(row["n_found"], row["n_runs"])
    evidence = (
        f"{_of(row)} runs without a remedy find the five arcs of the paper's synthetic data "
        f"({_percent(plain)}; the line is drawn at half of the runs). Their z-prior term ends at "
        f"{row['z_prior']:.2f} nats; at 0, every point may as well belong to any component."
    )
    half = difference_of_fractions(Estimate(0.5, 0.5, 0.5), plain)
    yield _judged(
        Claim(SYNTHETIC, text, "", [evidence], "synthetic"), [half.direction()], row["n_runs"]
    )
    others = ours[(ours["variant"] != PLAIN) & (ours["K"] == row["K"])]
    if len(others):
        yield _remedies(row, others.to_dict("records"))


def _remedies(plain: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> Claim:
    """Whether any remedy helps, with intervals for all of them together (Bonferroni)."""
    enough = [row for row in others if row["n_runs"] >= LEAST_SEEDS]
    level = 1 - (1 - CONFIDENCE) / max(len(enough), 1)
    base = fraction(plain["n_found"], plain["n_runs"], level)
    gains = [
        difference_of_fractions(fraction(row["n_found"], row["n_runs"], level), base)
        for row in others
    ]
    parts = []
    for gain, row in sorted(zip(gains, others, strict=True), key=lambda pair: -pair[0].value):
        name = row["variant"] + ("" if row["M"] == 1 else f" M = {row['M']}")
        parts.append(f"{name}: {_of(row)} ({_points(Estimate(*(100 * end for end in gain)))})")
    names = [row["variant"] for row in others]
    tried = [text for start, text in REMEDIES.items() if any(n.startswith(start) for n in names)]
    remedies = f"Against over-regularisation, {' or '.join(tried) or 'another objective'} helps."
    together = " The intervals hold for all of these together." if len(enough) > 1 else ""
    evidence = f"Runs that find the arcs, {'; '.join(parts)}; without, {_of(plain)}.{together}"
    counted = [gain for gain, row in zip(gains, others, strict=True) if row in enough]
    directions = [gain.direction() for gain in counted] or [0]
    # One remedy that helps is enough, as long as none does harm.
    verdict = [1] if 1 in directions and -1 not in directions else directions
    fewest = min(plain["n_runs"], max((row["n_runs"] for row in enough), default=0))
    return _judged(Claim(SYNTHETIC, remedies, "", [evidence], "synthetic"), verdict, fewest)


def _of(row: Mapping[str, Any]) -> str:
    return f"{row['n_found']} of {row['n_runs']}"


def _components(dataset: str, runs: pd.DataFrame) -> Iterator[Claim]:
    text = "Components are classes: each holds samples of one class."
    ours = runs[runs["method"] == "gmvae"]
    if ours.empty:
        return
    chosen = _of_first_setting(ours[ours["K"] == ours["K"].max()])
    purity = mean_of(chosen["accuracy_majority"].astype(float))
    above = Estimate(*(end - ONE_CLASS for end in purity))
    evidence = (
        f"K = {chosen['K'].iloc[0]}: {purity.value:.1f} % of the test samples are of their "
        f"cluster's most frequent class{_ends(purity)}. The line is drawn at {ONE_CLASS:.0f} %."
    )
    figure = "confusion"
    yield _judged(Claim(dataset, text, "", [evidence], figure), [above.direction()], len(chosen))


def _style(dataset: str, table: pd.DataFrame) -> Iterator[Claim]:
    text = "w is style: within a component it decides how a sample looks."
    rows = table[(table["dataset"] == dataset) & (table["method"] == "gmvae")]
    if rows.empty:
        return
    parts, directions = [], []
    for row in rows.to_dict("records"):
        share = Estimate(*(100 * row[f"pixels_{name}"] for name in ("mean", "low", "high")))
        directions.append(Estimate(*(end - STYLE_SHARE for end in share)).direction())
        parts.append(f"{share.value:.1f} %{_ends(share)} with K = {row['K']}, M = {row['M']}")
    evidence = (
        f"Given the component, w explains {', '.join(parts)} of the variance of the pixels. The "
        f"line is drawn at {STYLE_SHARE:.0f} %."
    )
    fewest = int(rows["n_seeds"].min())
    yield _judged(Claim(dataset, text, "", [evidence], "generation"), directions, fewest)


def _judged(claim: Claim, directions: Sequence[int], fewest: int) -> Claim:
    """The claim with its verdict, from the direction of each interval: 1 is for it, -1 against."""
    if not directions or fewest < LEAST_SEEDS:
        verdict = "not tested"
        few = f"A verdict needs at least {LEAST_SEEDS} runs on each side."
        evidence = [*claim.evidence, few] if directions else claim.evidence
    else:
        evidence = claim.evidence
        verdict = {frozenset({1}): "supported", frozenset({-1}): "refuted"}.get(
            frozenset(directions), "undecided"
        )
    return replace(claim, verdict=verdict, evidence=evidence)


def nearest(runs: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Runs of the first setting with K nearest to the number of classes and the smallest M."""
    if runs.empty:
        return runs
    distance = (runs["K"] - n_classes).abs()
    near = runs[distance == distance.min()]
    return _of_first_setting(near)


def _of_first_setting(runs: pd.DataFrame) -> pd.DataFrame:
    """Those with the smallest M, of the variant that comes first."""
    least = runs[runs["M"] == runs["M"].min()]
    return least[least["variant"] == least["variant"].iloc[0]]


def _scores(runs: pd.DataFrame) -> pd.Series:
    return runs["accuracy_hungarian"].astype(float)


def _points(estimate: Estimate) -> str:
    """A difference in percentage points with its interval."""
    low, high = (signed(end) for end in estimate[1:])
    ends = "" if pd.isna(estimate.low) else f" [{low}, {high}]"
    return f"{signed(estimate.value)} points{ends}"


def _ends(estimate: Estimate) -> str:
    return "" if pd.isna(estimate.low) else f" [{estimate.low:.1f}, {estimate.high:.1f}]"


def _percent(estimate: Estimate) -> str:
    return f"95 % interval {100 * estimate.low:.0f} to {100 * estimate.high:.0f} %"
