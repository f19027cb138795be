"""The claims of the paper and the first sentences of the page, of made-up runs."""

import numpy as np
import pandas as pd
import pytest

from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures.runs.synthetic import Variant
from gmvae.bench.report.page.claims import claims_of
from gmvae.bench.report.page.rows import page_tables
from gmvae.bench.report.page.summary import summary
from gmvae.bench.report.statistics.effects import effects
from gmvae.bench.report.table_files import csv_text
from gmvae.bench.report.tables import RUN_COLUMNS, TIME_COLUMNS, Tables, table1

LOW, HIGH = [60.0, 61.0, 62.0, 63.0, 64.0], [80.0, 81.0, 82.0, 83.0, 84.0]
WIDE = [50.0, 95.0, 60.0, 70.0, 75.0]


def runs_of(accuracies, dataset="mnist"):
    """Runs from Hungarian accuracies by (method, K, M); exemplar is 5 more, majority 10 more."""
    rows = [
        {
            **dict.fromkeys(RUN_COLUMNS),
            **{"dataset": dataset, "method": method, "K": k, "M": m},
            "variant": None if m is None and method in ("kmeans", "gmm") else "fast-fc",
            **{"seed": seed, "status": "finished", "path": f"{method}{k}{m}{seed}"},
            **{"accuracy_hungarian": value, "accuracy_exemplar": value + 5},
            **{"accuracy_majority": value + 10, "clusters_used": 10},
        }
        for (method, k, m), values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows).astype({"K": "Int64", "M": "Int64"})


@pytest.fixture
def source_of(tmp_path):
    def make(accuracies, dataset="mnist", **tables):
        folder = tmp_path / dataset
        folder.mkdir()
        for split, n_samples in (("train", 40), ("test", 20)):
            np.save(folder / f"{split}-images.npy", np.zeros((n_samples, 4, 4), np.uint8))
        np.save(folder / "test-labels.npy", np.arange(20) % 10)
        runs = runs_of(accuracies, dataset)
        source = Source(tmp_path, tmp_path, tmp_path)
        vars(source).update(runs=runs)
        for name, table in ({"stability_grid": effects(runs)} | tables).items():
            (tmp_path / f"{name}.csv").write_text(csv_text(table))
        return source, ["against_published", "stability_grid", "confusion", *tables]

    return make


def verdicts(source, figures):
    return {claim.text: claim.verdict for claim in claims_of(source, figures)}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (HIGH, LOW, "supported"),
        (LOW, HIGH, "refuted"),
        (WIDE, LOW, "undecided"),
        (HIGH[:4], LOW, "not tested"),
        (HIGH, LOW[:2], "not tested"),
    ],
)
def test_verdict_on_simple_methods_needs_an_interval_on_one_side(source_of, ours, theirs, verdict):
    source, figures = source_of({("gmvae", 10, 1): ours, ("kmeans", 10, None): theirs})
    found = {one.text: one for one in claims_of(source, figures)}
    claim = found["GMVAE clusters better than k-means."]
    assert claim.verdict == verdict
    assert claim.figure == "against_published"
    difference = np.mean(ours) - np.mean(theirs)
    assert f"{abs(difference):.1f} points" in claim.evidence[0]
    assert ("A verdict needs at least 5" in claim.evidence[-1]) == (verdict == "not tested")
    other = found["GMVAE clusters better than a plain VAE whose codes are clustered afterwards."]
    assert (other.verdict, other.evidence) == ("not tested", ["No such method was run."])


def test_against_several_methods_all_intervals_count(source_of):
    accuracies = {("gmvae", 10, 1): WIDE, ("kmeans", 10, None): [20.0] * 5}
    others = {("gmm", 10, None): LOW, ("pca_gmm", 10, None): [20.0] * 5}
    source, figures = source_of({**accuracies, **others})
    text = "GMVAE clusters better than Gaussian mixtures."
    assert verdicts(source, figures)[text] == "undecided"


@pytest.mark.parametrize(("high", "verdict"), [(HIGH, "supported"), (LOW[:4], "not tested")])
def test_larger_k_follows_the_effects(source_of, high, verdict):
    source, figures = source_of({("gmvae", 10, 1): LOW, ("gmvae", 30, 1): high})
    found = verdicts(source, figures)
    assert found["More clusters (K) raise accuracy."] == verdict
    assert found["More Monte Carlo samples (M) raise accuracy."] == "not tested"
    purer = {"supported": "supported", "not tested": "not tested"}[verdict]
    assert found["Components are classes: each holds samples of one class."] == purer


def synthetic_table(found):
    rows = [
        {**Variant("gmvae", name, 8, 1)._asdict(), "n_found": n, "n_runs": total, "z_prior": 0.5}
        for name, (n, total) in found.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("found", "merges", "remedies"),
    [
        ({"plain": (0, 10), "warm-up": (8, 10)}, "supported", "supported"),
        ({"plain": (10, 10), "warm-up": (10, 10)}, "refuted", "undecided"),
        ({"plain": (5, 10), "warm-up": (6, 10), "other": (9, 10)}, "undecided", "undecided"),
        ({"plain": (0, 5), "warm-up": (0, 5), "threshold": (5, 5)}, "supported", "supported"),
        ({"plain": (10, 10), "warm-up": (1, 10)}, "refuted", "refuted"),
        ({"plain": (0, 2), "warm-up": (2, 2)}, "not tested", "not tested"),
    ],
)
def test_over_regularisation_and_remedies(source_of, found, merges, remedies):
    source, figures = source_of({("kmeans", 10, None): LOW}, synthetic=synthetic_table(found))
    first, second = claims_of(source, figures)[-2:]
    assert "over-regularises" in first.text
    assert (first.verdict, second.verdict) == (merges, remedies)


def test_remedies_are_compared_within_the_k_of_the_plain_runs(source_of):
    table = synthetic_table({"plain": (0, 10), "warm-up": (8, 10)})
    other_k = synthetic_table({"warm-up": (0, 10), "plain": (10, 10)}).assign(K=5)
    other = synthetic_table({"jittered": (0, 10)}).assign(method="gmvae_warm")
    whole = pd.concat([table, other_k, other], ignore_index=True)
    source, figures = source_of({("kmeans", 10, None): LOW}, synthetic=whole)
    first, second = claims_of(source, figures)[-2:]
    assert (first.verdict, second.verdict) == ("supported", "supported")
    assert second.evidence == [
        "Runs that find the arcs, warm-up: 8 of 10 (+80.0 points [+38.4, +94.3]); without, 0 of 10."
    ]


def test_intervals_of_many_remedies_hold_together(source_of):
    one = {"plain": (1, 5), "warm-up": (5, 5)}
    more = {f"other-{number}": (2, 5) for number in range(9)} | {"few": (2, 2)}
    for found, verdict in ((one, "supported"), (one | more, "undecided")):
        name = f"m{len(found)}"
        table = synthetic_table(found)
        source, figures = source_of({("kmeans", 10, None): LOW}, name, synthetic=table)
        claim = claims_of(source, figures)[-1]
        assert claim.verdict == verdict
        assert ("hold for all of these together" in claim.evidence[0]) == (found is not one)


def test_without_remedies_there_is_no_claim_about_them(source_of):
    table = synthetic_table({"plain": (0, 10)})
    source, figures = source_of({("kmeans", 10, None): LOW}, synthetic=table)
    assert "line is drawn at half" in claims_of(source, figures)[-1].evidence[0]


@pytest.mark.parametrize(
    ("n_seeds", "ends", "verdict"),
    [
        (5, (0.19, 0.22), "supported"),
        (5, (0.04, 0.4), "undecided"),
        (5, (0.0, 0.01), "refuted"),
        (4, (0.19, 0.22), "not tested"),
    ],
)
def test_style_is_judged_by_all_seeds_of_a_setting(source_of, n_seeds, ends, verdict):
    row = {"dataset": "mnist", "method": "gmvae", "variant": "fast-fc", "K": 10, "M": 1}
    shares = {"pixels_mean": 0.206, "pixels_low": ends[0], "pixels_high": ends[1]}
    generation = pd.DataFrame([{**row, **shares, "n_seeds": n_seeds}])
    source, figures = source_of({("gmvae", 10, 1): LOW}, generation=generation)
    claim = next(one for one in claims_of(source, figures) if one.text.startswith("w is style"))
    assert claim.verdict == verdict
    assert f"20.6 % [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]" in claim.evidence[0]


def tables_of(runs):
    times = runs.assign(train_seconds=1.0, peak_memory_mb=1.0, started="")[TIME_COLUMNS]
    return Tables(runs, pd.DataFrame(), table1(runs, [np.zeros(0, int)] * len(runs)), times)


def test_summary_names_the_best_method_and_the_distance_from_the_paper(source_of):
    accuracies = {("gmvae", 10, 1): LOW, ("gmvae", 20, 1): WIDE, ("kmeans", 10, None): HIGH}
    source, _ = source_of(accuracies)
    compared, winner, distance = summary(source, tables_of(source.runs))
    assert "2 methods in 3 settings with 5 seeds" in compared
    assert "40 samples without their labels and scored on 20" in compared
    assert "At K = 10, kmeans has the highest" in winner
    assert "82.0 ± 1.6 %. gmvae, fast-fc, M = 1 has 62.0 ± 1.6 %" in winner
    assert "67.0 ± 1.6 % here, 77.8 ± 5.8 % there (−10.8)" in distance
    assert "the former clusters" not in winner
    accuracies = {("vae_gmm", 10, None): HIGH, ("gmvae", 10, 1): WIDE, ("kmeans", 10, None): LOW}
    source, _ = source_of(accuracies, "digits")
    winner = summary(source, tables_of(source.runs))[1]
    assert "A likely reason: the former clusters the codes of an autoencoder" in winner
    source, _ = source_of({("gmvae", 10, 1): HIGH, ("kmeans", 10, None): LOW}, "easy")
    assert "%; the next method, kmeans, has 62.0" in summary(source, tables_of(source.runs))[1]
    part, _ = source_of({("gmvae", 10, 1): LOW}, "mnist5k")
    assert "fifteen times" in summary(part, tables_of(part.runs))[-1]
    other, _ = source_of({("gmvae", 10, 1): LOW}, "other")
    assert len(summary(other, tables_of(other.runs))) == 2


def test_table_marks_the_best_value_and_shows_differences():
    accuracies = {("gmvae", 10, 1): LOW, ("dec", 10, None): HIGH}
    [table] = page_tables(tables_of(runs_of(accuracies)))
    cells = {
        row["method"]: dict(zip(table.columns, cells, strict=True))
        for row, cells in table.rows
        if row["n_runs"]
    }
    assert cells["dec"]["Hungarian"].is_best
    assert not cells["gmvae"]["Hungarian"].is_best
    assert cells["gmvae"]["ours − published"].text == "−10.8 (mean)"
    assert cells["dec"]["ours − published"].text == "−0.3 (best)"
    assert cells["dec"]["ours − re-run"].text == "−9.2; −9.8; +4.1"
    assert not any(cell.is_best for cell in cells["gmvae"].values())
