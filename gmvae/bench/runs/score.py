"""Scoring of finished runs: the first and only place where labels are read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import CHECKPOINTS, METRICS, SCORE_LIST
from gmvae.bench.runs import metrics
from gmvae.bench.runs.record import read_record


def read_labels(path: Path) -> NDArray[np.int64] | None:
    """Labels as the data rule writes them; None where the data set has none."""
    labels = files.read_array(path)
    return labels if len(labels) else None


def write_scores(folder: Path, labels_path: Path) -> None:
    """Score a run, write ``metrics.json``, and remove the checkpoints that are needed no more.

    Parameters
    ----------
    folder : Path
        Of the run.
    labels_path : Path
        Test labels.
    """
    scores = score_run(folder, labels_path)
    files.write_json(folder / METRICS, scores)
    write_manifest(folder / SCORE_LIST, [folder / METRICS])
    # A run that ran out of time can go on from there, with another limit.
    if scores["status"] != "timed_out":
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def score_run(folder: Path, labels_path: Path) -> dict[str, Any]:
    """Score one run and each of its epochs.

    Parameters
    ----------
    folder : Path
        Of the run.
    labels_path : Path
        Test labels.

    Returns
    -------
    dict
        ``status``, ``final`` (the scores by name, or None for a run without clusters), ``epochs``
        (for each score a list with one value an epoch; empty for methods without epochs) and
        ``labels_sha256``.
    """
    record = read_record(folder / "run.json")
    labels_sha256 = files.sha256(labels_path)
    test = files.read_arrays(folder / "test.npz")
    clusters = test["clusters"]
    if not len(clusters):
        return {
            "status": record["status"],
            "final": None,
            "epochs": {},
            "labels_sha256": labels_sha256,
        }
    labels = read_labels(labels_path)
    if labels is not None and len(labels) != len(clusters):
        raise DataError(
            f"{folder} holds {len(clusters)} test samples, but {labels_path} {len(labels)} labels: "
            "the run belongs to other data; delete its folder and run the same command again"
        )
    history = files.read_arrays(folder / "epochs.npz")
    pairs = history["exemplars"]
    epochs = [
        metrics.evaluate(assigned, pairs[pairs[:, 0] == epoch, 1:], labels).as_dict()
        for epoch, assigned in enumerate(history["clusters"])
    ]
    return {
        "status": record["status"],
        "final": metrics.evaluate(clusters, test.get("exemplars"), labels).as_dict(),
        "epochs": {name: [epoch[name] for epoch in epochs] for name in (epochs or [{}])[0]},
        "labels_sha256": labels_sha256,
    }
