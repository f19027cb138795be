"""Sentences on figures, from made-up runs: true, in plain words, and empty without content."""

import numpy as np
import pandas as pd
import pytest
from drawn import made_up, source_of

from gmvae import GMVAE
from gmvae.bench.report import figures
from gmvae.bench.report.drawing import names, shown
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures.runs import confidence, generation, latent, synthetic
from gmvae.bench.report.figures.settings import (
    against_published,
    confusion,
    cost,
    selection,
    stability_curves,
    stability_grid,
)

OF_SETTINGS = [against_published, stability_grid, stability_curves, cost, selection]
# From the files of runs.
OF_RUNS = [confidence, confusion, generation, latent, synthetic]


def found(module, source):
    tables = [module.table(source)] if hasattr(module, "table") else []
    return module.finding(source, *tables)


def with_accuracies(values):
    """Made-up runs of GMVAE at K = 10 and 30 with M = 1, with these accuracies."""
    source = made_up(seeds=len(values[10]))
    runs = source.runs
    runs = runs[(runs["method"] == "gmvae") & (runs["M"] == 1) & runs["K"].isin([10, 30])].copy()
    for k, accuracies in values.items():
        runs.loc[runs["K"] == k, "accuracy_exemplar"] = accuracies
    runs["accuracy_hungarian"] = runs["accuracy_exemplar"] / 2
    runs["train_seconds"] = runs["K"].astype(float)
    return source_of(runs, source.curves)


def test_findings_give_means_and_what_was_published():
    source = with_accuracies({10: [70.0, 72.0, 80.2], 30: [90.0, 91.0, 92.0]})
    assert found(against_published, source) == (
        "mnist: gmvae, fast-conv, K = 10, M = 1: mean exemplar accuracy 74.1 % over 3 seeds, "
        "published 77.8 %; gmvae, fast-conv, K = 30, M = 1: mean exemplar accuracy 91.0 % over "
        "3 seeds, published 92.8 %."
    )
    assert found(stability_grid, source) == (
        "mnist, gmvae, fast-conv, M = 1 (6 runs): mean accuracy is exemplar 74.1 % at K = 10 and "
        "91.0 % at K = 30, Hungarian 37.0 % at K = 10 and 45.5 % at K = 30."
    )
    assert (
        "gmvae, K = 30, M = 1 has the highest mean exemplar accuracy of 2 settings, 91.0 %, at "
        in (found(cost, source))
    )


def test_without_published_results_the_best_setting_is_named():
    source = with_accuracies({10: [70.0, 72.0], 30: [90.0, 92.0]})
    source.runs["dataset"] = "digits"
    assert found(against_published, source) == (
        "digits, gmvae, fast-conv, K = 30, M = 1: mean Hungarian accuracy 45.5 % over 2 seeds, the "
        "highest of 2 settings; no published mean to compare with."
    )


def test_finding_on_curves_names_first_and_last_epoch():
    source = made_up(seeds=2)
    last = source.curves[source.curves["epoch"] == 8]
    chosen = last[(last["K"] == 10) & (last["M"] == 1)]["accuracy_exemplar"]
    sentence = found(stability_curves, source)
    assert f"to {chosen.mean():.1f} % after epoch 8" in sentence
    assert f"lie between {chosen.min():.1f} and {chosen.max():.1f} %" in sentence
    assert sentence.endswith("; and 4 more.")


@pytest.mark.parametrize("module", OF_SETTINGS)
def test_no_runs_no_finding(module):
    source = made_up()
    assert found(module, source_of(source.runs[:0], source.curves[:0])) == ""


@pytest.mark.parametrize("module", OF_RUNS)
def test_findings_of_runs_are_sentences_with_numbers(module, source):
    sentence = found(module, source)
    assert sentence.endswith(".")
    assert any(letter.isdigit() for letter in sentence)
    assert found(module, source_of(source.runs[:0], source.curves[:0])) == ""


def test_finding_on_mixed_classes(source, monkeypatch):
    """Cluster 1 holds all of classes 0 and 1, class 1 being the larger one."""
    truth = source.labels("digits")
    clusters = np.where(truth == 0, 1, truth)
    monkeypatch.setattr(Source, "assignments", lambda self, path: {"clusters": clusters})
    wrong = 100 * min((truth == 0).mean(), (truth == 1).mean())
    sentence = confusion.finding(source)
    assert f"{wrong:.1f} % of the test samples" in sentence
    assert "most often 0 and 1" in sentence


def test_finding_by_name_reads_the_table(source, tmp_path):
    folder = source.tables
    sentence = figures.finding("synthetic", source, folder)
    assert sentence.startswith("Runs on arcs that find the five arcs: ")
    assert "of 2 with plain" in sentence
    assert all(figures.has_content(name, source, folder) for name in ("confusion", "cost"))


@pytest.fixture
def unlabelled(source, monkeypatch):
    """The same runs on data without labels."""
    runs = source.runs[source.runs["dataset"] == "digits"].copy()
    runs[["accuracy_hungarian", "accuracy_exemplar", "accuracy_majority"]] = np.nan
    curves = source.curves.iloc[:0]
    monkeypatch.setattr(Source, "labels", lambda self, dataset: np.zeros(0, np.int64))
    monkeypatch.setattr(Source, "class_names", lambda self, dataset: [])
    return source_of(runs, curves, source)


def test_figures_about_accuracy_say_nothing_of_unlabelled_data(unlabelled):
    modules = [*OF_SETTINGS, *OF_RUNS]
    silent = {
        module.__name__.rpartition(".")[2] for module in modules if not found(module, unlabelled)
    }
    assert silent == {
        *("against_published", "stability_grid", "stability_curves", "cost", "selection"),
        *("confusion", "synthetic"),
    }


def test_unlabelled_data_are_shown_by_cluster(unlabelled):
    figure = latent.draw(unlabelled)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:2] == ["PCA of codes, by cluster", "t-SNE of codes, by cluster"]
    assert not any("class" in title for title in titles)
    figure = confidence.draw(unlabelled)
    rows = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert rows[0].startswith("cluster ")


def test_a_run_has_one_full_name(source):
    named = {one.name for one in source.one_of_each_setting()}
    assert "digits, gmvae, fast-fc, K = 10, M = 1, seed 0" in named or (
        "digits, gmvae, fast-fc, K = 10, M = 1, seed 1" in named
    )
    slow = shown.shown_of(source.runs[source.runs["variant"] == "slow"], source.network)
    network = GMVAE().network
    assert slow.name == f"digits, gmvae, slow, {network}, K = 10, M = 1, seed 7"
    assert slow.title(1.5).startswith("digits, gmvae, slow,\n")
    blocks = generation._blocks(source)
    assert {block.shown.name for block in blocks} & named


def test_choice_of_a_run_without_elbo():
    runs = pd.DataFrame({"elbo": [None] * 3, "accuracy_hungarian": [np.nan] * 3, "seed": range(3)})
    assert shown.representative(runs)["seed"] == 0


def test_names_of_settings():
    rows = pd.DataFrame(
        {
            **{"dataset": ["mnist"] * 3, "method": ["gmvae", "gmvae", "dec"]},
            **{"variant": ["fast-fc", "single", "dec-fc"], "K": [10, 10, 10], "M": [1, 1, None]},
        }
    )
    short = ["gmvae, fast-fc, K = 10, M = 1", "gmvae, single, K = 10, M = 1", "dec, K = 10"]
    rows = rows.astype({"M": "Int64"})
    assert names.short_names(rows) == short
    assert names.setting_of(rows.iloc[2]) == "mnist, dec, dec-fc, K = 10"
    assert names.listed(["a", "b", "c"], 2) == "a; b; and 1 more"
