"""Scores against brute force and by hand."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import adjusted_rand_score

from gmvae.bench.runs import metrics
from gmvae.bench.runs.fit import exemplars


def brute_force(clusters, labels, n_clusters, n_classes):
    """Best accuracy over all one-to-one maps of clusters to classes."""
    size = max(n_clusters, n_classes)
    return max(
        np.mean(np.asarray(mapping)[clusters] == labels) for mapping in permutations(range(size))
    )


@st.composite
def assignments(draw):
    n_clusters, n_classes = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    n = draw(st.integers(1, 40))
    clusters = draw(arrays(np.int64, n, elements=st.integers(0, n_clusters - 1)))
    labels = draw(arrays(np.int64, n, elements=st.integers(0, n_classes - 1)))
    return clusters, labels, n_clusters, n_classes


@given(assignments())
def test_hungarian_is_the_best_of_all_matchings(case):
    clusters, labels, n_clusters, n_classes = case
    expected = brute_force(clusters, labels, n_clusters, n_classes)
    assert metrics.accuracy_hungarian(clusters, labels) == pytest.approx(expected)


@given(assignments())
def test_order_of_the_scores(case):
    clusters, labels, *_ = case
    hungarian = metrics.accuracy_hungarian(clusters, labels)
    majority = metrics.accuracy_majority(clusters, labels)
    assert hungarian <= majority + 1e-12
    renamed = clusters.max() - clusters
    assert metrics.accuracy_hungarian(renamed, labels) == pytest.approx(hungarian)


@pytest.mark.parametrize(
    ("clusters", "hungarian", "majority"),
    [
        ([0, 0, 1, 1, 2, 2], 1.0, 1.0),  # K equal to the classes
        ([0, 1, 2, 3, 4, 5], 0.5, 1.0),  # K above: unmatched clusters are wrong
        ([0, 0, 0, 0, 1, 1], 4 / 6, 4 / 6),  # K below: unmatched classes are wrong
        ([0, 0, 0, 0, 0, 0], 2 / 6, 2 / 6),
    ],
)
def test_by_hand(clusters, hungarian, majority):
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert metrics.accuracy_hungarian(np.array(clusters), labels) == pytest.approx(hungarian)
    assert metrics.accuracy_majority(np.array(clusters), labels) == pytest.approx(majority)


def test_exemplar_by_hand():
    """Cluster 0 is named by sample 2, of class 1: its other two samples, of class 0, are wrong."""
    probabilities = np.array([[0.8, 0.2], [0.7, 0.3], [0.9, 0.1], [0.1, 0.9], [0.4, 0.6]])
    labels = np.array([0, 0, 1, 2, 2])
    clusters, pairs = probabilities.argmax(1), exemplars(probabilities)
    assert pairs.tolist() == [[0, 2], [1, 3]]
    assert metrics.accuracy_exemplar(clusters, pairs, labels) == pytest.approx(3 / 5)
    assert metrics.accuracy_majority(clusters, labels) == pytest.approx(4 / 5)


@given(st.integers(0, 2**32 - 1))
def test_exemplars_that_tie_count_as_a_choice_by_lot(seed):
    """Against the mean over all choices, each an argmax in another order of the samples."""
    random = np.random.default_rng(seed)
    probabilities = random.integers(0, 4, (8, 3)) / 3
    labels = random.integers(0, 3, 8)
    clusters = probabilities.argmax(1)
    tied = [np.flatnonzero(column == column.max()) for column in probabilities.T]
    choices = product(*tied)
    expected = np.mean([np.mean(labels[list(c)][clusters] == labels) for c in choices])
    pairs = exemplars(probabilities)
    assert metrics.accuracy_exemplar(clusters, pairs, labels) == pytest.approx(expected)
    order = random.permutation(8)
    shuffled = exemplars(probabilities[order])
    again = metrics.accuracy_exemplar(clusters[order], shuffled, labels[order])
    assert again == pytest.approx(expected)


def test_a_cluster_that_is_not_in_use_has_no_exemplar():
    pairs = exemplars(np.array([[0.6, 0.0, 0.4], [0.3, 0.0, 0.7]]))
    assert pairs.tolist() == [[0, 0], [2, 1]]


def test_evaluate_knows_what_it_cannot_say():
    clusters, labels = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    scores = metrics.evaluate(clusters, None, labels)
    assert scores.accuracy_exemplar is None
    assert (scores.nmi, scores.ari, scores.clusters_used) == (pytest.approx(1), 1.0, 2)
    assert metrics.evaluate(clusters, None, None) == metrics.Metrics(clusters_used=2)


def test_nmi_and_ari_against_their_formulas():
    random = np.random.default_rng(0)
    clusters, labels = random.integers(0, 4, 200), random.integers(0, 3, 200)
    counts = metrics.contingency(clusters, labels)
    p = counts / counts.sum()
    rows, columns = p.sum(1), p.sum(0)
    information = np.sum(p * np.log(p / np.outer(rows, columns)))
    entropies = -np.sum(rows * np.log(rows)), -np.sum(columns * np.log(columns))
    scores = metrics.evaluate(clusters, None, labels)
    assert scores.nmi == pytest.approx(information / np.mean(entropies))
    pairs = lambda n: (n * (n - 1) / 2).sum()  # noqa: E731
    row_pairs, column_pairs = pairs(counts.sum(1)), pairs(counts.sum(0))
    expected = row_pairs * column_pairs / pairs(counts.sum())
    ari = (pairs(counts) - expected) / ((row_pairs + column_pairs) / 2 - expected)
    assert scores.ari == pytest.approx(ari)


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        metrics.contingency(np.zeros(3, int), np.zeros(2, int))


def test_silhouette_of_a_fixed_subset():
    random = np.random.default_rng(0)
    clusters = random.integers(0, 3, 2500)
    points = clusters[:, None, None] + random.standard_normal((2500, 2, 2))
    value = metrics.silhouette(clusters, points)
    assert value == metrics.silhouette(clusters, points.astype(np.float64))
    rows = np.random.default_rng(metrics.SUBSET_SEED).permutation(2500)
    outside = rows[metrics.MOST_COMPARED :]
    points[outside] = 99.0
    assert value == metrics.silhouette(clusters, points), "these are not compared"
    assert 0 < value < 1


def test_silhouette_by_hand():
    """One sample alone has 0; the others are 1 from their fellow, and 4 to 5 from the next."""
    points = np.array([[0.0], [1.0], [5.0]])
    expected = (4 / 5 + 3 / 4 + 0) / 3
    assert metrics.silhouette(np.array([0, 0, 2]), points) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("clusters", "last"), [([0, 0, 0], 1.0), ([0, 1, 2], 1.0), ([0, 0, 1], np.nan)]
)
def test_silhouettes_that_are_not_defined(clusters, last):
    assert metrics.silhouette(np.array(clusters), np.array([[0.0], [0.5], [last]])) is None


def test_agreements_have_the_bits_of_scikit_learn(monkeypatch):
    random = np.random.default_rng(0)
    clusters = [random.integers(0, k, 500) * 3 for k in (1, 1, 2, 5, 40, 500)]
    clusters[1] -= 7
    clusters += [np.arange(500), np.arange(500)[::-1], clusters[3] + random.integers(0, 2, 500)]
    monkeypatch.setattr(metrics, "MOST_CELLS", 1000)  # so that both ways of counting are used
    expected = [[adjusted_rand_score(one, other) for other in clusters] for one in clusters]
    assert metrics.agreements(clusters).tolist() == expected


def test_agreement_is_that_of_pairs():
    random = np.random.default_rng(0)
    one, two, three = random.integers(0, 4, (3, 300))
    assert metrics.agreement([one, (one + 1) % 4]) == 1
    assert metrics.agreement([one]) is metrics.agreement([]) is None
    pairs = [metrics.agreement(pair) for pair in ([one, two], [one, three], [two, three])]
    assert metrics.agreement([one, two, three]) == pytest.approx(np.mean(pairs))
    assert pairs[0] == pytest.approx(metrics.evaluate(one, None, two).ari)
