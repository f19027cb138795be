"""The figure about choosing a restart without labels, of made-up runs."""

import itertools

import numpy as np
import pandas as pd
import pytest
from drawn import drawn, drawn_texts, source_of
from made_up import RAW

from gmvae.bench.grid.config import parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report import figures
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures.settings import selection
from gmvae.bench.report.tables import RUN_COLUMNS

SEEDS = 7
ACCURACIES = np.array([50.0, 55.0, 60.0, 70.0, 80.0, 85.0, 90.0])


@pytest.fixture
def source(monkeypatch):
    """Runs of k-means, and of GMVAE, whose ELBO orders runs as their accuracy does."""
    random = np.random.default_rng(0)
    clusters = random.integers(3, size=(SEEDS, 40)).astype(np.int32)
    runs = [
        {
            **{"dataset": "mnist", "method": method, "variant": "fast-fc", "K": 3, "M": 1},
            **{"seed": seed, "path": f"{method}/{seed}", "status": "finished", "nmi": 0.5},
            **{"accuracy_hungarian": accuracy / 2, "accuracy_exemplar": accuracy},
        }
        for method in ("gmvae", "kmeans")
        for seed, accuracy in enumerate(ACCURACIES)
    ]

    def history(self, path):
        method, seed = path.split("/")
        if method == "kmeans":
            return pd.DataFrame({"epoch": [], "seconds": []})
        values = {"elbo": [np.nan, -90.0 + int(seed)], "conditional_prior": [1.0, float(seed)]}
        return pd.DataFrame({"epoch": [1, 2], **values})

    monkeypatch.setattr(Source, "history", history)
    monkeypatch.setattr(
        Source, "assignments", lambda self, path: {"train_clusters": clusters[int(path[-1])]}
    )
    types = {"K": "Int64", "M": "Int64"}
    frame = pd.DataFrame(runs, columns=[*RUN_COLUMNS, "train_seconds"]).astype(types)
    return source_of(frame, None)


def test_table_has_the_score_of_the_run_that_each_criterion_picks(source):
    table = selection.table(source)
    assert set(table["method"]) == {"gmvae"}  # k-means has no epochs
    exemplar = table[table["score"] == "accuracy_exemplar"].set_index(["criterion", "n"])["value"]
    assert exemplar["mean", 1] == pytest.approx(70)
    np.testing.assert_allclose(
        [exemplar["elbo", n] for n in range(1, 6)], [exemplar["best", n] for n in range(1, 6)]
    )
    fives = list(itertools.combinations(ACCURACIES, 5))
    assert exemplar["elbo", 5] == pytest.approx(np.mean([max(one) for one in fives]))
    assert exemplar["conditional_prior", 5] == pytest.approx(np.mean([min(one) for one in fives]))
    assert table["n"].max() == 5
    assert ("agreement", 2) not in exemplar.index
    assert 50 <= exemplar["agreement", 3] <= 90
    assert (table["low"] <= table["value"] + 1e-9).all()
    assert (table["high"] >= table["value"] - 1e-9).all()


def test_panel_has_a_line_for_each_criterion_and_both_bounds(source):
    figure = drawn(selection, source)
    [panel] = figure.axes
    assert panel.get_title() == "mnist, gmvae\nfast-fc, K = 3, M = 1"
    assert {line.get_label() for line in panel.lines} == {
        *("best of n (needs labels)", "one at random"),
        *("by ELBO", "by conditional prior", "by agreement"),
    }
    assert len(figure.legends[0].get_texts()) == len(panel.lines)
    figure.canvas.draw()
    for text in drawn_texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= figure.bbox.width + 1, text.get_text()


def test_without_enough_runs_there_is_nothing_to_choose(source):
    few = source_of(source.runs[:2], None)
    assert "5 runs of a setting" in drawn(selection, few).axes[0].texts[0].get_text()


def test_grids_with_few_seeds_do_not_have_the_figure():
    runs = make_runs(parse_config(RAW))
    assert figures.shown_runs("selection", runs) == []
    more = make_runs(parse_config({**RAW, "seeds": [0, 1, 2, 3, 4]}))
    assert figures.shown_runs("selection", more) == more
