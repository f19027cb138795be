"""Parts of figures at their limits: many clusters and seeds, long names, odd images."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawn import drawn, drawn_texts, made_up
from scipy.integrate import quad
from scipy.stats import norm

from gmvae.bench.report import figures
from gmvae.bench.report.drawing import components, labels, mosaic
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import apply_style
from gmvae.bench.report.figures.runs import confidence, synthetic
from gmvae.bench.report.figures.settings import (
    against_published,
    confusion,
    cost,
    stability_curves,
    stability_grid,
)

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker"]
CLASSES += ["Bag", "Ankle boot"]


@pytest.fixture(autouse=True)
def style():
    apply_style()


def assert_apart(figure):
    """No text is small, cut or covers another one."""
    figure.canvas.draw()
    texts = drawn_texts(figure)
    boxes = [text.get_window_extent() for text in texts]
    for number, (text, box) in enumerate(zip(texts, boxes, strict=True)):
        assert text.get_fontsize() >= 8
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= figure.bbox.width + 1, text.get_text()
        for other, words in zip(boxes[number + 1 :], texts[number + 1 :], strict=True):
            assert not box.overlaps(other), (text.get_text(), words.get_text())


@pytest.mark.parametrize("module", [against_published, stability_grid, stability_curves, cost])
def test_two_data_sets_with_a_long_variant_and_ten_seeds(module):
    source = made_up(seeds=10)
    source.runs["variant"] = source.runs["variant"].replace("fast-conv", "threshold-1.5")
    source.curves["variant"] = "threshold-1.5"
    for frame in (source.runs, source.curves):
        frame.loc[frame["M"] == 10, "dataset"] = "my-own-images"
    figure = drawn(module, source)
    assert_apart(figure)
    assert figure.get_figwidth() == 7


def test_axes_of_accuracy_do_not_exaggerate():
    figure = drawn(stability_grid, made_up())
    assert {axes.get_ylim() for axes in figure.axes[:2]} == {(0, 100)}
    assert "33 %" in figures.caption("stability_grid")


def test_labels_cover_neither_each_other_nor_points():
    axes = plt.figure(figsize=(7, 4.5), layout="none").add_subplot()
    points = np.random.default_rng(0).uniform(0.3, 0.6, size=(30, 2))  # crowded
    axes.set(xlim=(0, 1), ylim=(0, 1))
    texts = [f"gmvae, threshold-1.5, K = {number}" for number in range(30)]
    labels.place(axes, points, texts, ["C0"] * 30)
    written = [text for text in axes.texts if text.get_text()]
    assert {text.get_text() for text in written} == set(texts)
    boxes = [text.get_window_extent() for text in written]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
        assert not any(box.contains(*axes.transData.transform(point)) for point in points)
        assert axes.bbox.padded(1).contains(box.x0, box.y0)
        assert axes.bbox.padded(1).contains(box.x1, box.y1)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (40, 24), (24, 80), (3, 40)])
def test_rows_of_images_have_room_for_their_labels(shape):
    grid = mosaic.Grid.fitted(30, shape, n_columns=12, width=2.6, wide_after=6)
    assert (shape[0] + grid.gap) * grid.scale >= mosaic.LOWEST - 1e-9
    width, height = grid.size
    assert width <= 2.6 + 1e-9
    assert height <= 30 * mosaic.HIGHEST
    canvas = grid.canvas([np.ones((12, *shape), np.float32)] * 30)
    assert canvas.shape == (30 * (shape[0] + grid.gap) - grid.gap, grid.columns[-1])
    assert np.nansum(canvas) == 30 * 12 * shape[0] * shape[1]


def thirty_clusters(self, path):
    """Thirty clusters, three for each class, with some samples of the next class."""
    truth = self.labels("digits")
    order = np.arange(len(truth))
    clusters = 3 * np.where(order % 7 == 0, (truth + 1) % 10, truth) + order % 3
    return {"clusters": clusters, "probabilities": np.eye(30)[clusters]}


@pytest.mark.parametrize("module", [confusion, confidence])
def test_thirty_clusters_of_classes_with_long_names(module, source, monkeypatch):
    monkeypatch.setattr(Source, "assignments", thirty_clusters)
    monkeypatch.setattr(Source, "class_names", lambda self, dataset: CLASSES)
    assert_apart(drawn(module, source))


def test_colour_images_of_any_shape_have_readable_rows(source, monkeypatch):
    n = len(source.labels("digits"))
    images = np.random.default_rng(0).random((n, 40, 24, 3))
    monkeypatch.setattr(Source, "assignments", thirty_clusters)
    monkeypatch.setattr(Source, "images", lambda self, dataset: images)
    assert_apart(drawn(confidence, source))


def test_cells_of_confusion_are_equally_high_and_hold_their_numbers(source):
    figure = drawn(confusion, source)
    settings = source.one_of_each_setting()
    *axes, _bar = figure.axes
    assert len(axes) == len(settings) == 4, "every setting, not only one of each method"
    heights = set()
    for panel, one in zip(axes, sorted(settings, key=lambda one: one.K), strict=True):
        counts = confusion._counts(
            source.assignments(one.path)["clusters"], source.labels("digits")
        )
        shares = 100 * counts / counts.sum(axis=1, keepdims=True)
        assert one.name.split(", ")[1] in panel.get_title(loc="left")
        heights.add(round(panel.get_position().height * figure.get_figheight() / len(counts), 6))
        expected = [f"{share:.0f}" for share in shares[shares >= 5]]
        assert [text.get_text() for text in panel.texts] == expected
    assert heights == {confusion.CELL}


def test_components_that_coincide_are_counted():
    means = np.array([[0.0, 0], [0.1, 0], [0, 0.1], [9, 9], [9.1, 9], [-9, 0]])
    stds = np.ones((6, 2))
    groups = [group.tolist() for group in components.coinciding(means, stds)]
    assert groups == [[0, 1, 2], [3, 4]]
    stds[1] = 10
    assert components.overlaps(means, stds)[0, 0] == pytest.approx(1)
    assert len(components.coinciding(means, stds)[0]) == 2, "the same place, another width"
    axes = plt.figure().add_subplot()
    assert components.draw_components(axes, means, np.ones((6, 2))) == "collapse: 5 of 6 coincide"
    assert [text.get_text() for text in axes.texts] == ["×3", "×2"]


def test_overlap_is_the_integral_of_the_root_of_both_densities():
    value, _ = quad(lambda x: np.sqrt(norm.pdf(x, 0, 1) * norm.pdf(x, 0.7, 2)), -20, 20)
    found = components.overlaps(np.array([[0.0], [0.7]]), np.array([[1.0], [2.0]]))
    assert found[0, 1] == pytest.approx(value)


def test_two_seeds_have_no_band_and_five_do(source):
    two = drawn(synthetic, source)
    assert not any(axes.collections for axes in two.axes if axes.get_xlabel() == "epoch")
    axes = plt.figure().add_subplot()
    synthetic._draw_curves(axes, pd.DataFrame(np.ones((3, 5))), "C0", "name")
    assert len(axes.collections) == 1
