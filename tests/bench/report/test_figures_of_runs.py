"""Figures from a small grid that was run."""

import dataclasses
import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawn import drawn, drawn_texts, source_of
from made_up import RAW

from gmvae.bench.data.prepare import prepare
from gmvae.bench.grid.config import parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report import figures
from gmvae.bench.report.build import shown_figures
from gmvae.bench.report.drawing import mosaic
from gmvae.bench.report.drawing.shown import representative
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures.runs import confidence, generation, latent, synthetic
from gmvae.bench.report.figures.settings import confusion


def test_every_figure_is_a_picture_with_text_that_can_be_read(page, folder):
    for name in shown_figures(make_runs(parse_config(RAW))):
        tree = ET.parse(folder / "results" / f"{name}.svg")
        assert len(list(tree.iter())) > 50, name
        assert (folder / "results" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("module", [synthetic, generation, confusion, latent, confidence])
def test_no_text_is_small_or_cut(module, source):
    assert_readable(drawn(module, source))


@pytest.mark.parametrize("module", [confusion, confidence])
def test_no_text_of_a_panel_with_two_rows_is_cut(module, source, monkeypatch):
    def two_clusters(self, path):
        clusters = np.arange(len(source.labels("digits"))) % 2
        return {"clusters": clusters, "probabilities": np.eye(2)[clusters]}

    monkeypatch.setattr(Source, "assignments", two_clusters)
    assert_readable(drawn(module, source))


def assert_readable(figure):
    figure.canvas.draw()
    for text in drawn_texts(figure):
        assert text.get_fontsize() >= 8, text.get_text()
        box = text.get_window_extent()
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= figure.bbox.width + 1, text.get_text()
        assert box.y0 >= -1, text.get_text()
        assert box.y1 <= figure.bbox.height + 1, text.get_text()


@pytest.mark.parametrize("module", [synthetic, generation, confusion, latent, confidence])
def test_nothing_to_draw_is_said(module, source):
    figure = drawn(module, source_of(source.runs[:0], source.curves[:0]))
    assert "is in this table" in figure.axes[0].texts[0].get_text()


def test_which_runs_a_figure_needs():
    runs = make_runs(parse_config(RAW))
    shown = {name: figures.shown_runs(name, runs) for name in ("synthetic", "generation", "cost")}
    assert {run.dataset for run in shown["synthetic"]} == {"arcs"}
    assert {run.dataset for run in shown["generation"]} == {"digits"}
    assert {run.method for run in shown["generation"]} == {"gmvae"}
    assert shown["cost"] == runs


def test_fraction_of_runs_that_find_the_arcs(source, monkeypatch):
    changed = source.runs.copy()
    of_variant = changed["variant"] == "plain"
    changed.loc[of_variant, "accuracy_majority"] = [96.0, 94.9]
    found = synthetic.table(source_of(changed, source.curves, source))
    plain = found[found["variant"] == "plain"].iloc[0]
    assert (plain["n_runs"], plain["n_found"], plain["found"]) == (2, 1, 0.5)
    # Wilson's interval by its formula, for one of two.
    z, n = 1.959964, 2
    half = z * np.sqrt(0.25 / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    np.testing.assert_allclose(
        [plain["found_low"], plain["found_high"]], [0.5 - half, 0.5 + half], atol=1e-3
    )
    last = [source.history(path)["z_prior"].iloc[-1] for path in changed[of_variant]["path"]]
    assert plain["z_prior"] == pytest.approx(np.mean(last), abs=1e-3)
    assert "1 of 2 runs find the five arcs" in synthetic.sentences(found)[0]


@pytest.mark.parametrize("module", [generation, confusion, latent, confidence])
def test_classes_are_called_by_their_names(module, source, monkeypatch):
    names = [f"n{number}" for number in range(9)] + ["a very long name of a class"]
    monkeypatch.setattr(Source, "class_names", lambda self, dataset: names)
    figure = drawn(module, source)
    assert_readable(figure)
    texts = " ".join(text.get_text() for text in drawn_texts(figure))
    assert re.search(r"\bn\d\b", texts)
    assert "a very long name of a class" not in texts


def test_names_of_classes_are_kept(source, tmp_path):
    assert source.class_names("digits") == list("0123456789")
    labels = np.array(["disc", "square"])[np.arange(40) % 2]
    np.savez(tmp_path / "mine.npz", X=np.random.default_rng(0).random((40, 3)), y=labels)
    prepare("mine", {"npz": str(tmp_path / "mine.npz")}, tmp_path / "data/mine")
    mine = Source(tmp_path, tmp_path, tmp_path / "data")
    assert mine.class_names("mine") == ["disc", "square"]


def test_components_are_ordered_by_the_class_that_they_hold(source):
    run = source.runs[
        (source.runs["method"] == "gmvae") & (source.runs["dataset"] == "digits")
    ].iloc[0]
    found = generation._components(source, run, 10)
    assert sorted(component.number for component in found) == list(range(10))
    assert sum(component.share for component in found) == pytest.approx(1)
    held = [component.label for component in found if component.share]
    assert held == sorted(held)
    clusters, labels = source.assignments(run["path"])["clusters"], source.labels("digits")
    first = found[0]
    members = labels[clusters == first.number]
    assert first.purity == pytest.approx((members == first.label).mean())
    assert first.share == pytest.approx(len(members) / len(labels))


def test_confusion_counts_every_sample_once(source):
    one = source.one_of_each_method()[0]
    clusters, labels = source.assignments(one.path)["clusters"], source.labels(one.dataset)
    counts = confusion._counts(clusters, labels)
    assert counts.sum() == len(labels)
    np.testing.assert_array_equal(counts.sum(axis=0), np.bincount(labels))
    assert (np.diff(counts.argmax(axis=1)) >= 0).all()


def test_a_cluster_has_its_colour_by_all_samples_however_few_are_drawn(source, monkeypatch):
    def colours_of_clusters():
        by_cluster = latent.draw(source).axes[1]
        return [collection.get_facecolor()[0] for collection in by_cluster.collections]

    every = colours_of_clusters()
    monkeypatch.setattr(latent, "N_POINTS", 12)
    np.testing.assert_array_equal(colours_of_clusters(), every)


def test_one_run_stands_for_a_method(source):
    shown = {one.method: one for one in source.one_of_each_method()}
    assert list(shown) == ["gmvae", "kmeans", "gmm"]
    assert shown["gmm"].K == 10, "the K nearest to the number of classes"
    runs = source.finished[source.finished["path"].str.contains("digits/gmvae")]
    assert shown["gmvae"].path == runs.loc[runs["elbo"].astype(float).idxmax(), "path"]
    assert shown["gmvae"].choice == "best ELBO of 2 runs"
    assert shown["kmeans"].choice == "lower accuracy of 2 runs"


def test_median_run_where_there_is_no_elbo():
    runs = pd.DataFrame(
        {"elbo": [None] * 5, "accuracy_hungarian": [10.0, 50, 30, 20, 40], "seed": range(5)}
    )
    assert representative(runs)["seed"] == 2


@pytest.mark.parametrize(
    ("samples", "shape"),
    [
        (np.full((3, 4, 5), 255, np.uint8), (3, 4, 5)),
        (np.ones((3, 4, 4, 1), np.float32), (3, 4, 4)),
        (np.ones((3, 16), np.float64), (3, 4, 4)),
        (np.ones((3, 15)), None),
        (np.ones((3, 4)), None),
        (np.ones((3, 4, 5, 3)), (3, 4, 5, 3)),
        (np.ones((3, 4, 4, 2)), None),
    ],
)
def test_what_is_an_image(samples, shape):
    images = mosaic.as_images(samples)
    assert (None if images is None else images.shape) == shape
    assert images is None or (images == 1).all()


def test_a_mosaic_of_colours_has_transparent_gaps():
    rows = [np.full((2, 14, 5, 3), value, np.float32) for value in (0.25, 0.5)]
    grid = mosaic.Grid.fitted(2, (14, 5), n_columns=2, width=11 / 72)
    canvas = grid.canvas(rows)
    assert canvas.shape == (29, 11, 3)
    assert (canvas[:14, :5] == 0.25).all()
    assert (canvas[15:, 6:] == 0.5).all()
    assert np.isnan(canvas[14]).all()
    assert np.isnan(canvas[:, 5]).all()
    axes = plt.figure().add_subplot()
    mosaic.show(axes, grid, rows)
    (image,) = axes.images
    alpha = image.get_array()[..., 3]
    np.testing.assert_array_equal(alpha == 0, np.isnan(canvas).any(axis=2))


def test_codes_are_those_of_a_space_that_a_method_of_the_project_has(source):
    kept = {path: "codes" in source.assignments(path) for path in source.finished["path"]}
    assert all(has == ("/gmvae/" in path) for path, has in kept.items()), "no distances of k-means"
    run = source.finished[source.finished["method"] == "gmvae"].iloc[0]
    estimator, arrays = source.estimator(run["path"]), source.assignments(run["path"])
    images = source.images(run["dataset"])
    expected = estimator.transform(images.reshape(len(images), -1))
    np.testing.assert_allclose(arrays["codes"], expected, atol=1e-6)


def test_a_small_test_split_leaves_places_empty(source):
    block = next(generation._blocks(source))
    few = generation._pairs(dataclasses.replace(block, samples=block.samples[:3]), 2)
    assert [row.shape for row in few] == [(8, 8, 8)] * 4
    assert np.isfinite(few[0][:3]).all()
    assert np.isnan(few[0][3:]).all()
    assert np.isnan(few[2]).all()
