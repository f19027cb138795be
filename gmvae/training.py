"""The training loop that GMVAE and every network baseline share.

It knows nothing of clusters or labels: it minimises the ``loss`` of an objective and averages
whatever else that objective returns.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gmvae.devices import autocast, has_native_bfloat16, repeatable_kernels
from gmvae.networks import as_batch
from gmvae.optimizer import FusedAdam
from gmvae.progress import History, progress_bar


class Objective(Protocol):
    """What is minimised: random numbers are an argument, drawn apart from the computation."""

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Any:
        """Tensors of noise that the call below takes for a batch of `n_rows` samples."""

    def __call__(
        self, network: Any, y: Tensor, noise: Any, progress: float
    ) -> Mapping[str, Tensor]:
        """Scalar ``loss`` and scalars to log, of a batch (B, y_dim) after `progress` epochs."""


class DivergenceError(FloatingPointError):
    """Training came to values that are not finite.

    Attributes
    ----------
    history : dict of str to list of float
        Of the epochs up to there.
    """

    def __init__(self, message: str, history: History | None = None):
        super().__init__(message)
        self.history: History = history or {}


@dataclass(frozen=True)
class TrainingSettings:
    """Everything about a training run that is not the model.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        Of Adam, at the start.
    schedule : {"constant", "cosine"}
        "cosine" lowers the learning rate to zero over the run.
    precision : {"float32", "bfloat16"}
        Of matrix products and convolutions; parameters and losses stay in float32.
    device : str
        "cpu", "cuda" or "auto" (CUDA where there is one).
    verbose : bool
        Show progress: a bar on a terminal, else a line an epoch, on standard error.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "constant"
    precision: str = "float32"
    device: str = "cpu"
    verbose: bool = False

    @classmethod
    def of(cls, estimator: Any) -> TrainingSettings:
        """The settings that an estimator holds among its parameters."""
        return cls(**{field.name: getattr(estimator, field.name) for field in fields(cls)})


class TrainingStep:
    """One step of Adam on a batch of one network.

    Nothing in a step waits for a result of the device.

    Parameters
    ----------
    network : Module
        Holds the parameters.
    objective : Objective
    samples : Tensor, shape (N, y_dim)
        float32 or uint8, on the device of `network`; uint8 is scaled batch by batch.
    settings : TrainingSettings
    generator : torch.Generator
        Of the order of the samples and of the noise, on the device of `network`.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        samples: Tensor,
        settings: TrainingSettings,
        generator: torch.Generator,
    ):
        self.network, self.objective, self.samples = network, objective, samples
        self.settings, self.generator = settings, generator
        self.batch_size = min(settings.batch_size, len(samples))
        self.optimizer = FusedAdam(network.parameters())

    def new_order(self) -> Tensor:
        """Numbers of all samples in a random order, shape (N,)."""
        device = self.samples.device
        return torch.randperm(len(self.samples), generator=self.generator, device=device)

    def set_training(self, training: bool) -> None:
        """Put the network into training or into evaluation mode."""
        self.network.train(training)

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows`; returns what the objective gave, detached."""
        y = as_batch(self.samples.index_select(0, rows))
        noise = self.objective.draw_noise(self.network, len(rows), self.generator)
        with autocast(self.settings.precision, y.device):
            values = self.objective(self.network, y, noise, progress)
        values["loss"].backward()
        self.optimizer.step(learning_rate_at(self.settings, progress))
        return {name: value.detach() for name, value in values.items()}


class Training:
    """A training, of one network or of several in step, that can be run epoch by epoch.

    Parameters
    ----------
    step : TrainingStep or gmvae.together.StepTogether
    settings : TrainingSettings

    Attributes
    ----------
    histories : list of dict
        For each network, lists with one value an epoch: ``epoch``, ``seconds`` (spent in training
        so far, its share where several are trained in step) and the means of everything that the
        objective returned.
    errors : list of DivergenceError or None
        For each network, how it failed; its history ends there.
    """

    def __init__(self, step: Any, settings: TrainingSettings):
        self.step, self.settings = step, settings
        self.histories: list[History] = []
        self.errors: list[DivergenceError | None] = []
        self._seconds = 0.0
        self._epoch = 0

    def run(self, until: int, on_epoch: Callable[[int], None] | None = None) -> None:
        """Train up to the end of epoch `until`; the networks are left in evaluation mode.

        Parameters
        ----------
        until : int
        on_epoch : callable, optional
            Called with the number of finished epochs after each, the networks in evaluation mode.

        Raises
        ------
        DivergenceError
            If no network has a finite loss any more.
        """
        if self._epoch >= until:
            return
        device = self.step.samples.device
        if self.settings.precision == "bfloat16" and not has_native_bfloat16(device):
            warnings.warn(
                "this processor has no bfloat16 of its own, which makes training slower than in "
                "precision='float32'",
                stacklevel=2,
            )
        kernels = repeatable_kernels() if device.type == "cuda" else contextlib.nullcontext()
        with progress_bar(self.settings, self._epoch, until) as report, kernels:
            while self._epoch < until:
                self._run_epoch()
                report(self.histories[self.errors.index(None)])
                if on_epoch is not None:
                    on_epoch(self._epoch)

    def keep(self, indices: list[int]) -> None:
        """Go on with these networks alone, in this order (trainings in step only).

        Parameters
        ----------
        indices : list of int
        """
        self.step.keep(indices)
        self.histories = [self.histories[index] for index in indices]
        self.errors = [self.errors[index] for index in indices]

    def _run_epoch(self) -> None:
        started = time.perf_counter()
        step = self.step
        step.set_training(True)
        order = step.new_order()  # (N,) or one row a network
        n_batches = order.shape[-1] // step.batch_size
        sums: dict[str, Tensor] = {}
        for number in range(n_batches):
            rows = order[..., number * step.batch_size : (number + 1) * step.batch_size]
            add_to(sums, step(rows, self._epoch + number / n_batches))
        means = {name: (value / n_batches).reshape(-1).tolist() for name, value in sums.items()}
        n_networks = len(order) if order.dim() > 1 else 1
        self._seconds += (time.perf_counter() - started) / n_networks
        self._epoch += 1
        step.set_training(False)
        self._record(means)

    def _record(self, means: Mapping[str, list[float]]) -> None:
        n_networks = len(means["loss"])
        self.histories = self.histories or [{} for _ in range(n_networks)]
        self.errors = self.errors or [None] * n_networks
        for index, history in enumerate(self.histories):
            if self.errors[index] is None:
                own = {name: values[index] for name, values in means.items()}
                record(history, {"epoch": self._epoch, "seconds": self._seconds, **own})
                self.errors[index] = divergence(self._epoch, own, history)
        if all(self.errors):
            raise self.errors[0]  # type: ignore[misc]


def learning_rate_at(settings: TrainingSettings, progress: float) -> float:
    """Learning rate after `progress` epochs."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress / settings.epochs))


def add_to(sums: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Accumulate `values` without waiting for the device."""
    for name, value in values.items():
        sums[name] = sums[name] + value if name in sums else value


def record(history: History, values: Mapping[str, float]) -> None:
    """Append one epoch to `history`."""
    for name, value in values.items():
        history.setdefault(name, []).append(value)


def divergence(epoch: int, means: Mapping[str, float], history: History) -> DivergenceError | None:
    """The error to raise if any mean of an epoch is NaN or infinite."""
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if not bad:
        return None
    return DivergenceError(
        f"training diverged in epoch {epoch}: {', '.join(bad)} not finite; "
        "a lower learning_rate usually helps",
        history,
    )


def finite_elbo(bounds: NDArray[np.floating], history: History) -> float:
    """Mean of the bounds of all training samples, which the last step may have spoilt.

    Raises
    ------
    DivergenceError
        If it is not finite.
    """
    elbo = float(bounds.mean(dtype=np.float64))
    if not math.isfinite(elbo):
        raise DivergenceError(
            "training diverged in its last step: the ELBO of the training samples is not finite; "
            "a lower learning_rate usually helps",
            history,
        )
    return elbo
