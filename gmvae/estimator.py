"""GMVAE (Dilokthanakul et al., arXiv:1611.02648v2) with scikit-learn's clusterer interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state
from torch import Tensor

from gmvae.clusterer import together
from gmvae.clusterer.base import OnEpoch
from gmvae.clusterer.generative import GenerativeClusterer
from gmvae.clusterer.parameters import Count, NonNegative, Objective
from gmvae.model.architectures import architecture
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.objective import GMVAEObjective
from gmvae.training.checkpoints import Checkpoints, checkpoints_of
from gmvae.training.devices import noise_generator, seeded
from gmvae.training.loop import DivergenceError, Record, Training, finite_elbo
from gmvae.training.progress import Progress
from gmvae.training.restarts import Restart, best_first, warn_of_failure
from gmvae.training.step import TrainingSettings, TrainingStep


@dataclass(kw_only=True, eq=False, repr=False)
class GMVAE(TransformerMixin, GenerativeClusterer):
    """Gaussian mixture variational autoencoder, a deep generative clusterer.

    The model and its objective are those of version 2 of the paper [1]_: a continuous latent x has
    a mixture of K Gaussians as its prior, and a network computes the means and variances of its
    components from a second latent w. The cluster of a sample is the most probable component at the
    posterior means of x and w.

    Parameters
    ----------
    n_clusters : int, default=10
        K, the number of mixture components.
    n_samples_mc : int, default=1
        M, the number of Monte-Carlo samples of (x, w) per sample in training.
    network : {"dec-fc", "fast-conv", "fast-fc", "paper-conv", "paper-fc"}, default="fast-fc"
        Architecture; the convolutional ones need square images.
    x_dim, w_dim : int, optional
        Sizes of the clustered latent and of the style latent; by default, those of `network`.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
        Family of p(y | x). "auto" means Bernoulli for bytes and for values from 0 to 1, else
        Gaussian.
    objective : {"paper", "exact"}, default="paper"
        The paper's four terms, or the bound with z summed out.
    z_prior_threshold : float, default=0.5
        lambda in nats: below it the z-prior term has no gradient (objective "paper" only).
    z_prior_warmup_epochs : float, default=0
        Epochs over which the weight of the z-prior rises from 0 to 1 (objective "paper" only).
    epochs : int, default=20
    batch_size : int, default=128
        Samples per step. A smaller data set is one batch, and an incomplete last batch is left out
        of its epoch.
    learning_rate : float, default=1e-3
    schedule : {"cosine", "constant"}, default="cosine"
        Course of the learning rate; "cosine" lowers it to zero over the training.
    n_init : int, default=1
        Number of trainings from different random numbers; the one with the best training ELBO (mean
        of its last epoch) is kept.
    init_epochs : int, optional
        Epochs after which the `n_init` trainings are compared; only the best is then trained to the
        end. By default, all are.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of matrix products in training; results are always computed in float32.
    device : {"cpu", "cuda", "auto"}, default="cpu"
    verbose : bool, default=False
        Show progress on standard error: a bar on a terminal, else a line per epoch.
    random_state : int, RandomState or None, default=None
        Makes the result repeatable on one machine.

    Attributes
    ----------
    labels_ : ndarray of int, shape (n_samples,)
        Clusters of the training samples.
    elbo_ : float
        Mean bound of the training samples after training, nats per sample.
    history_ : dict of str to ndarray, shape (epochs,)
        Epoch means over training batches: ``epoch``, ``seconds``, ``loss``, ``elbo``,
        ``reconstruction``, ``conditional_prior``, ``w_prior``, ``z_prior``.
    records_ : list of dict of str to ndarray
        Arrays that `on_epoch` returned after each epoch.
    model_ : GMVAEModel
        The trained networks.
    best_init_ : int
        Number, from 0, of the training that was kept; during a fit, of the one under way.
    observation_ : str
        Family of p(y | x) in use.
    n_features_in_ : int
        Values per sample.

    References
    ----------
    .. [1] N. Dilokthanakul et al., "Deep Unsupervised Clustering with Gaussian Mixture Variational
       Autoencoders", arXiv:1611.02648v2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from gmvae import GMVAE
    >>> Y = load_digits().data / 16
    >>> clusters = GMVAE(n_clusters=10, epochs=2, random_state=0).fit_predict(Y)
    >>> clusters.shape
    (1797,)
    """

    n_samples_mc: Count = 1
    x_dim: Count | None = None
    w_dim: Count | None = None
    objective: Objective = "paper"
    z_prior_threshold: NonNegative = 0.5
    z_prior_warmup_epochs: NonNegative = 0
    n_init: Count = 1
    init_epochs: Count | None = None

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
            that it returns becomes part of ``records_``.
        checkpoint : str, Path or Checkpoints, optional
            Folder for the state of the training. If the fit is killed, the same fit resumes from
            there and ends with the same bits. A complete fit removes the folder, unless it was
            given as `Checkpoints`. Needs an integer `random_state`.
        progress : callable, optional
            Called with a `gmvae.training.progress.EpochReport` after each epoch, instead of what
            `verbose` shows.

        Returns
        -------
        GMVAE

        Raises
        ------
        ValueError
            If a parameter or `Y` is not as described.
        DivergenceError
            If the loss becomes NaN or infinite in every restart.
        """
        samples = self._start(Y)
        with checkpoints_of(checkpoint, [self], samples) as checkpoints:
            restarts = [
                self._restart(number, seed, samples, checkpoints, progress)
                for number, seed in enumerate(self._seeds())
            ]
            self._train(restarts, samples, on_epoch)
        return self

    @classmethod
    def fit_together(
        cls,
        estimators: Sequence[GMVAE],
        Y: ArrayLike,
        *,
        on_epoch: OnEpoch | None = None,
        checkpoint: Checkpoints | str | Path | None = None,
        progress: Progress | None = None,
    ) -> list[DivergenceError | None]:
        """Fit estimators that differ in `random_state` alone as one batched computation.

        Up to rounding, each ends as its own `fit` would end. One difference: if the best restart
        diverges after the comparison, that estimator fails, while `fit` would go on with the next
        best restart. This is meant for a GPU, which one small network cannot fill; on a CPU it is
        slower than one `fit` after the other.

        Parameters
        ----------
        estimators : sequence of GMVAE
        Y : array-like, shape (n_samples, n_features)
        on_epoch : callable, optional
            As for `fit`, called for each estimator in turn.
        checkpoint : str, Path or Checkpoints, optional
            As for `fit`, one folder for all.
        progress : callable, optional
            As for `fit`, called once per epoch for all.

        Returns
        -------
        list of DivergenceError or None
            For each estimator, the reason why it could not be fitted.

        Raises
        ------
        ValueError
            If the estimators differ in anything else, or a parameter or `Y` is not as described.
        """
        members = [cls._member(one) for one in estimators]
        return together.fit_together(members, Y, on_epoch, checkpoint, progress)

    def _member(self) -> together.Member:
        return together.Member(
            estimator=self,
            start=self._start,
            lanes=self._lanes,
            objective=self._objective,
            compared_after=self._compared_after,
            adopt=self._adopt,
            finish=self._finish,
        )

    def _lanes(self, samples: Tensor) -> list[together.Lane]:
        return [
            together.Lane(number, seed, *self._seeded_model(seed, samples))
            for number, seed in enumerate(self._seeds())
        ]

    def _seeds(self) -> list[int]:
        """Draw one seed for each restart."""
        random = check_random_state(self.random_state)
        return [int(random.randint(np.iinfo(np.int32).max)) for _ in range(self.n_init)]

    def _compared_after(self) -> int:
        """Number of epochs after which restarts are compared."""
        return min(self.init_epochs or self.epochs, self.epochs)

    def _restart(
        self,
        number: int,
        seed: int,
        samples: Tensor,
        checkpoints: Checkpoints | None,
        progress: Progress | None,
    ) -> Restart:
        settings = TrainingSettings.of(self)
        network, generator = self._seeded_model(seed, samples)
        step = TrainingStep(network, self._objective(), samples, settings, generator)
        training = Training(
            step,
            settings,
            checkpoints,
            f"restart{number}",
            progress=progress,
            restart=self._reported(number),
        )
        return Restart(number, seed, network, training)

    def _reported(self, number: int) -> int | None:
        """Number of a restart in progress reports; None if there is only one."""
        return number if self.n_init > 1 else None

    def _train(
        self, restarts: Sequence[Restart], samples: Tensor, on_epoch: OnEpoch | None
    ) -> None:
        """Train the restarts and keep the best one whose results are finite."""

        def tell(restart: Restart, epoch: int) -> Record | None:
            self._adopt(restart)
            return None if on_epoch is None else on_epoch(self, epoch)

        for restart in best_first(restarts, self._compared_after(), self.epochs, tell):
            self._adopt(restart)
            try:
                self._finish(samples)
                return
            except DivergenceError as error:
                last_error = error
                if self.n_init > 1:
                    warn_of_failure(restart.number, self.n_init, error)
        raise last_error

    def _seeded_model(self, seed: int, samples: Tensor) -> tuple[GMVAEModel, torch.Generator]:
        """Make an untrained model, and the generator of the noise to train it with."""
        with seeded(seed, samples.device):
            model = self._build_model().to(samples.device)
            generator = noise_generator(samples.device)
        model.observation_model.set_units(samples)
        return model, generator

    def _adopt(self, restart: Restart | together.Lane) -> None:
        """Take over the state of a restart, in training or after it."""
        self.model_, self.seed_, self.best_init_ = restart.network, restart.seed, restart.number
        self.history_ = {name: np.asarray(values) for name, values in restart.history.items()}
        self.records_ = restart.records

    def _finish(self, samples: Tensor) -> None:
        history = {name: list(values) for name, values in self.history_.items()}
        self.elbo_ = finite_elbo(self._elbo(samples, n_samples_mc=1), history)
        self.labels_ = self._all_probabilities(samples).argmax(axis=1)

    def _build_model(self) -> GMVAEModel:
        return GMVAEModel(
            architecture(self.network),
            y_dim=self.n_features_in_,
            x_dim=self.x_dim,
            w_dim=self.w_dim,
            n_clusters=self.n_clusters,
            observation=self.observation_,
        )

    def _objective(self) -> GMVAEObjective:
        return GMVAEObjective(
            form=self.objective,
            n_samples_mc=self.n_samples_mc,
            z_prior_threshold=self.z_prior_threshold,
            z_prior_warmup_epochs=self.z_prior_warmup_epochs,
        )

    def transform(self, Y: ArrayLike) -> NDArray[np.floating]:
        """Posterior mean of x, the space that is clustered.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, x_dim)
        """
        means = self._evaluate(self.model_.clusters, self._samples(Y))[1]
        # scikit-learn's transformers return the type that they were given.
        return means.astype(np.float64) if getattr(Y, "dtype", None) == np.float64 else means
