"""Scoring of finished runs: the first and only place where labels are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmvae.bench import files, metrics
from gmvae.bench.errors import DataError


def read_labels(path: Path) -> NDArray[np.int64] | None:
    """Labels as the data rule writes them; None where the data set has none."""
    labels = files.read_array(path)
    return labels if len(labels) else None


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
        ``status``, ``final`` (the scores by name, or None for a failed run) and ``epochs`` (for
        each score a list with one value an epoch; empty for methods without epochs).
    """
    record = files.read_json(folder / "run.json")
    if record["status"] != "finished":
        return {"status": record["status"], "final": None, "epochs": {}}
    labels = read_labels(labels_path)
    with np.load(folder / "test.npz", allow_pickle=False) as arrays:
        clusters = arrays["clusters"]
        exemplars = arrays["exemplars"] if "exemplars" in arrays.files else None
    if labels is not None and len(labels) != len(clusters):
        raise DataError(
            f"{folder} holds {len(clusters)} test samples, but {labels_path} {len(labels)} labels: "
            "the run belongs to other data; delete its folder and run the same command again"
        )
    with np.load(folder / "epochs.npz", allow_pickle=False) as arrays:
        pairs = arrays["exemplars"]
        epochs = [
            metrics.evaluate(assigned, pairs[pairs[:, 0] == epoch, 1:], labels).as_dict()
            for epoch, assigned in enumerate(arrays["clusters"])
        ]
    return {
        "status": record["status"],
        "final": metrics.evaluate(clusters, exemplars, labels).as_dict(),
        "epochs": {name: [epoch[name] for epoch in epochs] for name in (epochs or [{}])[0]},
    }
