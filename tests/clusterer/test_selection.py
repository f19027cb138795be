"""Choice of a restart without labels."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from gmvae.clusterer import selection
from gmvae.clusterer.selection import agreement, compared_rows, ranked


class Ended:
    """A restart with the values of its last epoch."""

    def __init__(self, **values):
        self.history = {name: [0.0, value] for name, value in values.items()}


def test_samples_that_are_compared_are_spread_over_all(monkeypatch):
    monkeypatch.setattr(selection, "N_COMPARED", 4)
    assert compared_rows(10).tolist() == [0, 2, 5, 7]
    assert compared_rows(3).tolist() == [0, 1, 2]


def test_agreement_is_the_adjusted_rand_index_of_each_pair():
    random = np.random.RandomState(0)
    clusters = [random.randint(4, size=50) for _ in range(3)]
    indices = agreement([*clusters, (clusters[0] + 1) % 4])
    np.testing.assert_array_equal(indices, indices.T)
    np.testing.assert_array_equal(np.diag(indices), 1)
    assert indices[0, 1] == pytest.approx(adjusted_rand_score(clusters[0], clusters[1]))
    assert indices[0, 3] == 1


def test_the_highest_elbo_and_the_lowest_conditional_prior_come_first():
    one = Ended(elbo=-3.0, conditional_prior=1.0)
    two = Ended(elbo=-2.0, conditional_prior=2.0)
    samples = torch.zeros(1, 1)
    assert ranked([one, two], [one, two], "elbo", samples) == [two, one]
    assert ranked([two, one], [one, two], "conditional_prior", samples) == [one, two]
    assert ranked([one], [one, two], "agreement", samples) == [one]
    assert ranked([], [], "agreement", samples) == []
