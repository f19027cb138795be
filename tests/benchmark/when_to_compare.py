"""When should restarts be compared? ``python when_to_compare.py results/studies/lengths``.

Study 6 of docs/method.md: mean exemplar accuracy of the run that the conditional prior picks out of
four, over all subsets of the runs of a setting, when it is read after some number of epochs; and
of the run that is left when the lower two after 3 epochs are compared again after 6.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

EPOCHS = (2, 4, 8, 12)
N_INIT = 4
STAGES = (3, 6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    results = parser.parse_args().results
    runs = pd.read_csv(results / "runs.csv")
    for setting, seeds in runs.groupby(["K", "M"]):
        scores = seeds["accuracy_exemplar"].to_numpy()
        histories = [pd.read_csv(results / path / "history.csv") for path in seeds["path"]]
        subsets = list(itertools.combinations(range(len(seeds)), N_INIT))
        best = np.mean([max(scores[list(one)]) for one in subsets])
        spread = f"{scores.mean():.1f} ± {scores.std(ddof=1):.1f}"
        print(f"K, M = {setting}: {len(seeds)} runs, mean {spread},", end=" ")
        print(f"best of four {best:.1f};", ", ".join(_picked(histories, scores, subsets)))


def _picked(histories, scores, subsets):
    for epoch in EPOCHS:
        prior = np.array([history["conditional_prior"].iloc[epoch - 1] for history in histories])
        picked = np.mean([scores[min(one, key=prior.__getitem__)] for one in subsets])
        yield f"after {epoch} {picked:.1f}"
    staged = np.mean([_staged(histories, scores, one) for one in subsets])
    yield f"after {STAGES[0]} and {STAGES[1]} {staged:.1f}"


def _staged(histories, scores, one):
    for epoch, n_left in zip(STAGES, (2, 1), strict=True):
        one = sorted(one, key=lambda i: histories[i]["conditional_prior"].iloc[epoch - 1])[:n_left]
    return scores[one[0]]


if __name__ == "__main__":
    main()
