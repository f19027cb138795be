"""Over-regularisation on synthetic data and its remedies (arXiv:1611.02648v2, section 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gmvae.bench.report.drawing import layout
from gmvae.bench.report.drawing.components import at_zero, draw_components, draw_points
from gmvae.bench.report.drawing.layout import HEAD
from gmvae.bench.report.drawing.shown import LINE
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import WIDTH, colours, finish, notice
from gmvae.bench.report.selection import GENERATIVE, SYNTHETIC, WITH_CLUSTERS
from gmvae.bench.report.statistics.effects import LEAST_SEEDS
from gmvae.bench.report.statistics.intervals import fraction

PER_ROW, SIDE, SPACE = 4, 1.6, 0.1  # panels of spaces, and inches of and between them
TITLES = 0.46  # inches over a panel
PITCH = TITLES + SIDE + 0.26
CURVES = 2.1  # inches of a row of curves
N_POINTS = 1000
LATENT_DIM = 2
USUAL_K = 8
MEANS = {"accuracy_majority": 2, "clusters_used": 1, "elbo": 3, "z_prior": 3}
"""Columns of the table that are means over runs, with their decimals."""
FOUND = 95.0
"""Majority accuracy in percent; with five arcs of equal size, missing one leaves at most 80."""


def table(source: Source) -> pd.DataFrame:
    """Summarise the runs of each variant of the objective.

    Parameters
    ----------
    source : Source

    Returns
    -------
    DataFrame
        One row per variant: ``n_runs``; ``n_found``, the runs that find all five arcs (majority
        accuracy of 95 % or more, so each cluster keeps to one arc); ``found``, their fraction, with
        the ends of its 95 % Wilson interval; and means over runs of ``accuracy_majority``
        (percent), ``clusters_used``, ``elbo`` (nats) and the ``z_prior`` (nats) of the last epoch.
    """
    rows = []
    for setting, group in _groups(source).items():
        shown = _with_clusters(group)
        n_found = int((shown["accuracy_majority"] >= FOUND).sum())
        # The denominator counts runs without a result, which have not found the arcs.
        found = fraction(n_found, len(group))
        last = [source.history(path)["z_prior"].iloc[-1] for path in shown["path"]]
        shown = shown.assign(z_prior=np.array(last, float))
        rows.append(
            {
                **setting._asdict(),
                "n_runs": len(group),
                "n_found": n_found,
                "found": round(found.value, 3),
                "found_low": round(found.low, 3),
                "found_high": round(found.high, 3),
                **{
                    name: round(float(shown[name].astype(float).mean()), decimals)
                    for name, decimals in MEANS.items()
                },
            }
        )
    columns = ["n_runs", "n_found", "found", "found_low", "found_high"]
    return pd.DataFrame(rows, columns=[*Variant._fields, *columns, *MEANS])


def sentences(found: pd.DataFrame) -> list[str]:
    """The rows of `table`, one sentence each."""
    return [_sentence(row) for row in found.to_dict("records")]


def _sentence(row: Mapping[str, Any]) -> str:
    ends = [100 * row[name] for name in ("found_low", "found_high")]
    sentence = (
        f"{SYNTHETIC}, {_variant_of(row)}: {row['n_found']} of {row['n_runs']} runs find the five "
        f"arcs (95 % interval {ends[0]:.0f} to {ends[1]:.0f} %)"
    )
    if pd.isna(row["elbo"]):
        return f"{sentence}; no run has a result."
    return (
        f"{sentence}; on average, training ends with a z-prior term of {row['z_prior']:.2f} nats, "
        f"{row['clusters_used']:.1f} clusters in use and an ELBO of {row['elbo']:.2f} nats."
    )


def finding(source: Source, table: pd.DataFrame) -> str:
    """Runs that find the five arcs, by variant."""
    parts = [
        f"{row['n_found']} of {row['n_runs']} with {_variant_of(row)}"
        for row in table.to_dict("records")
    ]
    return f"Runs on {SYNTHETIC} that find the five arcs: {', '.join(parts)}." if parts else ""


def draw(source: Source, table: pd.DataFrame) -> Figure:
    """Data, a reconstruction and latent spaces; then training curves, and runs that find the arcs.

    Each variant shows the latent space of two runs, with the best and with the median training
    ELBO (of two, the lower one): test points at their posterior means, coloured by cluster, and the
    components at w = 0 as contours of two standard deviations. Components that lie on one another
    have collapsed into one: ×3 marks three that coincide (a Bhattacharyya coefficient of 0.9 or
    more). A run finds the five arcs if each cluster keeps to one arc, that is, if at least 95 % of
    the points are right by majority vote. Bars are 95 % Wilson intervals.

    Parameters
    ----------
    source : Source
    table : DataFrame
        From the function `table`.

    Returns
    -------
    Figure
    """
    groups = {key: _with_clusters(group) for key, group in _groups(source).items()}
    groups = {key: group for key, group in groups.items() if len(group)}
    if not groups:
        return notice(f"no finished GMVAE run on {SYNTHETIC} is in this table")
    content = _Content(source, groups, table)
    n_rows = -(-2 * (len(groups) + 1) // PER_ROW)
    below = HEAD + LINE + n_rows * PITCH
    legend = 0.42 + LINE * 1.3 * layout.legend_rows(list(content.titles.values()))
    figure = layout.blank(below + 2 * CURVES + legend)
    top = 1 - HEAD / figure.get_figheight()
    figure.text(0.007, top, content.heading, va="top", fontsize=8)
    _draw_spaces(figure, content)
    _draw_training(figure, content, below)
    return figure


class Variant(NamedTuple):
    """Setting of the runs in one panel."""

    method: str
    variant: str
    K: int
    M: int

    def __str__(self) -> str:
        """Name of the variant, with method, K and M if they are not GMVAE, 8 and 1."""
        parts = [] if self.method == "gmvae" else [self.method]
        parts += [self.variant] + ([] if self.K == USUAL_K else [f"K = {self.K}"])
        return ", ".join(parts + ([] if self.M == 1 else [f"M = {self.M}"]))


@dataclass(frozen=True)
class _Content:
    """The runs of each variant, and the table."""

    source: Source
    groups: Mapping[Variant, pd.DataFrame]
    table: pd.DataFrame

    @cached_property
    def networks(self) -> dict[Variant, str | None]:
        return {
            variant: self.source.network(group["path"].iloc[0])
            for variant, group in self.groups.items()
        }

    @property
    def is_one_network(self) -> bool:
        return len(set(self.networks.values())) == 1

    @property
    def heading(self) -> str:
        """The parts of a name that titles leave out."""
        network = next(iter(self.networks.values())) if self.is_one_network else None
        usual = ["gmvae", network, f"K = {USUAL_K}", "M = 1"]
        return f"{SYNTHETIC}, {', '.join(filter(None, usual))}, unless a title says otherwise"

    @cached_property
    def titles(self) -> dict[Variant, str]:
        """Names of the variants, with their network if they have different ones."""
        return {
            variant: ", ".join(
                filter(None, [str(variant), None if self.is_one_network else network])
            )
            for variant, network in self.networks.items()
        }


def _variant_of(row: Mapping[str, Any]) -> Variant:
    return Variant(*(row[name] for name in Variant._fields))


def _draw_spaces(figure: Figure, content: _Content) -> None:
    """Data, a reconstruction, and two latent spaces per variant, four in a row."""
    source = content.source
    points, labels = source.images(SYNTHETIC)[:N_POINTS], source.labels(SYNTHETIC)[:N_POINTS]
    ordered = {
        variant: group.sort_values("elbo", ascending=False)
        for variant, group in content.groups.items()
    }
    best = max(ordered, key=lambda variant: ordered[variant]["elbo"].iloc[0])
    draw_points(_place(figure, 0, ["data, by arc"]), points, labels)
    run = ordered[best].iloc[0]
    lines = ["data, reconstructed", f"by {content.titles[best]}, seed {run['seed']}"]
    again = source.estimator(run["path"]).reconstruct(points)
    draw_points(_place(figure, 1, lines), again, labels)
    number = 2
    for variant, group in ordered.items():
        chosen = {"best": group.iloc[0], "median": group.iloc[len(group) // 2]}
        for word, run in list(chosen.items())[: len(group)]:
            lines = [f"{content.titles[variant]}, seed {run['seed']}"]
            axes = _place(figure, number, [*lines, f"{word} ELBO: {run['elbo']:.2f}"])
            _draw_latent(axes, source.estimator(run["path"]), points)
            number += 1
        number += number % 2  # a variant begins on the left or in the middle


def _place(figure: Figure, number: int, title: list[str]) -> Axes:
    row, column = divmod(number, PER_ROW)
    left = 0.05 + column * (WIDTH - 0.1 + SPACE) / PER_ROW
    place = layout.Place(left, HEAD + LINE + row * PITCH + TITLES, SIDE, SIDE)
    axes = layout.panel(figure, place)
    lines = [line for part in title for line in layout.fitted(part, SIDE, 8)]
    axes.set_title("\n".join(lines), fontsize=8, loc="left", x=0, pad=3, linespacing=1.1)
    return axes


def _draw_latent(axes: Axes, estimator: Any, points: NDArray[np.floating]) -> None:
    if estimator.model_.x_dim != LATENT_DIM:
        axes.text(0.5, 0.5, "x is not 2-D", ha="center", transform=axes.transAxes)
        axes.axis("off")
        return
    draw_points(axes, estimator.transform(points), estimator.predict(points))
    axes.set_xlabel(draw_components(axes, *at_zero(estimator)), fontsize=8, labelpad=2)


def _draw_training(figure: Figure, content: _Content, top: float) -> None:
    """Curves over epochs, and the fraction of runs that found the arcs."""
    groups, titles = content.groups, content.titles
    palette = colours(list(groups))
    half, height = WIDTH / 2, CURVES - 0.6
    for number, (quantity, (label, highest)) in enumerate(_QUANTITIES.items()):
        row, column = divmod(number, 2)
        at = (0.55 + column * half, top + 0.12 + CURVES * row)
        axes = layout.panel(figure, layout.Place(*at, half - 0.7, height))
        for variant, group in groups.items():
            paths = group["path"]
            curves = pd.DataFrame([_curve(content.source, path, quantity) for path in paths]).T
            _draw_curves(axes, curves, palette[variant], titles[variant])
        axes.set(xlabel="epoch", ylabel=label, ylim=(0, 1.03 * highest(list(groups))))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        finish(axes)
    variants = [_variant_of(row) for row in content.table.to_dict("records")]
    names = [titles.get(variant, str(variant)) for variant in variants]
    left = half + max(0.55, layout.text_width(names, 8) + 0.15)
    place = layout.Place(left, top + 0.12 + CURVES, WIDTH - left - 0.15, height)
    _draw_fractions(layout.panel(figure, place), content.table, names, palette)
    n_seeds = min(len(group) for group in groups.values())
    spread = "bands: ± standard error" if n_seeds >= LEAST_SEEDS else "thin lines: single seeds"
    layout.legend(figure, axes, f"mean over seeds; {spread}")


def _largest_k(variants: list[Variant]) -> int:
    return max(variant.K for variant in variants)


_QUANTITIES: dict[str, tuple[str, Callable[[list[Variant]], float]]] = {
    "z_prior": ("z-prior term (nats)", lambda variants: math.log(_largest_k(variants))),
    "clusters_used": ("clusters in use", _largest_k),
    "accuracy_majority": ("majority accuracy (%)", lambda variants: 100.0),
}
"""Label and highest possible value."""


def _groups(source: Source) -> dict[Variant, pd.DataFrame]:
    """Runs of generative methods on the synthetic data."""
    runs = source.runs[source.runs["dataset"] == SYNTHETIC]
    is_shown = [source.record(path).run.class_path in GENERATIVE for path in runs["path"]]
    groups = runs[np.array(is_shown, bool)].groupby(list(Variant._fields), sort=False)
    return {Variant(*key): group for key, group in groups}


def _with_clusters(group: pd.DataFrame) -> pd.DataFrame:
    """Runs with a model, including collapsed ones, which this figure is about."""
    return group[group["status"].isin(WITH_CLUSTERS) & group["elbo"].notna()]


def _draw_curves(axes: Axes, curves: pd.DataFrame, colour: Any, name: str) -> None:
    """Mean over the columns, which are seeds; with its standard error, or with few seeds all."""
    epochs, mean = curves.index + 1, curves.mean(axis=1)
    if curves.shape[1] >= LEAST_SEEDS:
        low, high = mean - curves.sem(axis=1), mean + curves.sem(axis=1)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
    elif curves.shape[1] > 1:
        axes.plot(epochs, curves, color=colour, linewidth=0.6, alpha=0.6)
    axes.plot(epochs, mean, color=colour, linewidth=1.6, label=name)


def _curve(source: Source, path: str, quantity: str) -> pd.Series:
    if quantity == "z_prior":
        return source.history(path)[quantity]
    values = pd.Series(source.scores(path).epochs[quantity], dtype=float)
    return 100 * values if quantity == "accuracy_majority" else values


def _draw_fractions(
    axes: Axes, found: pd.DataFrame, names: list[str], palette: Mapping[Variant, Any]
) -> None:
    for place, row in enumerate(found.to_dict("records")):
        colour = palette.get(_variant_of(row), "0.5")
        bar = [[row["found"] - row["found_low"]], [row["found_high"] - row["found"]]]
        axes.errorbar(row["found"], place, xerr=bar, fmt="o", color=colour, capsize=3, markersize=5)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.5), xticks=[0, 0.5, 1])
    axes.set_xlabel("fraction of runs that find\nthe arcs, 95 % interval", fontsize=8)
    axes.grid(axis="y", visible=False)
    finish(axes)
