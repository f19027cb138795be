"""All of scikit-learn's checks for every method; those of GMVAE are in tests/clusterer."""

import inspect

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from gmvae.bench.grid import methods

# Long enough for the one check that wants clusters to be about right.
TINY = {
    **{"n_clusters": 3, "network": "paper-fc", "batch_size": 16, "learning_rate": 3e-3},
    **{"pretrain_epochs": 10, "epochs": 5},
}
SAMPLE_WEIGHT = (
    "scikit-learn's own k-means fails this too: a weight is not the same as a repeated sample for "
    "the random numbers of k-means++"
)
EXPECTED = {
    "PixelKMeans": {
        "check_sample_weight_equivalence_on_dense_data": SAMPLE_WEIGHT,
        "check_sample_weight_equivalence_on_sparse_data": SAMPLE_WEIGHT,
    }
}
"""Checks that fail, with the reason, by class."""


def tiny(name):
    cls = methods.import_class(methods.find(name).class_path)
    accepted = inspect.signature(cls).parameters
    return cls(**{key: value for key, value in TINY.items() if key in accepted})


@pytest.fixture(autouse=True, scope="module")
def one_thread_for_blas():
    """On so few samples, threads that wait for one another take ten times as long."""
    with threadpool_limits(1):
        yield


@parametrize_with_checks(
    [tiny(name) for name in methods.available() if name != "gmvae"],
    expected_failed_checks=lambda estimator: EXPECTED.get(type(estimator).__name__, {}),
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
