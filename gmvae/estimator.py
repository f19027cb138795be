"""GMVAE (Dilokthanakul et al., arXiv:1611.02648v2) with scikit-learn's clusterer interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch import Tensor

from gmvae.clusterer import together
from gmvae.clusterer.base import OnEpoch
from gmvae.clusterer.evaluation import warn_of_collapse
from gmvae.clusterer.generative import GenerativeClusterer
from gmvae.clusterer.parameters import (
    FEW_SAMPLES,
    Count,
    CriterionOrAuto,
    NonNegative,
    Objective,
    Positive,
    Start,
)
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.objective import GMVAEObjective
from gmvae.start.gmvae_from_mixture import start_from_mixture
from gmvae.training.checkpoints import Checkpoints
from gmvae.training.devices import noise_generator
from gmvae.training.loop import DivergenceError, finite_elbo
from gmvae.training.progress import Progress
from gmvae.training.restarts import Phase
from gmvae.training.schedule import enough_epochs, warn_if_short
from gmvae.training.step import TrainingSettings, TrainingStep

EPOCHS_OF_AUTOENCODER = 10


@dataclass(kw_only=True, eq=False, repr=False)
class GMVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, GenerativeClusterer):
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
        Architecture; the convolutional ones need images.
    x_dim, w_dim : int, optional
        Sizes of the clustered latent and of the style latent; by default, those of `network`.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
        Family of p(y | x). "auto" means Bernoulli for bytes and for values from 0 to 1, else
        Gaussian.
    image_shape : sequence of int, optional
        Height, width and, for colours, channels of the images, whose values are given row by row
        with the channels last. By default, samples of shape (n_samples, height, width[, channels])
        tell; flat ones are square grey images for a convolutional network.
    objective : {"paper", "exact"}, default="paper"
        The paper's four terms, or the bound with z summed out.
    z_prior_threshold : float, default=0.5
        lambda in nats: below it the z-prior term has no gradient (objective "paper" only).
    z_prior_warmup_epochs : float, default=0
        Epochs over which the weight of the z-prior rises from 0 to 1 (objective "paper" only).
    init : {"auto", "random", "mixture"}, default="auto"
        Start of the components: "random", as in the paper; or from a "mixture" of codes. Then
        trunk, head and decoder first learn to reconstruct, with the mean of q(x | y) as the code; a
        Gaussian mixture with full covariances, the most likely of three, is fitted to the codes of
        at most 20,000 samples, and its means and variances become the output biases of the network
        beta. "auto" is "mixture" for fewer than 10,000 samples (study 9 of ``docs/method.md``).
    pretrain_epochs : int, optional
        Epochs of that autoencoder; without effect on a random start. By default 10, or more for few
        samples, as for `epochs`. Each of `n_init` trainings has its own autoencoder and mixture.
    pretrain_learning_rate : float, default=1e-3
        Learning rate of the autoencoder, which is lowered to zero.
    epochs : int, optional
        Epochs of the training after the start, without those of an autoencoder. By default 20, or
        more for few samples: as many as give 200 steps.
    batch_size : int, default=128
        Samples per step. A smaller data set is one batch, and an incomplete last batch is left out
        of its epoch.
    learning_rate : float, default=1e-3
    schedule : {"cosine", "constant"}, default="cosine"
        Course of the learning rate; "cosine" lowers it to zero over the training.
    n_init : int, default=1
        Number of trainings from different random numbers, of which one is kept.
    select_by : {"auto", "elbo", "conditional_prior", "agreement"}, default="auto"
        What decides among them, without labels: the highest training ELBO, or the lowest
        conditional prior, a term of the objective (both means of the last epoch); or the highest
        mean adjusted Rand index with the other trainings, on at most 10,000 training samples. The
        last needs three trainings or more. "auto" is the conditional prior for pixels and the ELBO
        for real vectors, as studies 1 and 5 of ``docs/method.md`` decided.
    init_epochs : int or list of int, optional
        Epochs, counted like `epochs`, after which they are compared, so only the best is trained to
        the end; by default, all are. After several comparisons, such as ``[2, 4]``, their number
        has fallen by the same factor each time: from 9 to 3 to 1.
    init_n_samples_mc : int, optional
        M until the last of these comparisons, which has to come before the end; by default,
        `n_samples_mc`. The expectation of the objective is the same for every M, and a small one
        makes the comparisons cheap. Without restarts it has no effect.
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
    history_ : dict of str to ndarray, shape (n_epochs,)
        Epoch means over training batches: ``epoch``, ``seconds``, ``loss``, ``elbo``,
        ``reconstruction``, ``conditional_prior``, ``w_prior``, ``z_prior``. It begins with the
        epochs of the autoencoder, if there is one, which have NaN where they have no such value.
    records_ : list of dict of str to ndarray
        Arrays that `on_epoch` returned after each epoch.
    model_ : GMVAEModel
        The trained networks.
    epochs_ : int
        Number of epochs of a full training, without those of an autoencoder.
    init_ : str
        Start in use, "random" or "mixture".
    select_by_ : str
        Criterion by which restarts were chosen.
    best_init_ : int
        Number, from 0, of the training that was kept; during a fit, of the one under way.
    observation_ : str
        Family of p(y | x) in use.
    image_shape_ : tuple of int, or None
        Height, width and channels; None for flat samples without `image_shape`.
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
    init_n_samples_mc: Count | None = None
    x_dim: Count | None = None
    w_dim: Count | None = None
    objective: Objective = "paper"
    z_prior_threshold: NonNegative = 0.5
    z_prior_warmup_epochs: NonNegative = 0
    init: Start = "auto"
    pretrain_epochs: Count | None = None
    pretrain_learning_rate: Positive = 1e-3
    select_by: CriterionOrAuto = "auto"  # type: ignore[assignment]

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

        Each one comes out as from its own `fit`, up to rounding. But if its best restart diverges
        after the last comparison, it has failed, while `fit` would go on with the next best. This
        is meant for a GPU, which one small network cannot fill; on a CPU it is slower than one
        `fit` after the other.

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
            If the estimators differ in anything else, if they start from a mixture, or if a
            parameter or `Y` is not as described.
        """
        members = [cls._member(one) for one in estimators]
        errors = together.fit_together(members, Y, on_epoch, checkpoint, progress)
        warn_if_short(estimators[0], np.shape(Y)[0])
        for one, error in zip(estimators, errors, strict=True):
            if error is None:
                warn_of_collapse(one.labels_, one.n_clusters)
        return errors

    def _member(self) -> together.Member:
        return together.Member(
            estimator=self,
            start=self._begin_together,
            restarts=self._restarts,
            objective=self._objective,
            stages=self._stages,
            ranked=self._ranked,
            adopt=self._adopt,
            finish=self._finish,
        )

    def _begin_together(self, Y: ArrayLike) -> Tensor:
        samples = self._begin(Y)
        if self.init_ == "mixture":
            raise ValueError(
                f"estimators cannot be fitted together with init={self.init!r} and {len(samples)} "
                "samples, since each would start from a mixture of its own; use init='random', or "
                "fit one after the other"
            )
        return samples

    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make the model and yield one phase, or two; see `NetworkClusterer.phases`."""
        self.model_ = self._build_model().to(samples.device)
        generator = noise_generator(samples.device)
        self.model_.observation_model.set_units(samples)
        settings = TrainingSettings.of(self)
        step = TrainingStep(self.model_, self._objective(), samples, settings, generator)
        if self.init_ == "mixture":
            yield from self._first_phase(samples, seed)
        yield Phase("training", step)

    def _first_phase(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        return start_from_mixture(self, samples, seed, epochs=self._epochs_of_autoencoder(samples))

    def _epochs_of_autoencoder(self, samples: Tensor) -> int:
        enough = enough_epochs(EPOCHS_OF_AUTOENCODER, len(samples), self.batch_size)
        return self.pretrain_epochs or enough

    def _finish(self, samples: Tensor) -> None:
        self.elbo_ = finite_elbo(self._elbo(samples, n_samples_mc=1))
        super()._finish(samples)

    def _build_model(self) -> GMVAEModel:
        return GMVAEModel(
            self._arch(),
            y_dim=self.n_features_in_,
            x_dim=self.x_dim,
            w_dim=self.w_dim,
            n_clusters=self.n_clusters,
            observation=self.observation_,
        )

    def _begin(self, Y: ArrayLike) -> Tensor:
        samples = super()._begin(Y)
        self.init_ = self.init
        if self.init == "auto":
            self.init_ = "mixture" if len(samples) < FEW_SAMPLES else "random"
        if self.select_by == "auto":
            is_real = self.observation_ == "gaussian"
            self.select_by_ = "elbo" if is_real else "conditional_prior"
        if self.init_n_samples_mc and self._compared_until() >= self.epochs_:
            raise ValueError(
                f"init_n_samples_mc={self.init_n_samples_mc} needs restarts that are compared "
                f"before the last of {self.epochs_} epochs: set init_epochs"
            )
        return samples

    def _compared_until(self) -> int:
        """Epoch of the last comparison of restarts; 0 without any."""
        return max((epoch for epoch, _ in self._stages()), default=0)

    def _objective(self) -> GMVAEObjective:
        return GMVAEObjective(
            form=self.objective,
            n_samples_mc=self.n_samples_mc,
            z_prior_threshold=self.z_prior_threshold,
            z_prior_warmup_epochs=self.z_prior_warmup_epochs,
            init_n_samples_mc=self.init_n_samples_mc if self._compared_until() else None,
            init_epochs=self._compared_until(),
        )

    @property
    def _n_features_out(self) -> int:
        """Number of columns of `transform`, for scikit-learn's ``get_feature_names_out``."""
        return self.model_.x_dim

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
