"""The effects of K and M in numbers, and the sentences made from them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gmvae.bench.report.statistics.effects import ALL, effects, sentences


def runs_of(accuracies, *, method="gmvae", status="finished"):
    """Rows of runs from accuracies by (K, M)."""
    return pd.DataFrame(
        {
            "dataset": "mnist",
            "method": method,
            "variant": "fast-conv",
            "K": K,
            "M": M,
            "seed": seed,
            "status": status,
            "accuracy_exemplar": value,
        }
        for (K, M), values in accuracies.items()
        for seed, value in enumerate(values)
    ).astype({"K": "Int64", "M": "Int64"})


def row(table, factor, quantity, at=ALL):
    chosen = table[(table.factor == factor) & (table.quantity == quantity) & (table["at"] == at)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_effect_is_the_difference_from_the_least_to_the_largest_value():
    runs = runs_of(
        {(10, 1): [70, 72, 74, 80, 74], (16, 1): [0] * 5, (30, 1): [90, 91, 92, 90, 87]}
        | {(10, 10): [80, 82, 84, 81, 83], (30, 10): [95, 94, 96, 95, 95]}
    )
    table = effects(runs)
    by_k = {m: row(table, "K", "mean", f"M = {m}").effect for m in (1, 10)}
    assert by_k == {1: 16, 10: 13}
    assert row(table, "K", "mean").effect == 14.5
    stds = [np.std(v, ddof=1) for v in ([70, 72, 74, 80, 74], [90, 91, 92, 90, 87])]
    assert row(table, "K", "std", "M = 1").effect == pytest.approx(stds[1] - stds[0], abs=0.006)
    assert row(table, "M", "mean", "K = 10").effect == 8
    assert (row(table, "K", "mean")["from"], row(table, "K", "mean")["to"]) == (10, 30)


@pytest.mark.parametrize(("quantity", "truth"), [("mean", 10), ("std", 0)])
def test_interval_covers_the_truth_about_as_often_as_it_says(quantity, truth):
    """With five seeds, where plain percentiles cover 87 of 100."""
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(150):
        runs = runs_of({(10, 1): random.normal(70, 5, 5), (30, 1): random.normal(80, 5, 5)})
        found = row(effects(runs), "K", quantity)
        covered += found.effect_low <= truth <= found.effect_high
    assert covered / 150 >= 0.91


def test_interval_is_that_of_a_bootstrap_by_hand():
    """Percentiles at the level that gives a t-interval its width."""
    random = np.random.default_rng(0)
    low, high = random.normal(70, 6, 8), random.normal(75, 3, 8)
    found = row(effects(runs_of({(10, 1): low, (30, 1): high})), "K", "mean")
    draws = random.choice(high, (50_000, 8)).mean(1) - random.choice(low, (50_000, 8)).mean(1)
    tail = stats.norm.cdf(-stats.t.ppf(0.975, 7) * np.sqrt(8 / 7))
    assert 2 * tail == pytest.approx(0.0115, abs=0.0005)
    ends = np.quantile(draws, [tail, 1 - tail])
    np.testing.assert_allclose([found.effect_low, found.effect_high], ends, atol=0.25)


def test_settings_with_too_few_seeds_have_no_interval_and_spoil_no_other():
    runs = runs_of(
        {(10, 1): [70, 71, 72, 71, 71], (30, 1): [80, 81, 82, 81, 81]}
        | {(10, 10): [50], (30, 10): [10]}
    )
    table = effects(runs)
    assert row(table, "K", "mean", "M = 10").effect == -40
    assert np.isnan(row(table, "K", "mean", "M = 10").effect_low)
    assert row(table, "K", "mean").effect == 10.0, "over the settings with enough seeds alone"
    assert row(table, "K", "mean").n_runs == 10


@pytest.mark.parametrize(
    ("high", "mean", "std"),
    [
        ([95.0, 95.1, 95.2, 95.1, 95.1], "higher: supported", "steadier: supported"),
        ([70, 73, 75, 78, 74], "higher: undecided (", "steadier: undecided ("),
        (
            [10, 50, 20, 45, 30],
            "higher: refuted (",
            "steadier: refuted (",
        ),
    ],
)
def test_sentences_follow_the_numbers(high, mean, std):
    found = sentences(effects(runs_of({(10, 1): 3 * [70, 72, 76, 78, 74], (30, 1): 3 * high})))
    assert len(found) == 2
    assert mean in found[0]
    assert std in found[1]
    assert "K = 10 to 30" in found[0]


def test_too_few_seeds_support_nothing():
    found = sentences(effects(runs_of({(10, 1): [70, 72, 71, 73], (30, 1): [95, 96, 97, 95]})))
    assert all("not tested (five seeds" in sentence for sentence in found)


def test_other_methods_and_runs_without_clusters_have_no_effect():
    runs = runs_of({(10, 1): [70, 71, 72], (30, 1): [80, 81, 82]})
    failed = runs_of({(10, 1): [None]}, status="diverged")
    other = runs_of({(10, 1): [1, 2, 3], (30, 1): [1, 2, 3]}, method="kmeans")
    pd.testing.assert_frame_equal(effects(runs), effects(pd.concat([runs, failed, other])))
    assert effects(other).empty


def test_a_setting_that_collapses_is_no_steadier_for_it():
    runs = runs_of({(10, 1): [70, 71, 72, 71, 71], (30, 1): [80, 81, 82, 81]})
    collapsed = runs_of({(30, 1): [11]}, status="collapsed")
    assert row(effects(pd.concat([runs, collapsed])), "K", "std").effect > 20
