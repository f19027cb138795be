"""GMVAE with its defaults on three small data sets of scikit-learn: ``python few_samples.py``.

Agreement is the mean adjusted Rand index between every two seeds. See study 3 of docs/method.md.
``--choose`` shows what each criterion picks out of four runs, on two of them and on the arcs, as in
study 5.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from gmvae import GMVAE
from gmvae.bench.data.arcs import load as load_arcs
from gmvae.bench.report.statistics.choice import Criteria, worth
from gmvae.clusterer.selection import agreement

BATCH = 128
SEEDS = range(2000, 2005)
SEEDS_TO_CHOOSE_FROM = range(2100, 2108)
ON_ARCS = {
    "network": "paper-fc",
    "epochs": 60,
    "batch_size": 100,
    "learning_rate": 0.003,
    "z_prior_threshold": 1.5,
}


def data_sets():
    """Name, samples, classes and K of each data set."""
    for name, load, n_clusters in (("wine", load_wine, 3), ("cancer", load_breast_cancer, 2)):
        loaded = load()
        samples = StandardScaler().fit_transform(loaded.data).astype(np.float32)
        yield name, samples, loaded.target, n_clusters
    digits = load_digits()
    yield "digits", (digits.data / 16).astype(np.float32), digits.target, 10


def choose() -> None:
    """Print the mean adjusted Rand index of the run that each criterion picks out of four."""
    arcs = load_arcs().train
    sets = [(*one, {}) for one in data_sets() if one[0] != "digits"]
    for name, samples, classes, n_clusters, settings in [
        *sets,
        ("arcs", arcs.images, arcs.labels, 8, ON_ARCS),
    ]:
        fits = [
            GMVAE(n_clusters, random_state=seed, **settings).fit(samples)
            for seed in SEEDS_TO_CHOOSE_FROM
        ]
        scores = np.array([adjusted_rand_score(classes, one.labels_) for one in fits])
        last = {
            term: sign * np.array([one.history_[term][-1] for one in fits])
            for term, sign in (("elbo", 1), ("conditional_prior", -1))
        }
        found = worth(Criteria(last, agreement([one.labels_ for one in fits])), scores, 4)
        print(f"{name}:", ", ".join(f"{how} {value[0]:.3f}" for how, value in found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--steps", type=int, nargs="*", default=[None], help="default: as by itself"
    )
    parser.add_argument("--choose", action="store_true", help="study 5 instead of study 3")
    options = parser.parse_args()
    if options.choose:
        choose()
        return
    for name, samples, classes, n_clusters in data_sets():
        baseline = KMeans(n_clusters, n_init=10, random_state=0).fit_predict(samples)
        print(f"{name}: k-means {adjusted_rand_score(classes, baseline):.3f}", flush=True)
        for steps in options.steps:
            per_epoch = max(1, len(samples) // BATCH)
            epochs = None if steps is None else max(1, round(steps / per_epoch))
            fits = [
                GMVAE(n_clusters, epochs=epochs, batch_size=BATCH, random_state=seed).fit(samples)
                for seed in SEEDS
            ]
            pairs = itertools.combinations([one.labels_ for one in fits], 2)
            agreeing = np.mean([adjusted_rand_score(*pair) for pair in pairs])
            scores = [adjusted_rand_score(classes, one.labels_) for one in fits]
            each = " ".join(f"{score:.2f}" for score in scores)
            print(
                f"  {fits[0].epochs_} epochs: agreement {agreeing:.3f}, adjusted Rand index "
                f"{np.mean(scores):.3f} ({each})",
                flush=True,
            )


if __name__ == "__main__":
    main()
