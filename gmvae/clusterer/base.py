"""Base classes of clusterers with a network: parameters, fit, and reading of results."""

from __future__ import annotations

import copy
import typing
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gmvae.clusterer.evaluation import evaluate, most_probable, warn_of_collapse
from gmvae.clusterer.parameters import (
    BatchSize,
    Count,
    Criterion,
    Device,
    Epochs,
    Flag,
    NetworkName,
    Observation,
    Positive,
    Precision,
    Schedule,
    Seed,
    Shape,
    check_parameters,
)
from gmvae.clusterer.samples import as_samples, fitting_samples
from gmvae.clusterer.selection import FEWEST_THAT_AGREE, ranked
from gmvae.model.architectures import Architecture, architecture
from gmvae.training.checkpoints import Checkpoints, checkpoints_of
from gmvae.training.devices import RandomStream, resolve_device
from gmvae.training.loop import DivergenceError, Record
from gmvae.training.progress import Progress
from gmvae.training.restarts import Phase, Restart, best_first, stages_of, warn_of_failure
from gmvae.training.schedule import enough_epochs, warn_if_short

OnEpoch = Callable[[Any, int], Record | None]


@dataclass(eq=False, repr=False)
class NetworkClusterer(ClusterMixin, BaseEstimator):
    """Base class of all clusterers with a network.

    Fields are parameters, and their annotations are constraints (see
    `gmvae.clusterer.parameters`). Subclasses override defaults and add fields.

    Parameters
    ----------
    n_clusters : int, default=10
    network : {"dec-fc", "fast-conv", "fast-fc", "paper-conv", "paper-fc"}, default="fast-fc"
        Architecture; the convolutional ones need images.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
    image_shape, epochs, batch_size, learning_rate, schedule, n_init, select_by, precision, \
device, verbose
        As for `gmvae.GMVAE`.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    model_ : Module
    labels_ : ndarray of int, shape (n_samples,)
        Clusters of the training samples.
    epochs_, select_by_
        As for `gmvae.GMVAE`.
    history_ : dict of str to ndarray, shape (epochs,)
        Epoch means, phase after phase; NaN where a phase has no such value.
    records_ : list of dict of str to ndarray
        Arrays that `on_epoch` returned, from the phases that have clusters.
    best_init_, seed_ : int
        Number, from 0, and seed of the restart that was kept; during a fit, of the one under way.
    """

    n_clusters: Count = 10
    _: KW_ONLY
    network: NetworkName = "fast-fc"
    observation: Observation = "auto"
    image_shape: Shape | None = None
    epochs: Count | None = None
    batch_size: BatchSize = 128
    learning_rate: Positive = 1e-3
    schedule: Schedule = "cosine"
    n_init: Count = 1
    select_by: Criterion = "agreement"
    precision: Precision = "float32"
    device: Device = "cpu"
    verbose: Flag = False
    random_state: Seed = None

    accepts_bytes = True
    epochs_for_many = 20

    def fit(
        self,
        Y: ArrayLike,
        y: None = None,
        *,
        on_epoch: OnEpoch | None = None,
        checkpoint: Checkpoints | str | Path | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Train on samples.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)
            Real values; or bytes (uint8), which are read as pixels from 0 to 255.
        y : ignored
        on_epoch : callable, optional
            Called as ``on_epoch(estimator, epoch)`` after each epoch, when the estimator can
            already predict; ``estimator.best_init_`` is the restart under way. A dict of arrays
            that it returns becomes part of ``records_``. It is not called while an autoencoder is
            trained, whose epochs are counted all the same.
        checkpoint : str, Path or Checkpoints, optional
            Folder for the state of the training. If the fit is killed, the same fit resumes from
            there and ends with the same bits. A complete fit removes the folder, unless it was
            given as `Checkpoints`. Needs an integer `random_state`.
        progress : callable, optional
            Called with a `gmvae.training.progress.EpochReport` after each epoch, instead of what
            `verbose` shows.

        Raises
        ------
        ValueError
            If a parameter or `Y` is not as described.
        DivergenceError
            If the loss becomes NaN or infinite in every restart.
        """
        samples = self._begin(Y)
        warn_if_short(self, len(samples))
        self.history_: dict[str, NDArray] = {}
        self.records_: list[Record] = []
        with checkpoints_of(checkpoint, [self], samples) as checkpoints:
            restarts = self._restarts(samples, checkpoints, progress)
            try:
                self._keep_best(restarts, samples, on_epoch)
            except DivergenceError as error:
                error.history = error.history or {k: list(v) for k, v in self.history_.items()}
                self.history_ = {name: np.asarray(v) for name, v in error.history.items()}
                raise
        warn_of_collapse(self.labels_, self.n_clusters)
        return self

    @abstractmethod
    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make ``model_`` and yield the phases of its training, one after the other.

        torch is seeded whenever the next phase is asked for.

        Parameters
        ----------
        samples : Tensor, shape (N, y_dim)
            Training samples, on the device.
        seed : int
            Seed for libraries other than torch.
        """

    @abstractmethod
    def clusters_of(self, samples: Tensor) -> NDArray[np.intp]:
        """Clusters of checked samples (N, y_dim), shape (N,), also during a fit."""

    def _begin(self, Y: ArrayLike) -> Tensor:
        """Check parameters and samples; returns the samples, on the device."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)  # from an earlier fit
        annotations = typing.get_type_hints(type(self), include_extras=True)
        check_parameters(annotations, self.get_params())
        if self.select_by == "agreement" and 1 < self.n_init < FEWEST_THAT_AGREE:
            raise ValueError(
                f"select_by='agreement' needs n_init of at least {FEWEST_THAT_AGREE} (or 1, a "
                f"single training), since two restarts agree with each other alike; got "
                f"n_init={self.n_init}"
            )
        samples = fitting_samples(self, Y).to(resolve_device(self.device))
        enough = enough_epochs(self.epochs_for_many, len(samples), self.batch_size)
        self.epochs_ = self.epochs or enough
        self.select_by_ = self.select_by
        return samples

    def _restarts(
        self,
        samples: Tensor,
        checkpoints: Checkpoints | None = None,
        progress: Progress | None = None,
    ) -> list[Restart]:
        """An untrained restart for each of `n_init` seeds."""
        random = check_random_state(self.random_state)
        restarts = []
        for number in range(self.n_init):
            seed = int(random.randint(np.iinfo(np.int32).max))
            estimator = copy.copy(self)
            estimator.best_init_, estimator.seed_ = number, seed
            restarts.append(
                Restart(
                    number,
                    estimator,
                    estimator.phases(samples, seed),
                    RandomStream(seed, samples.device),
                    checkpoints,
                    progress,
                    is_one_of_many=self.n_init > 1,
                )
            )
        return restarts

    def _stages(self) -> list[tuple[int, int]]:
        """Epochs after which restarts are compared, and the numbers that go on."""
        return stages_of(self.n_init, self.epochs_, self.epochs_)

    def _ranked(
        self, candidates: Sequence[Any], everyone: Sequence[Any], samples: Tensor
    ) -> list[Any]:
        return ranked(candidates, everyone, self.select_by_, samples)

    def _keep_best(
        self, restarts: Sequence[Restart], samples: Tensor, on_epoch: OnEpoch | None
    ) -> None:
        """Train the restarts and keep the best one whose results are finite."""

        def tell(restart: Restart, epoch: int) -> Record | None:
            self._adopt(restart)
            return on_epoch(self, epoch) if on_epoch and restart.has_clusters else None

        def order(candidates: Sequence[Restart], everyone: Sequence[Restart]) -> list[Restart]:
            return self._ranked(candidates, everyone, samples)

        for restart in best_first(restarts, self._stages(), self.epochs_, order, tell):
            self._adopt(restart)
            try:
                self._finish(samples)
                return
            except DivergenceError as error:
                last_error = error
                if self.n_init > 1:
                    warn_of_failure(restart.number, self.n_init, error)
        raise last_error

    def _adopt(self, restart: Any) -> None:
        """Take over the state of a restart (`Restart` or `Lane`), in training or after it."""
        for name, value in vars(restart.estimator).items():
            if name.endswith("_"):
                setattr(self, name, value)
        self.history_ = {name: np.asarray(values) for name, values in restart.history.items()}
        self.records_ = restart.records

    def _finish(self, samples: Tensor) -> None:
        """Compute the results for the training samples."""
        self.labels_ = self.clusters_of(samples)

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

    def _arch(self) -> Architecture:
        """The architecture, for samples of the shape that was found."""
        return replace(architecture(self.network), image_shape=self.image_shape_)

    def _architecture(self) -> tuple[Architecture, int]:
        """The architecture, and the size of the code."""
        arch = self._arch()
        return arch, arch.x_dim if self.x_dim is None else self.x_dim


@dataclass(kw_only=True, eq=False, repr=False)
class ProbabilisticClusterer(NetworkClusterer):
    """A clusterer whose network gives the probability of each cluster, also while it is trained.

    Parameters
    ----------
    init_epochs : int or list of int, optional
        As for `gmvae.GMVAE`.
    """

    init_epochs: Epochs | None = None

    @abstractmethod
    def _probabilities(self, y: Tensor) -> Tensor:
        """Cluster probabilities of a batch (B, y_dim), shape (B, n_clusters)."""

    def clusters_of(self, samples: Tensor) -> NDArray[np.intp]:
        """Most probable clusters of checked samples (N, y_dim), shape (N,), also during a fit."""
        return most_probable(self._all_probabilities, samples, must_be_finite=True)

    def _stages(self) -> list[tuple[int, int]]:
        return stages_of(self.n_init, self.init_epochs or self.epochs_, self.epochs_)

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
        return most_probable(self._all_probabilities, self._samples(Y))
