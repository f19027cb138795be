"""The effects of K and M in numbers, and the sentences that are made of them."""

import numpy as np
import pandas as pd
import pytest

from gmvae.bench.effects import ALL, effects, sentences


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
        {(10, 1): [70, 72, 74, 80], (16, 1): [0, 0, 0], (30, 1): [90, 91, 92, 90]}
        | {(10, 10): [80, 82, 84, 81], (30, 10): [95, 94, 96, 95]}
    )
    table = effects(runs)
    by_k = {m: row(table, "K", "mean", f"M = {m}").effect for m in (1, 10)}
    assert by_k == {1: 16.75, 10: 13.25}
    assert row(table, "K", "mean").effect == 15.0
    stds = [np.std(v, ddof=1) for v in ([70, 72, 74, 80], [90, 91, 92, 90])]
    assert row(table, "K", "std", "M = 1").effect == pytest.approx(stds[1] - stds[0], abs=0.006)
    assert row(table, "M", "mean", "K = 10").effect == 7.75
    assert (row(table, "K", "mean")["from"], row(table, "K", "mean")["to"]) == (10, 30)


def test_interval_covers_the_true_difference_about_as_often_as_it_says():
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        runs = runs_of({(10, 1): random.normal(70, 5, 20), (30, 1): random.normal(80, 5, 20)})
        found = row(effects(runs), "K", "mean")
        covered += found.effect_low <= 10 <= found.effect_high
    assert 86 <= covered <= 100


def test_interval_is_that_of_a_bootstrap_by_hand():
    random = np.random.default_rng(0)
    low, high = random.normal(70, 6, 8), random.normal(75, 3, 8)
    found = row(effects(runs_of({(10, 1): low, (30, 1): high})), "K", "std")
    draws = [
        high[random.integers(8, size=8)].std(ddof=1) - low[random.integers(8, size=8)].std(ddof=1)
        for _ in range(20_000)
    ]
    ends = np.quantile(draws, [0.025, 0.975])
    np.testing.assert_allclose([found.effect_low, found.effect_high], ends, atol=0.15)


def test_settings_with_too_few_seeds_have_no_interval_and_spoil_no_other():
    runs = runs_of({(10, 1): [70, 71, 72], (30, 1): [80, 81, 82], (10, 10): [50], (30, 10): [10]})
    table = effects(runs)
    assert row(table, "K", "mean", "M = 10").effect == -40
    assert np.isnan(row(table, "K", "mean", "M = 10").effect_low)
    assert row(table, "K", "mean").effect == 10.0, "over the settings with enough seeds alone"
    assert row(table, "K", "mean").n_runs == 6


@pytest.mark.parametrize(
    ("high", "mean", "std"),
    [
        ([95.0, 95.1, 95.2, 95.1], "higher: supported", "steadier: supported"),
        ([72, 60, 84, 75], "higher: not supported (", "steadier: not supported ("),
        (
            [10, 30, 50, 65],
            "higher: not supported, the opposite",
            "steadier: not supported, the opposite",
        ),
    ],
)
def test_sentences_follow_the_numbers(high, mean, std):
    found = sentences(effects(runs_of({(10, 1): [70, 72, 76, 78], (30, 1): high})))
    assert len(found) == 2
    assert mean in found[0]
    assert std in found[1]
    assert "K = 10 to 30" in found[0]


def test_too_few_seeds_support_nothing():
    found = sentences(effects(runs_of({(10, 1): [70, 72], (30, 1): [95, 96]})))
    assert all("not supported (too few seeds" in sentence for sentence in found)


def test_failed_runs_and_other_methods_have_no_effect():
    runs = runs_of({(10, 1): [70, 71, 72], (30, 1): [80, 81, 82]})
    failed = runs_of({(10, 1): [1, 2, 3]}, status="collapsed")
    other = runs_of({(10, 1): [1, 2, 3], (30, 1): [1, 2, 3]}, method="kmeans")
    pd.testing.assert_frame_equal(effects(runs), effects(pd.concat([runs, failed, other])))
    assert effects(other).empty
