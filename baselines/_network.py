"""What every clusterer with a network shares: checks, seeding, trainings in turn, results."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from baselines._autoencoder import Masking, Reconstruction, Score
from gmvae.architectures import Architecture, architecture
from gmvae.checkpoints import Checkpoints, checkpoints_of
from gmvae.devices import resolve_device, seeded
from gmvae.evaluation import evaluate
from gmvae.parameters import check_parameters
from gmvae.progress import History
from gmvae.samples import as_samples, fitting_samples
from gmvae.steps import TrainingSettings, TrainingStep
from gmvae.training import Record, Training

OnEpoch = Callable[[Any, int], Record | None]


class NetworkClusterer(ClusterMixin, BaseEstimator):
    """A network that is learnt in one or several trainings, and clusters.

    A subclass has the parameters of `gmvae.steps.TrainingSettings` and ``n_clusters``,
    ``network``, ``x_dim``, ``observation`` and ``random_state``.

    Attributes
    ----------
    model_ : Module
    labels_ : ndarray of int, shape (n_samples,)
        Clusters of the training samples.
    history_ : dict of str to ndarray, shape (epochs,)
        Epoch means, one training after the other; NaN where a value belongs to another of them.
    records_ : list of dict of str to ndarray
        What `on_epoch` returned, for the epochs in which there were clusters.
    """

    accepts_bytes = True

    def fit(
        self,
        Y: ArrayLike,
        y: None = None,
        *,
        on_epoch: OnEpoch | None = None,
        checkpoint: Checkpoints | str | Path | None = None,
    ) -> Self:
        """Train on samples `Y`, shape (n_samples, n_features); arguments as `gmvae.GMVAE.fit`."""
        check_parameters(self.get_params())
        samples = fitting_samples(self, Y).to(resolve_device(self.device))
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.history_: dict[str, NDArray] = {}
        self.records_: list[Record] = []
        with checkpoints_of(checkpoint, [self], samples) as checkpoints:
            self._checkpoints, self._on_epoch = checkpoints, on_epoch
            try:
                with seeded(seed, samples.device):
                    self._learn(samples, seed)
            finally:
                del self._checkpoints, self._on_epoch
            self.labels_ = self._clusters(samples)
        return self

    @abstractmethod
    def _learn(self, samples: Tensor, seed: int) -> None:
        """Build and train ``model_`` on the samples; torch is seeded."""

    @abstractmethod
    def _clusters(self, samples: Tensor) -> NDArray[np.intp]:
        """Clusters of checked samples, shape (N,)."""

    def _train(self, name: str, step: TrainingStep, *, observed: bool = True) -> History:
        """Run one training to its end, and add it to the history.

        Parameters
        ----------
        name : str
            Of its checkpoints.
        step : TrainingStep
            Its settings say how long.
        observed : bool
            Whether there are clusters that `on_epoch` can be shown.
        """
        training = Training(step, step.settings, self._checkpoints, name)
        on_epoch = self._on_epoch if observed else None

        def tell(_: int, epoch: int) -> Record | None:
            return on_epoch(self, epoch) if on_epoch else None

        before = self.history_
        try:
            training.run(step.settings.epochs, tell if on_epoch else None)
        finally:
            history = training.histories[0] if training.histories else {}
            self.history_ = joined(before, history)
        if on_epoch:
            self.records_ = [*self.records_, *training.records[0]]
        return history

    def _train_autoencoder(
        self,
        samples: Tensor,
        generator: torch.Generator,
        score: Score,
        modules: Sequence[nn.Module],
    ) -> None:
        """Let `modules` of ``model_`` learn to reconstruct, before there are clusters.

        For a subclass with the parameters ``masked``, ``pretrain_epochs`` and
        ``pretrain_learning_rate``; `score` as for `baselines._autoencoder.Reconstruction`.
        """
        corruption = Masking(self.masked) if self.masked else None
        step = TrainingStep(
            self.model_,
            Reconstruction(score, corruption),
            samples,
            TrainingSettings.pretraining(self),
            generator,
            modules=modules,
        )
        self._train("autoencoder", step, observed=False)

    def _architecture(self) -> tuple[Architecture, int]:
        """The architecture and the size of its code."""
        arch = architecture(self.network)
        return arch, arch.x_dim if self.x_dim is None else self.x_dim

    def _read(
        self, function: Callable[[Tensor], tuple[Tensor, ...]], Y: ArrayLike
    ) -> list[NDArray[np.float32]]:
        check_is_fitted(self, "model_")
        device = next(self.model_.parameters()).device
        return evaluate(function, as_samples(self, Y), device)

    def save(self, path: Any) -> None:
        """Write all that was learnt to one safetensors file."""
        from safetensors.torch import save_file

        tensors = {name: value.contiguous() for name, value in self._learnt().items()}
        save_file(tensors, path, {"format": "network-1", "class": type(self).__name__})

    def _learnt(self) -> dict[str, Tensor]:
        return {f"model.{name}": value for name, value in self.model_.state_dict().items()}


class ProbabilisticClusterer(NetworkClusterer):
    """A `NetworkClusterer` whose network itself gives cluster probabilities."""

    @abstractmethod
    def _probabilities(self, y: Tensor) -> Tensor:
        """Cluster probabilities of a batch (B, y_dim), shape (B, n_clusters)."""

    def predict_proba(self, Y: ArrayLike) -> NDArray[np.float32]:
        """Probability of each cluster, shape (n_samples, n_clusters)."""
        return self._read(lambda y: (self._probabilities(y),), Y)[0]

    def predict(self, Y: ArrayLike) -> NDArray[np.intp]:
        """Most probable cluster of each sample, shape (n_samples,)."""
        return self.predict_proba(Y).argmax(axis=1)

    def _clusters(self, samples: Tensor) -> NDArray[np.intp]:
        read = evaluate(lambda y: (self._probabilities(y),), samples, samples.device)
        return read[0].argmax(axis=1)


def joined(before: dict[str, NDArray], history: History) -> dict[str, NDArray]:
    """Add the epochs of one training to those of the trainings before it.

    Parameters
    ----------
    before : dict of str to ndarray, shape (n,)
    history : dict of str to list of float, of length m

    Returns
    -------
    dict of str to ndarray, shape (n + m,)
        Epochs and seconds go on; what one of them lacks is NaN there.
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
