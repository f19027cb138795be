"""Scoring of finished runs: the only place where labels are read to judge clusters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.layout import DATA, METRICS, SCORES
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
        Folder with ``{dataset}/test-labels.npy``.

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
        folder, labels = results / run.path, data / run.dataset / "test-labels.npy"
        if not is_scored(folder, labels):
            score_run(folder, labels).write(folder)
            scored += 1
    write_manifest(results / SCORES, [results / run.path / METRICS for run in runs])
    return f"{results}: {scored} of {len(runs)} runs scored, the others were"


def is_scored(folder: Path, labels: Path) -> bool:
    """Whether ``metrics.json`` was made from the present files of a run."""
    try:
        return Scores.read(folder).made_from == _made_from(folder, labels)
    except DataError:
        return False


def score_run(folder: Path, labels_path: Path) -> Scores:
    """Score one run and each of its epochs.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    labels_path : Path
        Test labels.
    """
    from gmvae.bench.runs import metrics

    record = Record.read(folder)
    made_from = _made_from(folder, labels_path)
    test = files.read_arrays(folder / "test.npz")
    clusters = test["clusters"]
    if not len(clusters):
        return Scores(record.run.path, record.status, None, {}, made_from)
    known = files.read_array(labels_path)
    labels = known if len(known) else None  # a data set may have none
    if labels is not None and len(labels) != len(clusters):
        raise DataError(
            f"{folder} holds {len(clusters)} test samples, but {labels_path} {len(labels)} labels: "
            "the run belongs to other data; delete its folder and run the same command again"
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
        final=vars(metrics.evaluate(clusters, test.get("exemplars"), labels)),
        epochs={name: [epoch[name] for epoch in epochs] for name in (epochs or [{}])[0]},
        made_from=made_from,
    )


@cache
def scoring_sources() -> str:
    """Checksum of the code that decides the scores."""
    return source_checksum(more=(HERE / "score.py", HERE / "metrics.py"))


def _made_from(folder: Path, labels: Path) -> dict[str, str]:
    names = {"test": folder / "test.npz", "epochs": folder / "epochs.npz", "labels": labels}
    for path in names.values():
        if not path.is_file():
            raise DataError(f"{path} does not exist; run the command that makes it again")
    checksums = {name: files.sha256(path) for name, path in names.items()}
    return {**checksums, "sources": scoring_sources()}
