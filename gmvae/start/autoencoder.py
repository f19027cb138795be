"""An autoencoder as the first phase of a training, and the codes that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gmvae.clusterer.evaluation import evaluate
from gmvae.start.mixture_of_codes import MIN_VARIANCE
from gmvae.training.loop import DivergenceError
from gmvae.training.step import TrainingSettings

INITIAL_NOISE = 0.05
"""Initial variance of q(x | y), as a share of the variance of the codes."""

Score = Callable[[Any, Tensor, Tensor], Tensor]
"""Function of a network, the input of its encoder and the target of its decoder, both (B, y_dim).
It returns the quality of the reconstruction of each sample, (B,)."""


class Corruption(Protocol):
    """A random change of the samples that an encoder sees, while a decoder reconstructs them."""

    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Draw the random numbers for samples of shape (B, y_dim)."""

    def __call__(self, y: Tensor, noise: Tensor) -> Tensor:
        """Samples `y` after the change, shape (B, y_dim)."""


@dataclass(frozen=True)
class Reconstruction:
    """Objective of a (denoising) autoencoder for a `gmvae.training.step.TrainingStep`.

    Attributes
    ----------
    score : Score
    corruption : Corruption, optional
    """

    score: Score
    corruption: Corruption | None

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Tensor | None:
        """Draw random numbers for the corruption of a batch."""
        if self.corruption is None:
            return None
        return self.corruption.draw((n_rows, network.y_dim), generator)

    def __call__(
        self, network: Any, y: Tensor, noise: Tensor | None, progress: float
    ) -> dict[str, Tensor]:
        """Loss of a batch, and the mean quality of its reconstruction."""
        seen = y if self.corruption is None or noise is None else self.corruption(y, noise)
        reconstruction = self.score(network, seen, y).mean()
        return {"loss": -reconstruction, "reconstruction": reconstruction}


def pretraining(estimator: Any, epochs: int) -> TrainingSettings:
    """Settings of the first phase, whose learning rate is lowered to zero."""
    return replace(
        TrainingSettings.of(estimator),
        epochs=epochs,
        learning_rate=estimator.pretrain_learning_rate,
        schedule="cosine",
        phase="autoencoder",
        rate_name="pretrain_learning_rate",
    )


def codes_of(encode: Callable[[Tensor], Tensor], samples: Tensor) -> NDArray[np.float32]:
    """Codes of all samples, shape (N, x_dim).

    Raises
    ------
    DivergenceError
        If they are not finite.
    """
    codes = evaluate(lambda y: (encode(y),), samples, samples.device)[0]
    if not np.isfinite(codes).all():
        raise DivergenceError(
            "the autoencoder diverged in its last step: its codes are not finite; a lower "
            "pretrain_learning_rate usually helps"
        )
    return codes


@torch.no_grad()
def set_posterior_noise(head: nn.Linear, codes: NDArray[np.floating]) -> None:
    """Give q(x | y) one small variance for all y, after a phase without noise.

    Parameters
    ----------
    head : Linear
        Layer whose outputs are x_dim means, x_dim log variances, and possibly others.
    codes : ndarray, shape (N, x_dim)
        Codes of the training samples; the variance is `INITIAL_NOISE` times theirs.
    """
    x_dim = codes.shape[1]
    rows = slice(x_dim, 2 * x_dim)
    variances = np.maximum(INITIAL_NOISE * codes.var(axis=0), MIN_VARIANCE)
    head.weight[rows] = 0
    head.bias[rows] = torch.from_numpy(np.log(variances)).to(head.bias)
