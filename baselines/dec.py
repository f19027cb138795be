"""Deep embedded clustering (DEC; Xie, Girshick and Farhadi, arXiv:1511.06335).

First a denoising autoencoder, then k-means on its codes; last, encoder and centres are trained to
sharpen their own assignment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn

from gmvae.clusterer.evaluation import evaluate
from gmvae.clusterer.parameters import BatchSize, Count, OnlyAgreement, Positive, Schedule, Share
from gmvae.model.architectures import Architecture
from gmvae.model.networks import Decoder, Trunk, as_batch, full_precision
from gmvae.training.devices import noise_generator
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingSettings, TrainingStep

from .shared.autoencoder import AutoencoderFirst
from .shared.saved_network import SavedEmbedding


class _DECModel(nn.Module):
    """Encoder, decoder and centres."""

    centre: Tensor
    scale: Tensor

    def __init__(self, arch: Architecture, y_dim: int, x_dim: int, n_clusters: int):
        super().__init__()
        self.y_dim = y_dim
        self.trunk = Trunk(arch, y_dim)
        self.head = nn.Linear(self.trunk.n_features, x_dim)
        self.decoder = Decoder(arch, x_dim, y_dim)
        self.means = nn.Parameter(torch.zeros(n_clusters, x_dim))
        self.register_buffer("centre", torch.zeros(y_dim))
        self.register_buffer("scale", torch.ones(y_dim))

    @torch.no_grad()
    def set_units(self, samples: Tensor, *, pixels: bool) -> None:
        """Set the units so that samples have a mean squared length of y_dim (section 4.1)."""
        if pixels:
            totals = [as_batch(part).double().square().sum() for part in samples.split(5000)]
            mean_square = torch.stack(totals).sum() / samples.numel()
            self.scale.fill_(1 / mean_square.sqrt().clamp(min=1e-6))
            return
        exact = as_batch(samples).double()
        self.centre.copy_(exact.mean(0))
        spread = exact.std(0, correction=0)
        self.scale.copy_(torch.where(spread > 1e-6 * exact.abs().amax(0), 1 / spread, 1.0))

    def in_units(self, y: Tensor) -> Tensor:
        """Convert samples to the units in which the networks see and reconstruct them."""
        return (y - self.centre) * self.scale

    def encode(self, y: Tensor) -> Tensor:
        """Codes of samples, shape (B, x_dim)."""
        return full_precision(self.head(self.trunk(self.in_units(y))))

    def reconstruction(self, seen: Tensor, y: Tensor) -> Tensor:
        """Negative squared error, in units, mean over the values, shape (B,)."""
        output = full_precision(self.decoder(self.encode(seen)))
        return -(output - self.in_units(y)).square().mean(-1)

    def log_q(self, y: Tensor) -> Tensor:
        """Log of the soft assignment of each sample, shape (B, K)."""
        return log_soft_assignment(self.encode(y), self.means)


def log_soft_assignment(codes: Tensor, means: Tensor) -> Tensor:
    """Log q_ik: Student's t with one degree of freedom around each centre, normalised over k.

    Equation 1 of the paper, with alpha = 1.

    Parameters
    ----------
    codes : Tensor, shape (B, x_dim)
    means : Tensor, shape (K, x_dim)

    Returns
    -------
    Tensor, shape (B, K)
    """
    squared = (codes.unsqueeze(1) - means).square().sum(-1)  # (B, K)
    return torch.log_softmax(-torch.log1p(squared), dim=-1)


def target_distribution(q: Tensor) -> Tensor:
    """Sharpened assignment p_ik, the target of q_ik (equation 3 of the paper).

    Parameters
    ----------
    q : Tensor, shape (N, K)
        Soft assignment of the whole training set, since clusters are weighted by their total.

    Returns
    -------
    Tensor, shape (N, K)
    """
    weight = q.square() / q.sum(0)
    return weight / weight.sum(1, keepdim=True)


class _Clustering:
    """KL( P || Q ) of a batch for given targets P (equation 2 of the paper)."""

    def draw_noise(self, network: _DECModel, n_rows: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError("the targets come from the step")

    def __call__(
        self, network: _DECModel, y: Tensor, noise: Tensor, progress: float
    ) -> dict[str, Tensor]:
        targets = noise  # (B, K)
        kl = (torch.xlogy(targets, targets) - targets * network.log_q(y)).sum(-1).mean()
        return {"loss": kl, "kl": kl}


class _ClusteringStep(TrainingStep):
    """A step towards targets that are updated after each epoch, and perhaps within it.

    Parameters
    ----------
    network : _DECModel
    *arguments
        Samples, settings and generator, as for `gmvae.training.step.TrainingStep`.
    tolerance : float
        Training has converged when a smaller share of the samples changes its cluster in an epoch.
    updates_per_epoch : int
        How often the targets are updated.
    """

    def __init__(
        self, network: _DECModel, *arguments: Any, tolerance: float, updates_per_epoch: int = 1
    ):
        modules = (network.trunk, network.head, network.means)
        super().__init__(network, _Clustering(), *arguments, modules=modules)
        self.tolerance = tolerance
        self.rows_between = len(self.samples) / updates_per_epoch
        self.rows_seen = torch.zeros((), dtype=torch.int64)
        network.eval()
        q = self._soft_assignment()
        self.targets, self.clusters = target_distribution(q), q.argmax(1)
        self.changed = torch.ones((), device=self.samples.device)

    @property
    def converged(self) -> bool:  # type: ignore[override]
        """Whether hardly any sample changed its cluster in the last epoch."""
        return bool(self.changed < self.tolerance)

    def draw_noise(self, rows: Tensor) -> Tensor:
        """Look up the targets of the samples, which the objective takes in place of noise."""
        return self.targets.index_select(0, rows)

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows`, and update the targets if it is time."""
        values = super().__call__(rows, progress)
        before = self.rows_seen // self.rows_between
        self.rows_seen += len(rows)
        is_time = self.rows_seen // self.rows_between > before
        if is_time and self.rows_seen < len(self.samples):  # the end of the epoch has its own
            self.set_training(False)
            self.targets.copy_(target_distribution(self._soft_assignment()))
            self.set_training(True)
        return values

    def end_epoch(self) -> dict[str, float]:
        """Update the targets; returns the share of samples that changed their cluster."""
        q = self._soft_assignment()
        clusters = q.argmax(1)
        self.changed.copy_((clusters != self.clusters).float().mean())
        self.targets.copy_(target_distribution(q))
        self.clusters.copy_(clusters)
        self.rows_seen.zero_()
        return {"changed": float(self.changed)}

    def state(self) -> dict[str, Tensor]:
        """The tensors that a step changes, by name; not copies."""
        own = {"targets": self.targets, "clusters": self.clusters, "changed": self.changed}
        return super().state() | own | {"rows_seen": self.rows_seen}

    def _soft_assignment(self) -> Tensor:
        network: _DECModel = self.network  # type: ignore[assignment]
        read = evaluate(lambda y: (network.log_q(y).exp(),), self.samples, self.samples.device)
        return torch.from_numpy(read[0]).to(self.samples.device)


@dataclass(kw_only=True, eq=False, repr=False)
class DEC(SavedEmbedding, AutoencoderFirst):
    """Deep embedded clustering.

    As published: the network 784-500-500-2000-10 without batch normalisation, masking noise of 0.2,
    k-means with 20 starts, Student's t, targets over the whole training set, the end when fewer
    than 0.1 % of the samples change their cluster. Different: the autoencoder is trained end to end
    by Adam in tens of epochs, instead of layer by layer and then as a whole by SGD in some
    hundreds; noise is on the samples only, throughout; Adam in the second phase, too; targets are
    updated `updates_per_epoch` times.

    Parameters
    ----------
    n_clusters : int, default=10
    network : str, default="dec-fc"
        Architecture of encoder and decoder.
    x_dim : int, optional
        Size of the code; by default, that of `network`.
    masked : float, default=0.2
        Share of the values that the autoencoder does not see.
    pretrain_epochs : int, default=25
        Epochs of the autoencoder.
    pretrain_learning_rate : float, default=1e-3
        Lowered to zero over the phase.
    epochs : int, optional
        Epochs of the clustering phase, at most; by default 30, or as many as give 200 steps.
    learning_rate : float, default=1e-4
        Learning rate of the clustering phase.
    tolerance : float, default=1e-3
        The second phase ends when a smaller share of the samples changes its cluster in an epoch.
    updates_per_epoch : int, default=1
        How often the targets are updated in an epoch of the clustering phase; at most once a batch.
    observation : {"auto", "bernoulli", "gaussian"}, default="auto"
        "bernoulli" scales all values alike, "gaussian" each by its standard deviation.
    batch_size : int, default=256
    schedule : {"cosine", "constant"}, default="constant"
        Course of the learning rate in the clustering phase.
    n_init, init_epochs, precision, device, verbose
        As for `gmvae.GMVAE`; `init_epochs` are those of the clustering phase.
    select_by : {"agreement"}, default="agreement"
        No value of this objective tells good runs from bad.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    converged_ : bool
        Whether the second phase ended because of `tolerance`.
    model_, labels_, history_, records_
        As for `NetworkClusterer`. History: ``reconstruction`` (negative squared error per
        value, in units) in the first phase, ``kl`` (nats per sample) and ``changed`` (share of the
        samples) in the second; ``loss`` is either.

    References
    ----------
    J. Xie, R. Girshick and A. Farhadi, "Unsupervised Deep Embedding for Clustering Analysis",
    arXiv:1511.06335.
    """

    pretrain_epochs: Count = 25
    learning_rate: Positive = 1e-4
    tolerance: Share = 1e-3
    updates_per_epoch: Count = 1
    batch_size: BatchSize = 256
    schedule: Schedule = "constant"
    select_by: OnlyAgreement = "agreement"

    epochs_for_many = 30

    def phases(self, samples: Tensor, seed: int) -> Iterator[Phase]:
        """Make the network and yield both phases; see `NetworkClusterer.phases`."""
        model = self._build_model().to(samples.device)
        model.set_units(samples, pixels=self.observation_ == "bernoulli")
        self.model_ = model
        generators = [noise_generator(samples.device) for _ in range(2)]
        codes = yield from self._codes_phase(samples, model.centre, generators[0])
        kmeans = KMeans(self.n_clusters, n_init=20, random_state=seed).fit(codes)
        with torch.no_grad():
            model.means.copy_(torch.from_numpy(kmeans.cluster_centers_))
        settings = TrainingSettings.of(self)
        step = _ClusteringStep(
            model,
            samples,
            settings,
            generators[1],
            tolerance=self.tolerance,
            updates_per_epoch=self.updates_per_epoch,
        )
        yield Phase("clustering", step)
        self.converged_ = step.converged

    def _build_model(self) -> _DECModel:
        arch, x_dim = self._architecture()
        return _DECModel(arch, self.n_features_in_, x_dim, self.n_clusters)

    def _probabilities(self, y: Tensor) -> Tensor:
        return self.model_.log_q(y).exp()
