"""GMVAE as a textbook would write it, for comparison: the same model without any optimisation.

It uses torch's layers with their defaults and torch.distributions, one pass of the networks for
each of the M samples, and one head and one pass over the batch for each of the K components.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.utils.data import DataLoader, TensorDataset

from gmvae.model.architectures import Architecture, convolution_sizes
from gmvae.model.gmvae import GMVAEModel, Noise


def dense(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU()]


def dense_chain(*widths: int) -> list[nn.Module]:
    return [layer for pair in itertools.pairwise(widths) for layer in dense(*pair)]


def make_trunk(arch: Architecture, y_dim: int) -> nn.Sequential:
    sides = [height for height, _ in convolution_sizes(arch, y_dim)]
    layers: list[nn.Module] = []
    channels = 1
    if sides:
        layers.append(nn.Unflatten(1, (1, sides[0], sides[0])))
    for conv in arch.convolutions:
        layers += [
            nn.Conv2d(channels, conv.channels, conv.kernel, conv.stride, conv.padding),
            nn.BatchNorm2d(conv.channels),
            nn.ReLU(),
        ]
        channels = conv.channels
    width = channels * sides[-1] ** 2 if sides else y_dim
    return nn.Sequential(*layers, nn.Flatten(), *dense_chain(width, *arch.hidden))


def make_decoder(arch: Architecture, y_dim: int) -> nn.Sequential:
    hidden = arch.hidden[::-1]
    layers = dense_chain(arch.x_dim, *hidden)
    sides = [height for height, _ in convolution_sizes(arch, y_dim)]
    if not sides:
        return nn.Sequential(*layers, nn.Linear(hidden[-1], y_dim))
    channels = arch.convolutions[-1].channels
    layers += dense(hidden[-1], channels * sides[-1] ** 2)
    layers.append(nn.Unflatten(1, (channels, sides[-1], sides[-1])))
    outputs = [1, *(conv.channels for conv in arch.convolutions[:-1])]
    for index in reversed(range(len(arch.convolutions))):
        conv, out = arch.convolutions[index], outputs[index]
        layers.append(
            nn.ConvTranspose2d(conv.channels, out, conv.kernel, conv.stride, conv.padding)
        )
        if index > 0:
            layers += [nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten())


class TextbookGMVAE(nn.Module):
    """The model of `gmvae.model.gmvae.GMVAEModel` for images, with batch normalisation."""

    def __init__(self, arch: Architecture, y_dim: int, n_clusters: int):
        super().__init__()
        self.n_clusters = n_clusters
        x_dim, w_dim, features = arch.x_dim, arch.w_dim, arch.hidden[-1]
        self.trunk = make_trunk(arch, y_dim)
        self.x_mean = nn.Linear(features, x_dim)
        self.x_log_var = nn.Linear(features, x_dim)
        self.w_mean = nn.Linear(features, w_dim)
        self.w_log_var = nn.Linear(features, w_dim)
        self.prior = nn.Sequential(nn.Linear(w_dim, arch.prior_hidden), nn.Tanh())
        self.prior_means = nn.ModuleList(
            nn.Linear(arch.prior_hidden, x_dim) for _ in range(n_clusters)
        )
        self.prior_log_vars = nn.ModuleList(
            nn.Linear(arch.prior_hidden, x_dim) for _ in range(n_clusters)
        )
        self.decoder = make_decoder(arch, y_dim)

    def loss(self, y: Tensor, noise: Noise, z_prior_threshold: float) -> Tensor:
        """Negative four-term objective, the threshold on the mean z-prior of the batch."""
        features = self.trunk(y)
        q_x = Normal(self.x_mean(features), torch.exp(0.5 * self.x_log_var(features)))
        q_w = Normal(self.w_mean(features), torch.exp(0.5 * self.w_log_var(features)))
        reconstruction = conditional_prior = z_prior = 0.0
        n_samples = len(noise.x)
        for j in range(n_samples):
            x = q_x.mean + q_x.stddev * noise.x[j]
            w = q_w.mean + q_w.stddev * noise.w[j]
            log_p_y = Bernoulli(logits=self.decoder(x), validate_args=False).log_prob(y).sum(1)
            h = self.prior(w)
            log_densities, kls = [], []
            for k in range(self.n_clusters):
                std = torch.exp(0.5 * self.prior_log_vars[k](h))
                p_x = Normal(self.prior_means[k](h), std)
                log_densities.append(p_x.log_prob(x).sum(1))
                kls.append(kl_divergence(q_x, p_x).sum(1))
            log_p_z = torch.log_softmax(torch.stack(log_densities, dim=1), dim=1)
            p_z = log_p_z.exp()
            reconstruction = reconstruction + log_p_y / n_samples
            kl_x = (p_z * torch.stack(kls, dim=1)).sum(1)
            conditional_prior = conditional_prior + kl_x / n_samples
            kl_z = (p_z * (log_p_z + math.log(self.n_clusters))).sum(1)
            z_prior = z_prior + kl_z / n_samples
        w_prior = kl_divergence(q_w, Normal(0.0, 1.0)).sum(1)
        optimised = z_prior.mean().clamp(min=z_prior_threshold)
        return optimised - (reconstruction - conditional_prior - w_prior).mean()

    @torch.no_grad()
    def copy_from(self, ours: GMVAEModel) -> None:
        """Copy the parameters of our model; it has no bias before a batch normalisation: zeros."""
        for mine, theirs in self.pairs(ours):
            mine.copy_(theirs if theirs is not None else torch.zeros_like(mine))

    def pairs(self, ours: GMVAEModel) -> list[tuple[nn.Parameter, Tensor | None]]:
        """Each parameter with the corresponding values of our model, None if it has none."""
        return [
            (parameter, None if value is None else value.reshape(parameter.shape))
            for parameter, value in self._layer_pairs(_values(ours))
        ]

    def gradient_pairs(self, ours: GMVAEModel) -> list[tuple[Tensor, Tensor | None]]:
        """Each gradient with the corresponding gradient of our model, None if it has none."""
        pairs = self._layer_pairs(_values(ours, gradients=True))
        return [
            (parameter.grad, None if value is None else value.reshape(parameter.shape))
            for parameter, value in pairs
        ]

    def _layer_pairs(self, ours: dict[str, list[Tensor | None]]):
        x_dim, w_dim = self.x_mean.out_features, self.w_mean.out_features
        pairs = [*self._chain(self.trunk, ours["trunk"]), *self._chain(self.prior, ours["prior"])]
        heads = [self.x_mean, self.x_log_var, self.w_mean, self.w_log_var]
        sizes = [x_dim, x_dim, w_dim, w_dim]
        for kind, value in zip(("weight", "bias"), ours["head"], strict=True):
            pairs += [
                (getattr(layer, kind), part)
                for layer, part in zip(heads, value.split(sizes), strict=True)
            ]
        for kind, value in zip(("weight", "bias"), ours["components"], strict=True):
            parts = value.split(x_dim)
            layers = [*self.prior_means, *self.prior_log_vars]
            pairs += [
                (getattr(layer, kind), part) for layer, part in zip(layers, parts, strict=True)
            ]
        return pairs + self._chain(self.decoder, ours["decoder"])

    @staticmethod
    def _chain(layers: nn.Sequential, values: list[Tensor | None]):
        return list(zip(layers.parameters(), values, strict=True))


def _values(ours: GMVAEModel, gradients: bool = False) -> dict[str, list[Tensor | None]]:
    """Our parameters in the order of the textbook's, in the layouts of torch's layers."""

    def of(*parts: nn.Module, bias_before_norm: bool = True) -> list[Tensor | None]:
        found: list[Tensor | None] = []
        for layer in [layer for part in parts for layer in part.modules()]:
            for name in ("weight", "bias"):
                parameter = getattr(layer, name, None)
                if parameter is not None:
                    found.append(parameter.grad if gradients else parameter)
                elif hasattr(layer, "weight"):
                    found.append(None)
        return found

    decoder = ours.observation_model.decoder
    trunk, back = ours.trunk, [decoder.dense]
    values = {
        "trunk": of(trunk.convolutions, trunk.dense),
        "prior": of(ours.beta[0]),
        "head": of(ours.head),
        "components": of(ours.beta[2]),
        "decoder": of(*back, *([decoder.convolutions] if decoder.sizes else [])),
    }
    if decoder.sizes:
        # Our networks flatten channels last, the textbook's channels first.
        (side, _), channels = decoder.sizes[-1], decoder.channels
        n_convolutions = 4 * sum(isinstance(m, nn.Conv2d) for m in trunk.convolutions)
        weight = values["trunk"][n_convolutions]
        values["trunk"][n_convolutions] = _channels_first(weight.t(), side, channels).t()
        last = 4 * (sum(isinstance(m, nn.Linear) for m in decoder.dense) - 1)
        for index in (last, last + 2, last + 3):
            values["decoder"][index] = _channels_first(values["decoder"][index], side, channels)
    return values


def _channels_first(rows: Tensor, side: int, channels: int) -> Tensor:
    blocks = rows.unflatten(0, (side * side, channels))
    return blocks.transpose(0, 1).flatten(0, 1)


class TextbookTraining:
    """A textbook's training loop; each call takes one step."""

    def __init__(self, model: TextbookGMVAE, n_samples_mc: int, samples: Tensor, batch_size: int):
        self.model, self.n_samples_mc = model, n_samples_mc
        images = samples.float() / 255
        self.loader = DataLoader(
            TensorDataset(images), batch_size=batch_size, shuffle=True, drop_last=True
        )
        self.batches = iter(self.loader)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        self.total = 0.0

    def __call__(self) -> None:
        try:
            (y,) = next(self.batches)
        except StopIteration:
            self.batches = iter(self.loader)
            (y,) = next(self.batches)
        noise = Noise(
            torch.randn(self.n_samples_mc, len(y), self.model.x_mean.out_features),
            torch.randn(self.n_samples_mc, len(y), self.model.w_mean.out_features),
        )
        loss = self.model.loss(y, noise, z_prior_threshold=0.5)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.total += loss.item()
