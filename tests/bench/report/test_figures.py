"""Figures of made-up tables: their content, and whether it can be read."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from drawn import drawn, drawn_texts, made_up, source_of

from gmvae.bench.report import figures
from gmvae.bench.report.drawing.style import apply_style
from gmvae.bench.report.figures.settings import (
    against_published,
    cost,
    stability_curves,
    stability_grid,
)


@pytest.fixture(autouse=True)
def close():
    apply_style()
    yield
    plt.close("all")


def points(axes):
    """Positions of all single marks in a panel."""
    lines = [line for line in axes.lines if line.get_linestyle() == "None"]
    return np.concatenate([line.get_ydata() for line in lines]) if lines else np.zeros(0)


def test_grid_shows_every_seed():
    source = made_up()
    figure = drawn(stability_grid, source)
    gmvae = source.runs[source.runs.method == "gmvae"]
    for axes, metric in zip(figure.axes, ("accuracy_exemplar", "accuracy_hungarian"), strict=False):
        assert set(gmvae[metric]) <= set(points(axes))
        assert "%" in axes.get_ylabel()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "published mean ± std" in labels
    assert "M = 10, one point per seed" in labels


def test_curves_have_a_panel_for_every_k_and_m():
    source = made_up()
    curves, figure = source.curves, drawn(stability_curves, source)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 6
    assert all(f"K = {K}, M = {M}" in " ".join(titles) for K in (10, 16, 30) for M in (1, 10))
    mean = figure.axes[0].lines[-1].get_ydata()
    first = curves[(curves.K == 10) & (curves.M == 1)]
    np.testing.assert_allclose(mean, first.groupby("epoch").accuracy_exemplar.mean())


def test_cost_has_a_point_for_each_setting_that_has_the_score():
    figure = drawn(cost, made_up())
    exemplar, hungarian = figure.axes
    assert len(hungarian.containers) == 12
    assert len(exemplar.containers) == 9, "k-means has no exemplar accuracy"
    assert exemplar.get_xscale() == "log"
    assert "(s, median)" in exemplar.get_xlabel()


def test_settings_stand_beside_what_was_published():
    source = made_up(seeds=5)
    figure, table = drawn(against_published, source), against_published.table(source)
    rows = table.set_index(["method", "K", "M"], drop=False)
    row = rows.loc[("gmvae", 16, 10)]
    runs = source.runs.query("method == 'gmvae' and K == 16 and M == 10")["accuracy_exemplar"]
    known = scipy.stats.t.interval(0.95, 4, runs.mean(), scipy.stats.sem(runs))
    np.testing.assert_allclose([row["mean"], row.low, row.high], [runs.mean(), *known], atol=0.01)
    assert (row.published_mean, row.published_std, row.published_best) == (87.82, 5.33, 96.92)
    kmeans = table[table.method == "kmeans"]
    assert set(kmeans.protocol) == {"hungarian"}, "k-means has no probabilities"
    assert kmeans.published_mean.isna().all()
    (axes,) = figure.axes
    assert len(axes.get_yticklabels()) == 12
    assert {87.82, 96.92} <= {
        float(x) for line in axes.lines for x in np.atleast_1d(line.get_xdata())
    }


def test_runs_of_another_kind_are_marked():
    source = made_up(seeds=5)
    source.runs["origin"] = source.runs.method.map({"gmm": "foreign", "kmeans": "transductive"})
    figure = drawn(against_published, source)
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "gmm, K = 10, foreign (Hungarian)" in rows
    assert "gmm, K = 16, foreign (exemplar)" in rows, "only with K = 10 there is a re-run"
    assert "kmeans, K = 10, transductive (Hungarian)" in rows
    assert "gmvae, fast-conv, K = 10, M = 1 (exemplar)" in rows
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert {line.get_label() for line in hollow} == {"runs of another program"}
    assert {rows[int(line.get_ydata()[0])][:3] for line in hollow} == {"gmm"}
    names = [text.get_text() for axes in drawn(cost, source).axes for text in axes.texts]
    assert "kmeans, K = 10, transductive" in names


def test_published_results_of_mnist_stand_beside_no_other_data():
    source = made_up(seeds=2)
    source.runs["dataset"] = "digits"
    assert against_published.table(source).published_mean.isna().all()


@pytest.mark.parametrize(
    "name", ["against_published", "stability_grid", "stability_curves", "cost"]
)
def test_files_can_be_read_by_people(tmp_path, name):
    figures.write_figure(name, made_up(), tmp_path, "a remark")
    svg = (tmp_path / f"{name}.svg").read_text()
    ET.fromstring(svg)
    assert "a remark" in svg
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    figures.write_figure(name, made_up(), tmp_path, "a remark")
    assert (tmp_path / f"{name}.svg").read_text() == svg, "the same tables, the same file"


@pytest.mark.parametrize("module", [against_published, stability_grid, stability_curves, cost])
def test_no_text_is_small_or_covers_another(module):
    figure = drawn(module, made_up())
    figure.canvas.draw()
    texts = drawn_texts(figure)
    assert min(text.get_fontsize() for text in texts) >= 8
    boxes = [text.get_window_extent() for text in texts]
    for index, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width + 1
        for other, text in zip(boxes[index + 1 :], texts[index + 1 :], strict=True):
            assert not box.overlaps(other), (texts[index].get_text(), text.get_text())


@pytest.mark.parametrize("module", [against_published, stability_grid, stability_curves, cost])
def test_nothing_to_draw_is_said(module):
    source = made_up()
    figure = drawn(module, source_of(source.runs[:0], source.curves[:0]))
    assert "is in this table" in figure.axes[0].texts[0].get_text()


@pytest.mark.parametrize("module", [against_published, stability_grid, stability_curves, cost])
def test_one_seed_is_enough(module):
    drawn(module, made_up(seeds=1)).canvas.draw()


def test_failed_runs_are_in_no_figure():
    """A collapsed run has scores, but they do not count as results of its method."""
    source = made_up()
    runs, curves = source.runs, source.curves
    expected = [drawn(figure, source) for figure in (cost, stability_curves, stability_grid)]
    failed_runs, failed_curves = runs[runs.seed == 0].copy(), curves[curves.seed == 0].copy()
    for frame in (failed_runs, failed_curves):
        frame["seed"] = 99
        frame["accuracy_exemplar"] = 10.0
    failed_runs["accuracy_hungarian"] = 10.0
    failed_runs["status"] = "collapsed"
    more = source_of(pd.concat([runs, failed_runs]), pd.concat([curves, failed_curves]))
    for module, without in zip((cost, stability_curves, stability_grid), expected, strict=True):
        with_failed = drawn(module, more)
        for one, other in zip(without.axes, with_failed.axes, strict=True):
            lines = [[line.get_ydata() for line in axes.lines] for axes in (one, other)]
            for first, second in zip(*lines, strict=True):
                np.testing.assert_array_equal(first, second)
