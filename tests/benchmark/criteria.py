"""Criteria of the settings of a study, one line each: ``python criteria.py RESULTS``.

Agreement is the mean adjusted Rand index between every two seeds on 10,000 fixed training images,
the ELBO the mean over the seeds. Accuracies are printed only with ``--scores``, when all is scored:
they decide nothing. ``--last NAME...`` adds values of the last epoch, such as ``deception_z``.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from gmvae.bench.runs.metrics import agreement
from gmvae.bench.runs.record import Record, Scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--scores", action="store_true")
    parser.add_argument("--last", nargs="*", default=[])
    given = parser.parse_args()
    folders = sorted(path.parent for path in given.results.glob("runs/*/*/*/*/run.json"))
    for setting, seeds in groupby(folders, key=lambda folder: folder.parent):
        print(
            f"{setting.relative_to(given.results / 'runs')}: {'; '.join(_parts([*seeds], given))}"
        )


def _parts(seeds, given):
    records = [Record.read(folder) for folder in seeds]
    finished = [folder for folder in seeds if Record.read(folder).status == "finished"]
    yield f"{len(finished)} of {len(seeds)} seeds finished"
    clusters = [np.load(folder / "test.npz")["train_clusters"] for folder in seeds]
    if len(seeds) > 1:
        yield f"agreement {agreement(clusters):.3f}"
    if records[0].elbo is not None:
        yield f"ELBO {np.mean([record.elbo for record in records]):.2f}"
    seconds = [record.train_seconds for record in records]
    yield f"{np.median(seconds):.0f} s (median)"
    for name in given.last:
        histories = [pd.read_csv(folder / "history.csv") for folder in seeds]
        if name in histories[0]:
            yield f"{name} {np.mean([history[name].iloc[-1] for history in histories]):.2f}"
    for name in ("accuracy_hungarian", "accuracy_exemplar") * given.scores:
        values = [Scores.read(folder).final[name] for folder in finished]
        if len(values) > 1 and None not in values:
            yield f"{name} {100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"


if __name__ == "__main__":
    main()
