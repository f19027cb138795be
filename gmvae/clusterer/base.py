"""Base classes of clusterers with a network: parameters, fit, phases of a fit and results."""

from __future__ import annotations

import typing
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gmvae.clusterer.evaluation import evaluate
from gmvae.clusterer.parameters import (
    BatchSize,
    Count,
    Device,
    Flag,
    NetworkName,
    Observation,
    Positive,
    Precision,
    Schedule,
    Seed,
    check_parameters,
)
from gmvae.clusterer.samples import as_samples, fitting_samples
from gmvae.model.architectures import Architecture, architecture
from gmvae.training.checkpoints import Checkpoints, checkpoints_of
from gmvae.training.devices import resolve_device, seeded
from gmvae.training.loop import DivergenceError, Record, Training
from gmvae.training.progress import History, Progress
from gmvae.training.step import TrainingStep

OnEpoch = Callable[[Any, int], Record | None]


@dataclass(eq=False, repr=False)
class TrainedClusterer(ClusterMixin, BaseEstimator):
    """Base class of all clusterers with a network: parameters, samples, reading of results.

    Fields are parameters, and their annotations are constraints (see
    `gmvae.clusterer.parameters`). Subclasses override defaults and add fields.

    Parameters
    ----------
    n_clusters : int, default=10
    network : {"dec-fc", "fast-conv", "fast-fc", "paper-conv", "paper-fc"}, default="fast-fc"
        Architecture; the convolutional ones need square images.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
    epochs, batch_size, learning_rate, schedule, precision, device, verbose
        As for `gmvae.GMVAE`.
    random_state : int, RandomState or None, default=None
    """

    n_clusters: Count = 10
    _: KW_ONLY
    network: NetworkName = "fast-fc"
    observation: Observation = "auto"
    epochs: Count = 20
    batch_size: BatchSize = 128
    learning_rate: Positive = 1e-3
    schedule: Schedule = "cosine"
    precision: Precision = "float32"
    device: Device = "cpu"
    verbose: Flag = False
    random_state: Seed = None

    accepts_bytes = True

    def _start(self, Y: ArrayLike) -> Tensor:
        """Check parameters and samples; returns the samples, on the device."""
        annotations = typing.get_type_hints(type(self), include_extras=True)
        check_parameters(annotations, self.get_params())
        return fitting_samples(self, Y).to(resolve_device(self.device))

    def _samples(self, Y: ArrayLike) -> Tensor:
        """Check samples for an estimator that has been fitted."""
        check_is_fitted(self, "model_")
        return as_samples(self, Y)

    def _evaluate(
        self, function: Callable[[Tensor], tuple[Tensor, ...]], samples: Tensor
    ) -> list[NDArray[np.float32]]:
        """Apply a function of batches to checked samples."""
        return evaluate(function, samples, self._device())

    def _read(
        self, function: Callable[[Tensor], tuple[Tensor, ...]], Y: ArrayLike
    ) -> list[NDArray[np.float32]]:
        """Apply a function of batches to samples that are yet to be checked."""
        return self._evaluate(function, self._samples(Y))

    def _device(self) -> torch.device:
        return next(self.model_.parameters()).device


@dataclass(kw_only=True, eq=False, repr=False)
class ProbabilisticClusterer(TrainedClusterer):
    """A clusterer whose network gives the probability of each cluster."""

    @abstractmethod
    def _probabilities(self, y: Tensor) -> Tensor:
        """Cluster probabilities of a batch (B, y_dim), shape (B, n_clusters)."""

    def _all_probabilities(self, samples: Tensor) -> NDArray[np.float32]:
        """Cluster probabilities of checked samples, shape (N, n_clusters)."""
        return self._evaluate(lambda y: (self._probabilities(y),), samples)[0]

    def predict_proba(self, Y: ArrayLike) -> NDArray[np.float32]:
        """Probability of each cluster.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_clusters)
            Probabilities, each row adding up to 1.
        """
        return self._all_probabilities(self._samples(Y))

    def predict(self, Y: ArrayLike) -> NDArray[np.intp]:
        """Most probable cluster of each sample of `Y`, shape (n_samples,)."""
        return self.predict_proba(Y).argmax(axis=1)


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkClusterer(TrainedClusterer):
    """A clusterer whose network is trained once, or in several phases.

    Attributes
    ----------
    model_ : Module
    labels_ : ndarray of int, shape (n_samples,)
        Clusters of the training samples.
    history_ : dict of str to ndarray, shape (epochs,)
        Epoch means, phase after phase; NaN where a phase has no such value.
    records_ : list of dict of str to ndarray
        Arrays that `on_epoch` returned, from the phases that have clusters.
    """

    def fit(
        self,
        Y: ArrayLike,
        y: None = None,
        *,
        on_epoch: OnEpoch | None = None,
        checkpoint: Checkpoints | str | Path | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Train on samples `Y`, shape (n_samples, n_features); arguments as for `gmvae.GMVAE.fit`.

        `on_epoch` is called only once there are clusters, not while an autoencoder is trained; the
        epochs of the autoencoder are counted all the same.
        """
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)  # from an earlier fit
        samples = self._start(Y)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.history_: dict[str, NDArray] = {}
        self.records_: list[Record] = []
        with checkpoints_of(checkpoint, [self], samples) as checkpoints:
            try:
                with seeded(seed, samples.device):
                    self._learn(samples, seed, Phases(self, checkpoints, on_epoch, progress))
                self.labels_ = self._clusters(samples)
            except DivergenceError as error:
                error.history = {name: list(values) for name, values in self.history_.items()}
                raise
        return self

    @abstractmethod
    def _learn(self, samples: Tensor, seed: int, phases: Phases) -> None:
        """Build and train ``model_`` on the samples; torch is seeded."""

    @abstractmethod
    def _clusters(self, samples: Tensor) -> NDArray[np.intp]:
        """Clusters of checked samples, shape (N,)."""

    def _architecture(self) -> tuple[Architecture, int]:
        """The architecture, and the size of the code."""
        arch = architecture(self.network)
        return arch, arch.x_dim if self.x_dim is None else self.x_dim

    def save(self, path: Any) -> None:
        """Write all that was learnt to a safetensors file, which other programs can read."""
        from safetensors.torch import save_file

        check_is_fitted(self, "model_")
        tensors = {name: value.contiguous() for name, value in self._learnt().items()}
        save_file(tensors, path, {"format": "network-1", "class": type(self).__name__})

    def _learnt(self) -> dict[str, Tensor]:
        return {f"model.{name}": value for name, value in self.model_.state_dict().items()}


@dataclass(kw_only=True, eq=False, repr=False)
class ProbabilisticNetworkClusterer(ProbabilisticClusterer, NetworkClusterer):
    """A `NetworkClusterer` whose network gives the probability of each cluster."""

    def _clusters(self, samples: Tensor) -> NDArray[np.intp]:
        probabilities = self._all_probabilities(samples)
        if not np.isfinite(probabilities).all():
            raise DivergenceError(
                "training diverged in its last step: the cluster probabilities of the training "
                "samples are not finite; a lower learning_rate usually helps"
            )
        return probabilities.argmax(axis=1)


@dataclass(frozen=True)
class Phases:
    """The phases of a fit: trainings that share one history and one list of records.

    Attributes
    ----------
    estimator : NetworkClusterer
    checkpoints : Checkpoints or None
    on_epoch : callable or None
    progress : callable or None
    """

    estimator: NetworkClusterer
    checkpoints: Checkpoints | None
    on_epoch: OnEpoch | None
    progress: Progress | None

    def train(self, name: str, step: TrainingStep, *, observed: bool = True) -> History:
        """Run one phase to its end.

        Parameters
        ----------
        name : str
            Name of its checkpoints.
        step : TrainingStep
            Its settings give the number of epochs.
        observed : bool
            Whether this phase has clusters, so that `on_epoch` is called.

        Returns
        -------
        dict of str to list of float
            History of this phase alone.
        """
        estimator, on_epoch = self.estimator, self.on_epoch if observed else None
        settings = step.settings
        training = Training(step, settings, self.checkpoints, name, progress=self.progress)
        history, records = estimator.history_, estimator.records_
        n_before = len(history.get("epoch", ()))

        def note() -> None:
            if training.history:
                estimator.history_ = joined(history, training.history)
            if training.history and on_epoch:
                estimator.records_ = [*records, *training.records]

        def tell(epoch: int) -> Record | None:
            note()
            return on_epoch(estimator, n_before + epoch) if on_epoch else None

        try:
            training.run(settings.epochs, tell)
        finally:
            step.set_training(False)
            note()
        return training.history


def joined(before: dict[str, NDArray], history: History) -> dict[str, NDArray]:
    """Append the history of a phase to the history before it.

    Parameters
    ----------
    before : dict of str to ndarray, shape (n,)
    history : dict of str to list of float, of length m

    Returns
    -------
    dict of str to ndarray, shape (n + m,)
        Epochs and seconds go on; a value that one of the two lacks is NaN there.
    """
    after = {name: np.asarray(values) for name, values in history.items()}
    if not before or not after:
        return before or after
    for name in ("epoch", "seconds"):
        after[name] = after[name] + before[name][-1]
    n_before, n_after = len(before["epoch"]), len(after["epoch"])
    return {
        name: np.concatenate(
            [before.get(name, np.full(n_before, np.nan)), after.get(name, np.full(n_after, np.nan))]
        )
        for name in {**before, **after}
    }
