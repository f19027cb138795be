"""Worth of choosing among runs, against brute force."""

import itertools

import numpy as np
import pytest

from gmvae.bench.report.statistics import choice
from gmvae.bench.report.statistics.choice import Criteria, interval, subsets_of, worth

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.random(6)
ELBOS = RANDOM.random(6)
INDICES = (lambda half: half + half.T)(np.triu(RANDOM.random((6, 6)), k=1)) + np.eye(6)


def test_all_subsets_are_used_or_many_different_ones():
    assert [tuple(one) for one in subsets_of(5, 3)] == list(itertools.combinations(range(5), 3))
    many = subsets_of(20, 8)
    assert many.shape == (choice.MAX_SUBSETS, 8)
    assert all(len(set(one)) == 8 for one in many)
    shares = np.bincount(many.ravel(), minlength=20) / len(many)
    np.testing.assert_allclose(shares, 8 / 20, atol=0.05)


@pytest.mark.parametrize("size", [1, 3, 6])
def test_mean_of_the_picked_runs_is_that_of_brute_force(size):
    found = worth(Criteria({"elbo": ELBOS}, INDICES), SCORES, size)
    subsets = list(itertools.combinations(range(6), size))
    by_elbo = [SCORES[max(one, key=lambda run: ELBOS[run])] for one in subsets]
    assert found["elbo"][0] == pytest.approx(np.mean(by_elbo))
    assert found["best"][0] == pytest.approx(np.mean([SCORES[list(one)].max() for one in subsets]))
    assert found["mean"][0] == pytest.approx(SCORES.mean())
    if size < 3:
        assert "agreement" not in found
        return
    by_agreement = [
        SCORES[max(one, key=lambda run: sum(INDICES[run, k] for k in one if k != run))]
        for one in subsets
    ]
    assert found["agreement"][0] == pytest.approx(np.mean(by_agreement))


def test_bootstrap_samples_count_runs_as_often_as_they_were_drawn():
    found = worth(Criteria({"elbo": ELBOS}), SCORES, 2)
    counts = np.random.default_rng(1).multinomial(6, np.full(6, 1 / 6), size=choice.N_BOOTSTRAP)
    drawn = np.repeat(np.arange(6), counts[0])
    pairs = [pair for pair in itertools.combinations(drawn, 2) if pair[0] != pair[1]]
    expected = np.mean([SCORES[max(pair, key=lambda run: ELBOS[run])] for pair in pairs])
    assert found["elbo"][1] == pytest.approx(expected)
    low, high = interval(found["elbo"])
    assert low < found["elbo"][0] < high


def test_a_perfect_criterion_is_as_good_as_the_best():
    found = worth(Criteria({"elbo": SCORES}), SCORES, 3)
    np.testing.assert_allclose(found["elbo"], found["best"])
