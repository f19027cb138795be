"""Scoring of finished runs: the only place where labels are read to judge clusters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import read_manifest, write_manifest
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import DATA, DATA_LIST, METRICS, SCORES
from gmvae.bench.grid.runs import Run
from gmvae.bench.grid.sources import source_checksum
from gmvae.bench.runs.record import Record, Scores

HERE = Path(__file__).parent


def score_runs(runs: Sequence[Run], results: Path, data: Path = DATA) -> str:
    """Score every run that has no scores of its present files, and list the scores of all.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, all of one results folder.
    results : Path
    data : Path
        Folder with the prepared data sets.

    Returns
    -------
    str
        One line with the number of runs.

    Raises
    ------
    DataError
        If a run has not finished, or belongs to other data than the labels.
    """
    scored = 0
    for run in runs:
        folder, prepared = results / run.path, data / run.dataset
        if not is_scored(folder, prepared):
            score_run(folder, prepared).write(folder)
            scored += 1
    write_manifest(results / SCORES, [results / run.path / METRICS for run in runs])
    return f"{results}: {scored} of {len(runs)} runs scored, the others were"


def is_scored(folder: Path, data: Path) -> bool:
    """Whether ``metrics.json`` was made from the present files of a run and its data set."""
    try:
        return Scores.read(folder).made_from == _made_from(folder, data)
    except DataError:
        return False


def score_run(folder: Path, data: Path) -> Scores:
    """Score one run and each of its epochs.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    data : Path
        Folder of its data set, with ``test-labels.npy`` and ``test-images.npy``.
    """
    from gmvae.bench.runs import metrics

    record = Record.read(folder)
    made_from = _made_from(folder, data)
    test = files.read_arrays(folder / "test.npz")
    clusters = test["clusters"]
    if not len(clusters):
        return Scores(record.run.path, record.status, None, {}, made_from)
    known = files.read_array(data / "test-labels.npy")
    labels = known if len(known) else None  # a data set may have none
    trained_on = record.data_sha256.get("test-images", made_from["images"])
    if trained_on != made_from["images"] or (labels is not None and len(labels) != len(clusters)):
        raise DataError(
            f"{folder} belongs to other data: it has {len(clusters)} test samples, and {data} now "
            f"holds other images, or {len(known)} labels\n"
            "expected: the data that the run was trained on; maybe another config gives the same "
            "name to its own data\n"
            "remedy: run the workflow with the config of this run again, or rename the data in one"
        )
    history = files.read_arrays(folder / "epochs.npz")
    pairs = history["exemplars"]
    epochs = [
        vars(metrics.evaluate(assigned, pairs[pairs[:, 0] == epoch, 1:], labels))
        for epoch, assigned in enumerate(history["clusters"])
    ]
    return Scores(
        run=record.run.path,
        status=record.status,
        final={
            **vars(metrics.evaluate(clusters, test.get("exemplars"), labels)),
            **_separation(clusters, test.get("codes"), data),
        },
        epochs={name: [epoch[name] for epoch in epochs] for name in (epochs or [{}])[0]},
        made_from=made_from,
    )


@cache
def scoring_sources() -> str:
    """Checksum of the code that decides the scores."""
    return source_checksum(more=(HERE / "score.py", HERE / "metrics.py"))


def _separation(
    clusters: NDArray[Any], codes: NDArray[Any] | None, data: Path
) -> dict[str, float | str | None]:
    """Silhouette, in the latent space if the method has one, and the name of the space."""
    from gmvae.bench.runs import metrics

    points = files.read_array(data / "test-images.npy") if codes is None else codes
    value = metrics.silhouette(clusters, points)
    space = "samples" if codes is None else "latent"
    return {"silhouette": value, "silhouette_space": None if value is None else space}


def _made_from(folder: Path, data: Path) -> dict[str, str]:
    names = {
        "test": folder / "test.npz",
        "epochs": folder / "epochs.npz",
        "labels": data / "test-labels.npy",
    }
    images = data / "test-images.npy"
    for path in (*names.values(), images):
        if not path.is_file():
            raise DataError(f"{path} does not exist; run the command that makes it again")
    checksums = {name: files.sha256(path) for name, path in names.items()}
    # Images can be large, and the data step has noted their checksum.
    checksums["images"] = read_manifest(data / DATA_LIST).get(images) or files.sha256(images)
    return {**checksums, "sources": scoring_sources()}
