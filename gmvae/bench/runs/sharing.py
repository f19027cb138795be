"""A network that several runs have in common: one of them trains it, and the others read it.

The rows of a plain VAE differ in what is done with its codes, and train the same network from the
same seed. A run that reads it ends with the same bits as one that trains it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gmvae.bench.disk.errors import DataError
from gmvae.bench.grid.methods import import_class
from gmvae.bench.runs import environment
from gmvae.bench.runs.record import Record

if TYPE_CHECKING:
    from gmvae.bench.grid.runs import Run

METHOD = "fit_to_network"
"""Of a class whose network does not depend on the clusters."""


@dataclass(frozen=True)
class SharedNetwork:
    """The network of another run.

    Attributes
    ----------
    path : str
        Path of that run below the results folder.
    file : Path
        Its ``model.safetensors``.
    history : dict of str to ndarray
        Epoch means of its training.
    """

    path: str
    file: Path
    history: dict[str, NDArray[Any]]

    @property
    def seconds(self) -> float:
        """Time that the other run spent on the network."""
        return float(self.history["seconds"][-1])

    def give(self, estimator: Any, train: NDArray[Any]) -> None:
        """Fit the clusters of an unfitted estimator to the network, on samples (N, n_features)."""
        getattr(estimator, METHOD)(train, self.file, history=self.history)


def shared_network(
    run: Run, folder: Path, is_current: Callable[[Run, Path], bool]
) -> SharedNetwork | None:
    """The network that a run would train, from a run that has trained it.

    Parameters
    ----------
    run : Run
    folder : Path
        Its own folder, below that of all results.
    is_current : callable
        Whether a folder holds the result of a run, from the present data and code.

    Returns
    -------
    SharedNetwork or None
        None if there is no such run, or if the class of this run trains a network of its own.
    """
    if not hasattr(import_class(run.class_path), METHOD) or run.parameters.get("n_init", 1) != 1:
        return None
    # runs/{dataset}/{method}/{setting}/seed{seed}
    for other in sorted(folder.parents[2].glob(f"*/*/{folder.name}")):
        try:
            record = Record.read(other)
        except DataError:
            continue
        if other != folder and _same_network(run, record) and is_current(record.run, other):
            history = pd.read_csv(other / "history.csv")
            columns = {str(name): np.asarray(history[name]) for name in history}
            return SharedNetwork(record.run.path, other / "model.safetensors", columns)
    return None


def _same_network(run: Run, record: Record) -> bool:
    other = record.run
    return (
        record.status == "finished"
        and (other.dataset, other.seed) == (run.dataset, run.seed)
        and dict(other.parameters) == dict(run.parameters)
        and record.libraries == environment.libraries()
        and record.machine["processor"] == environment.machine()["processor"]
        and hasattr(import_class(other.class_path), METHOD)
    )
