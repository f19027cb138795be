"""GMVAE with its defaults on small data sets: ``python few_samples.py``.

Agreement is the mean adjusted Rand index between every two seeds. By default, a random start and
one from a mixture are compared on six data sets, as in study 9 of docs/method.md. ``--pretrain``
tries lengths of the autoencoder before the latter, in steps, as in study 10 (``--first-seed`` for
other seeds, ``--images`` for its made-up colour images). ``--steps`` tries
lengths of the training on three of them, as in study 3, and ``--choose`` shows what each criterion
picks out of four runs, on two of them and on the arcs, as in study 5.
"""

from __future__ import annotations

import argparse
import itertools
import math

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from gmvae import GMVAE
from gmvae.bench.data.arcs import load as load_arcs
from gmvae.bench.data.mnist import load as load_mnist
from gmvae.bench.report.statistics.choice import Criteria, worth
from gmvae.clusterer.selection import agreement

BATCH = 128
SEEDS = range(2000, 2005)
SEEDS_TO_CHOOSE_FROM = range(2100, 2108)
SEEDS_OF_STARTS = range(2400, 2405)
FIRST_SEED_OF_AUTOENCODERS = 2500
SEEDS_OF_IMAGES = range(6)
EPOCHS_OF_AUTOENCODER = 10
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


def more_data_sets():
    """Name, samples, classes and K of further data sets, for study 9."""
    iris = load_iris()
    yield "iris", StandardScaler().fit_transform(iris.data).astype(np.float32), iris.target, 3
    train = load_mnist().train
    for size in (1000, 4000):
        images = train.images[:size].reshape(size, -1)
        yield f"{size} images of MNIST", images, train.labels[:size], 10


def show(name, fits, classes) -> float:
    """Print the agreement of some fits and their adjusted Rand indices; returns the agreement."""
    pairs = itertools.combinations([one.labels_ for one in fits], 2)
    agreeing = float(np.mean([adjusted_rand_score(*pair) for pair in pairs]))
    scores = [adjusted_rand_score(classes, one.labels_) for one in fits]
    each = " ".join(f"{score:.2f}" for score in scores)
    mean = np.mean(scores)
    print(
        f"  {name}: agreement {agreeing:.3f}, adjusted Rand index {mean:.3f} ({each})", flush=True
    )
    return agreeing


def show_kmeans(name, samples, classes, n_clusters) -> None:
    """Print the adjusted Rand index of k-means."""
    found = KMeans(n_clusters, n_init=10, random_state=0).fit_predict(samples)
    print(f"{name}: k-means {adjusted_rand_score(classes, found):.3f}", flush=True)


def starts() -> None:
    """Compare both starts."""
    agreements = {"random": [], "mixture": []}
    for name, samples, classes, n_clusters in [*data_sets(), *more_data_sets()]:
        show_kmeans(name, samples, classes, n_clusters)
        for init, found in agreements.items():
            fits = [
                GMVAE(n_clusters, init=init, random_state=seed).fit(samples)
                for seed in SEEDS_OF_STARTS
            ]
            found.append(show(init, fits, classes))
    for init, found in agreements.items():
        print(f"{init}: mean agreement {np.mean(found):.3f}")


def colour_images():
    """Images of 40x24 pixels in three classes: 48 of each, and their classes."""
    random = np.random.default_rng(0)

    def image(kind):
        pixels = random.integers(0, 60, (40, 24, 3)).astype(float)
        down, right = random.integers(-3, 4, 2)
        rows, columns = np.mgrid[:40, :24]
        if kind == 0:
            pixels[(rows - 20 - down) ** 2 + (columns - 12 - right) ** 2 < 60] = [220, 30, 30]
        elif kind == 1:
            pixels[7 + down : 17 + down] = [30, 200, 30]
        else:
            pixels[18 + down : 34 + down, 8 + right : 18 + right] = [30, 30, 220]
        return np.clip(pixels + random.normal(0, 10, pixels.shape), 0, 255).astype(np.uint8)

    classes = np.repeat([0, 1, 2], 48)
    return np.array([image(kind) for kind in classes]), classes


def images(all_steps) -> None:
    """Compare lengths of the autoencoder with a convolutional network; an epoch is a step here."""
    samples, classes = colour_images()
    for steps in all_steps:
        settings = {"network": "fast-conv", "init": "mixture", "pretrain_epochs": steps}
        fits = [GMVAE(3, random_state=seed, **settings).fit(samples) for seed in SEEDS_OF_IMAGES]
        show(f"{steps} steps", fits, classes)


def autoencoders(all_steps, first_seed) -> None:
    """Compare lengths of the autoencoder, where they differ."""
    agreements = {steps: [] for steps in all_steps}
    for name, samples, classes, n_clusters in [*data_sets(), *more_data_sets()]:
        per_epoch = max(1, len(samples) // BATCH)
        if EPOCHS_OF_AUTOENCODER * per_epoch >= max(all_steps):
            continue
        print(f"{name}:")
        for steps, found in agreements.items():
            epochs = max(EPOCHS_OF_AUTOENCODER, math.ceil(steps / per_epoch))
            settings = {"init": "mixture", "pretrain_epochs": epochs}
            fits = [
                GMVAE(n_clusters, random_state=seed, **settings).fit(samples)
                for seed in range(first_seed, first_seed + 5)
            ]
            found.append(show(f"{epochs} epochs", fits, classes))
    for steps, found in agreements.items():
        print(f"at least {steps} steps: mean agreement {np.mean(found):.3f}")


def choose() -> None:
    """Print the mean adjusted Rand index of the run that each criterion picks out of four."""
    arcs = load_arcs().train
    sets = [(*one, {}) for one in data_sets() if one[0] != "digits"]
    for name, samples, classes, n_clusters, settings in [
        *sets,
        ("arcs", arcs.images, arcs.labels, 8, ON_ARCS),
    ]:
        fits = [
            GMVAE(n_clusters, init="random", random_state=seed, **settings).fit(samples)
            for seed in SEEDS_TO_CHOOSE_FROM
        ]
        scores = np.array([adjusted_rand_score(classes, one.labels_) for one in fits])
        last = {
            term: sign * np.array([one.history_[term][-1] for one in fits])
            for term, sign in (("elbo", 1), ("conditional_prior", -1))
        }
        found = worth(Criteria(last, agreement([one.labels_ for one in fits])), scores, 4)
        print(f"{name}:", ", ".join(f"{how} {value[0]:.3f}" for how, value in found.items()))


def lengths(all_steps) -> None:
    """Compare trainings of some numbers of steps, from a random start."""
    for name, samples, classes, n_clusters in data_sets():
        show_kmeans(name, samples, classes, n_clusters)
        for steps in all_steps:
            epochs = max(1, round(steps / max(1, len(samples) // BATCH)))
            settings = {"epochs": epochs, "batch_size": BATCH, "init": "random"}
            fits = [GMVAE(n_clusters, random_state=seed, **settings).fit(samples) for seed in SEEDS]
            show(f"{epochs} epochs", fits, classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", help="study 3 instead of study 9")
    parser.add_argument("--pretrain", type=int, nargs="+", help="study 10 instead of study 9")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED_OF_AUTOENCODERS)
    parser.add_argument("--images", type=int, nargs="+", help="steps on colour images, study 10")
    parser.add_argument("--choose", action="store_true", help="study 5 instead of study 9")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.choose:
        choose()
    elif options.pretrain:
        autoencoders(options.pretrain, options.first_seed)
    elif options.images:
        images(options.images)
    elif options.steps:
        lengths(options.steps)
    else:
        starts()


if __name__ == "__main__":
    main()
