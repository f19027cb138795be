"""GMVAE (Dilokthanakul et al., arXiv:1611.02648v2) with scikit-learn's clusterer interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gmvae.clusterer import storage
from gmvae.clusterer.evaluation import evaluate
from gmvae.clusterer.parameters import check_parameters, require_integer
from gmvae.clusterer.samples import as_samples, fitting_samples
from gmvae.model import objective
from gmvae.model.architectures import architecture
from gmvae.model.gmvae import GMVAEModel
from gmvae.training.checkpoints import Checkpoints, checkpoints_of
from gmvae.training.devices import noise_generator, resolve_device, seeded
from gmvae.training.loop import DivergenceError, Record, Training, finite_elbo
from gmvae.training.restarts import Restart, best_first, warn_of_failure
from gmvae.training.step import TrainingSettings, TrainingStep


class GMVAE(TransformerMixin, ClusterMixin, BaseEstimator):
    """Gaussian mixture variational autoencoder, a deep generative clusterer.

    The model and its objective are those of version 2 of the paper [1]_: a mixture of K Gaussians
    over a continuous latent x, whose means and variances a network makes from a second latent w.

    Parameters
    ----------
    n_clusters : int, default=10
        K, the number of mixture components.
    n_samples_mc : int, default=1
        M, the number of Monte-Carlo samples of (x, w) for each sample in training.
    network : {"dec-fc", "fast-conv", "fast-fc", "paper-conv", "paper-fc"}, default="fast-fc"
        Architecture; the convolutional ones need square images.
    x_dim, w_dim : int, optional
        Sizes of the clustered and of the style latent; by default those of `network`.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
        Family of p(y | x). "auto" takes Bernoulli for bytes and for values within 0 and 1, else
        Gaussian.
    objective : {"paper", "exact"}, default="paper"
        The paper's four terms, or the bound with z summed out.
    z_prior_threshold : float, default=0.5
        lambda in nats: below it the z-prior term has no gradient (objective "paper" only).
    z_prior_warmup_epochs : float, default=0
        Epochs over which the weight of the z-prior rises from 0 to 1 (objective "paper" only).
    epochs : int, default=20
    batch_size : int, default=128
        Samples a step; a smaller data set is one batch, and an incomplete last batch is left out
        of its epoch.
    learning_rate : float, default=1e-3
    schedule : {"cosine", "constant"}, default="cosine"
        Of the learning rate.
    n_init : int, default=1
        Trainings from different random numbers, of which the one with the best training ELBO (mean
        of its last epoch) is kept.
    init_epochs : int, optional
        Epochs after which these are compared, so that only the best is trained to the end; by
        default all are.
    precision : {"float32", "bfloat16"}, default="float32"
        Of matrix products while training; results are always read off in float32.
    device : {"cpu", "cuda", "auto"}, default="cpu"
    verbose : bool, default=False
        Show progress: a bar on a terminal, else a line an epoch, on standard error.
    random_state : int, RandomState or None, default=None
        Makes the result repeatable on one machine.

    Attributes
    ----------
    labels_ : ndarray of int, shape (n_samples,)
        Clusters of the training samples.
    elbo_ : float
        Mean bound of the training samples, nats a sample, after training.
    history_ : dict of str to ndarray, shape (epochs,)
        Epoch means over training batches: ``epoch``, ``seconds``, ``loss``, ``elbo``,
        ``reconstruction``, ``conditional_prior``, ``w_prior``, ``z_prior``.
    records_ : list of dict of str to ndarray
        What `on_epoch` returned after each epoch.
    model_ : GMVAEModel
        The trained networks.
    best_init_ : int
        Which of the `n_init` trainings was kept, from 0; during the fit the one that is trained.
    observation_ : str
        The family that is used.
    n_features_in_ : int
        Values a sample.

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

    accepts_bytes = True

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        n_samples_mc: int = 1,
        network: str = "fast-fc",
        x_dim: int | None = None,
        w_dim: int | None = None,
        observation: str = "auto",
        objective: str = "paper",
        z_prior_threshold: float = 0.5,
        z_prior_warmup_epochs: float = 0,
        epochs: int = 20,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: str = "cosine",
        n_init: int = 1,
        init_epochs: int | None = None,
        precision: str = "float32",
        device: str = "cpu",
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_clusters = n_clusters
        self.n_samples_mc = n_samples_mc
        self.network = network
        self.x_dim = x_dim
        self.w_dim = w_dim
        self.observation = observation
        self.objective = objective
        self.z_prior_threshold = z_prior_threshold
        self.z_prior_warmup_epochs = z_prior_warmup_epochs
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.n_init = n_init
        self.init_epochs = init_epochs
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def fit(
        self,
        Y: ArrayLike,
        y: None = None,
        *,
        on_epoch: Callable[[GMVAE, int], Record | None] | None = None,
        checkpoint: Checkpoints | str | Path | None = None,
    ) -> Self:
        """Train on samples.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)
            Real values; or bytes (uint8), which are read as pixels from 0 to 255.
        y : ignored
        on_epoch : callable, optional
            Called as ``on_epoch(estimator, epoch)`` after each epoch, when the estimator can
            already predict. With several restarts it follows each of them in turn;
            ``estimator.best_init_`` tells which. A dict of arrays that it returns becomes part of
            ``records_``.
        checkpoint : str, Path or Checkpoints, optional
            Folder for the state of the training, every 30 seconds or oftener. The same fit, after
            it was killed, goes on from there and ends with the same bits; when it is complete, the
            folder is removed (with `Checkpoints`, by who made them). Needs an integer
            `random_state`.

        Returns
        -------
        GMVAE
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If a parameter or `Y` is not as described.
        DivergenceError
            If the loss becomes NaN or infinite in every restart.
        """
        samples = self._start(Y)

        def tell(restart: Restart, epoch: int) -> Record | None:
            self._adopt(restart)
            return None if on_epoch is None else on_epoch(self, epoch)

        with checkpoints_of(checkpoint, [self], samples) as checkpoints:
            restarts = [
                self._restart(number, seed, samples, checkpoints)
                for number, seed in enumerate(self._seeds())
            ]
            for restart in best_first(restarts, self._compared_after(), self.epochs, tell):
                self._adopt(restart)
                try:
                    self._finish(samples)
                    break
                except DivergenceError as error:
                    last_error = error
                    if self.n_init > 1:
                        warn_of_failure(restart, self.n_init, error)
            else:
                raise last_error
        return self

    @staticmethod
    def fit_together(
        estimators: Sequence[GMVAE],
        Y: ArrayLike,
        *,
        on_epoch: Callable[[GMVAE, int], Record | None] | None = None,
        checkpoint: Checkpoints | str | Path | None = None,
    ) -> list[DivergenceError | None]:
        """Fit estimators that differ in `random_state` alone as one batched computation.

        Each comes out as from its own `fit`, up to rounding; but one whose best restart diverges
        after the restarts were compared has failed, while `fit` would go on with the next best.
        Meant for a GPU, which one small network cannot fill; on a processor it is slower than one
        `fit` after the other.

        Parameters
        ----------
        estimators : sequence of GMVAE
        Y : array-like, shape (n_samples, n_features)
        on_epoch : callable, optional
            As for `fit`, called for each estimator in turn.
        checkpoint : str, Path or Checkpoints, optional
            As for `fit`, one folder for all.

        Returns
        -------
        list of DivergenceError or None
            For each estimator the reason if it could not be fitted.

        Raises
        ------
        ValueError
            If the estimators differ otherwise, or a parameter or `Y` is not as described.
        """
        from gmvae.clusterer.together import fit_together

        return fit_together(estimators, Y, on_epoch, checkpoint)

    def _start(self, Y: ArrayLike) -> Tensor:
        """Check everything; the samples, on the device."""
        check_parameters(self.get_params())
        return fitting_samples(self, Y).to(resolve_device(self.device))

    def _seeds(self) -> list[int]:
        """One for each restart."""
        random = check_random_state(self.random_state)
        return [int(random.randint(np.iinfo(np.int32).max)) for _ in range(self.n_init)]

    def _compared_after(self) -> int:
        """Epochs after which restarts are compared."""
        return min(self.init_epochs or self.epochs, self.epochs)

    def _restart(
        self, number: int, seed: int, samples: Tensor, checkpoints: Checkpoints | None
    ) -> Restart:
        settings = TrainingSettings.of(self)
        network, generator = self._seeded_model(seed, samples)
        step = TrainingStep(network, self._objective(), samples, settings, generator)
        training = Training(step, settings, checkpoints, f"restart{number}")
        return Restart(number, seed, network, training)

    def _seeded_model(self, seed: int, samples: Tensor) -> tuple[GMVAEModel, torch.Generator]:
        """An untrained model and the generator of the noise to train it with."""
        with seeded(seed, samples.device):
            model = self._build_model().to(samples.device)
            generator = noise_generator(samples.device)
        model.observation_model.set_units(samples)
        return model, generator

    def _adopt(self, restart: Restart) -> None:
        """Take the state of a restart, in training or after it."""
        self.model_, self.seed_, self.best_init_ = restart.network, restart.seed, restart.number
        self.history_ = {name: np.asarray(values) for name, values in restart.history.items()}
        self.records_ = restart.records

    def _finish(self, samples: Tensor) -> None:
        history = {name: list(values) for name, values in self.history_.items()}
        self.elbo_ = finite_elbo(self._elbo(samples, n_samples_mc=1), history)
        self.labels_ = self._probabilities(samples).argmax(axis=1)

    def _build_model(self) -> GMVAEModel:
        return GMVAEModel(
            architecture(self.network),
            y_dim=self.n_features_in_,
            x_dim=self.x_dim,
            w_dim=self.w_dim,
            n_clusters=self.n_clusters,
            observation=self.observation_,
        )

    def _objective(self) -> objective.GMVAEObjective:
        return objective.GMVAEObjective(
            form=self.objective,
            n_samples_mc=self.n_samples_mc,
            z_prior_threshold=self.z_prior_threshold,
            z_prior_warmup_epochs=self.z_prior_warmup_epochs,
        )

    def predict(self, Y: ArrayLike) -> NDArray[np.intp]:
        """Most probable cluster of each sample.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of int, shape (n_samples,)
        """
        return self.predict_proba(Y).argmax(axis=1)

    def predict_proba(self, Y: ArrayLike) -> NDArray[np.float32]:
        """p(z | x, w) with x and w at their posterior means.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_clusters)
            Probabilities, each row adding up to 1.
        """
        return self._probabilities(self._samples(Y))

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
        # scikit-learn's transformers give back the type that they were given.
        return means.astype(np.float64) if getattr(Y, "dtype", None) == np.float64 else means

    def reconstruct(self, Y: ArrayLike) -> NDArray[np.float32]:
        """Mean of p(y | x) at the posterior mean of x.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_features)
        """

        def reconstruction(y: Tensor) -> tuple[Tensor]:
            x = self.model_.q_xw_given_y(y).q_x.mean
            return (self.model_.p_y_given_x(x.unsqueeze(0)).mean.squeeze(0),)

        return self._evaluate(reconstruction, self._samples(Y))[0]

    def elbo(self, Y: ArrayLike, n_samples_mc: int = 1) -> NDArray[np.float32]:
        """Bound on log p(y) of each sample, without threshold or weight.

        It is the mixture form, with z summed out, in which runs are compared. The random numbers
        are those of the training seed, so that the same `Y` gives the same answer.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)
        n_samples_mc : int, default=1
            M, the number of Monte-Carlo samples of (x, w).

        Returns
        -------
        ndarray, shape (n_samples,)
            Nats a sample.
        """
        require_integer("n_samples_mc", n_samples_mc)
        return self._elbo(self._samples(Y), n_samples_mc)

    def score(self, Y: ArrayLike, y: None = None) -> float:
        """Mean of `elbo` over the samples.

        Parameters
        ----------
        Y : array-like, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        float
            Nats a sample; higher is better.
        """
        return float(self.elbo(Y).mean())

    def sample(
        self,
        n_samples: int = 1,
        *,
        cluster: int | None = None,
        w: ArrayLike | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Generate samples: w, then z, then x, then the mean of p(y | x).

        Parameters
        ----------
        n_samples : int, default=1
        cluster : int, optional
            Component to draw from; by default one is drawn for each sample.
        w : array-like, shape (w_dim,) or (n_samples, w_dim), optional
            Style; by default drawn from N(0, I).
        random_state : int, RandomState or None, default=None

        Returns
        -------
        Y : ndarray, shape (n_samples, n_features)
            Means of the observations (for images, grey values from 0 to 1).
        clusters : ndarray of int, shape (n_samples,)
        """
        check_is_fitted(self)
        require_integer("n_samples", n_samples)
        random = check_random_state(random_state)
        styles = self._styles(n_samples, w, random)
        clusters = self._clusters_to_draw(n_samples, cluster, random)
        noise = random.standard_normal((n_samples, self.model_.x_dim)).astype(np.float32)
        device = self._device()
        with torch.no_grad():
            p_x = self.model_.p_x_given_wz(torch.from_numpy(styles).to(device))
            rows = torch.arange(n_samples, device=device), torch.from_numpy(clusters).to(device)
            spread = torch.exp(0.5 * p_x.log_var[rows])
            x = p_x.mean[rows] + torch.from_numpy(noise).to(device) * spread
            means = self.model_.p_y_given_x(x.unsqueeze(0)).mean.squeeze(0)
        return means.cpu().numpy(), clusters

    def _clusters_to_draw(
        self, n_samples: int, cluster: int | None, random: np.random.RandomState
    ) -> NDArray[np.intp]:
        n_clusters = self.model_.n_clusters
        if cluster is None:
            return random.randint(n_clusters, size=n_samples)
        whole = isinstance(cluster, Integral) and not isinstance(cluster, bool)
        if not whole or not 0 <= cluster < n_clusters:
            raise ValueError(f"cluster must be from 0 to {n_clusters - 1}, got {cluster!r}")
        return np.full(n_samples, int(cluster))

    def _styles(
        self, n_samples: int, w: ArrayLike | None, random: np.random.RandomState
    ) -> NDArray[np.float32]:
        shape = (n_samples, self.model_.w_dim)
        if w is None:
            return random.standard_normal(shape).astype(np.float32)
        styles = np.asarray(w, dtype=np.float32)
        if styles.shape not in (shape, shape[1:]) or not np.isfinite(styles).all():
            raise ValueError(
                f"w must be finite and of shape {shape[1:]} or {shape}, got shape {styles.shape}"
            )
        return np.ascontiguousarray(np.broadcast_to(styles, shape))

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one safetensors file, without pickle.

        Parameters
        ----------
        path : str or Path
        """
        check_is_fitted(self)
        storage.save(self, path)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu") -> Self:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : str or Path
        device : {"cpu", "cuda", "auto"}, default="cpu"

        Returns
        -------
        GMVAE

        Raises
        ------
        ValueError
            If the file is damaged or was not written by `save`.
        """
        stored = storage.load(path, cls.__name__)
        estimator = cls(**{**stored.parameters, "device": device})
        for name, value in stored.attributes.items():
            setattr(estimator, name, value)
        estimator.labels_, estimator.history_ = stored.labels, stored.history
        estimator.model_ = estimator._build_model()
        estimator.model_.load_state_dict(stored.state)
        estimator.model_.to(resolve_device(device)).eval()
        return estimator

    def _samples(self, Y: ArrayLike) -> Tensor:
        check_is_fitted(self)
        return as_samples(self, Y)

    def _device(self) -> torch.device:
        return next(self.model_.parameters()).device

    def _evaluate(self, function: Any, samples: Tensor) -> list[NDArray[np.float32]]:
        with torch.no_grad():
            return evaluate(function, samples, self._device())

    def _probabilities(self, samples: Tensor) -> NDArray[np.float32]:
        return self._evaluate(self.model_.clusters, samples)[0]

    def _elbo(self, samples: Tensor, n_samples_mc: int) -> NDArray[np.float32]:
        with seeded(self.seed_, self._device()):

            def bound(y: Tensor) -> tuple[Tensor]:
                noise = self.model_.draw_noise(n_samples_mc, len(y))
                return (objective.terms(self.model_, y, noise).elbo,)

            return self._evaluate(bound, samples)[0]
