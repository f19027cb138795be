"""One step of training: objective, settings, samples and optimizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gmvae.kernels.adam import FusedAdam
from gmvae.model.networks import as_batch
from gmvae.training.devices import autocast
from gmvae.training.schedule import learning_rate_at


class Objective(Protocol):
    """A loss to minimise, whose random numbers are drawn first and passed as an argument."""

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Any:
        """Draw the random tensors of one batch of `n_rows` samples."""

    def __call__(
        self, network: Any, y: Tensor, noise: Any, progress: float
    ) -> Mapping[str, Tensor]:
        """Scalar ``loss`` and scalars to log of a batch (B, y_dim), after `progress` epochs."""


class Step(Protocol):
    """Interface of a training step, as the loop uses it.

    Attributes
    ----------
    samples : Tensor, first axis N
    batch_size : int
    converged : bool
        Whether training should end before its last epoch.
    """

    samples: Tensor
    batch_size: int
    converged: bool

    @property
    def generators(self) -> Sequence[torch.Generator]:
        """Sources of random numbers, whose states belong to a checkpoint."""

    def new_order(self) -> Tensor:
        """Draw the order of the samples in an epoch, indices with first axis N."""

    def set_training(self, training: bool) -> None:
        """Put the network into training or into evaluation mode."""

    def end_epoch(self) -> dict[str, float]:
        """Finish an epoch, in evaluation mode; returns further values for its history."""

    def state(self) -> dict[str, Tensor]:
        """The tensors that a step changes, by name; not copies."""

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on one batch of the order; returns ``loss`` and further values, detached."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training that are independent of the model.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        Learning rate of Adam at the start.
    schedule : {"constant", "cosine"}
        Course of the learning rate; "cosine" lowers it to zero over the training.
    precision : {"float32", "bfloat16"}
        Precision of matrix products and convolutions; parameters and losses stay in float32.
    device : str
        "cpu", "cuda" or "auto" (CUDA if there is a device).
    verbose : bool
        Show progress on standard error: a bar on a terminal, else one line per epoch.
    phase : str
        Name of this training within the fit; not a parameter of estimators.
    rate_name : str
        Name of the estimator's parameter that sets the learning rate, for error messages.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "constant"
    precision: str = "float32"
    device: str = "cpu"
    verbose: bool = False
    phase: str = "training"
    rate_name: str = "learning_rate"

    @classmethod
    def of(cls, estimator: Any) -> TrainingSettings:
        """Read the settings from an estimator whose fit has begun."""
        others = ("epochs", "phase", "rate_name")
        names = [field.name for field in fields(cls) if field.name not in others]
        known = {name: getattr(estimator, name) for name in names}
        return cls(epochs=estimator.epochs_, **known)

    def learning_rate_at(self, progress: float) -> float:
        """Learning rate after `progress` epochs."""
        return learning_rate_at(self.learning_rate, self.schedule, progress, self.epochs)

    @property
    def remedy(self) -> str:
        """Advice for a training that diverged."""
        return f"a lower {self.rate_name} usually helps"


class TrainingStep:
    """One step of Adam for one network.

    A step never waits for a result of the device.

    Parameters
    ----------
    network : Module
        Network to train.
    objective : Objective
    samples : Tensor, shape (N, y_dim)
        float32 or uint8, on the device of `network`; bytes are scaled batch by batch.
    settings : TrainingSettings
    generator : torch.Generator
        Source of the order of the samples and of the noise, on the device of `network`.
    modules : sequence of Module or Parameter, optional
        Parts of `network` to train; by default all of it.

    Attributes
    ----------
    converged : bool
        Whether training should end before its last epoch.
    """

    converged = False

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        samples: Tensor,
        settings: TrainingSettings,
        generator: torch.Generator,
        *,
        modules: Sequence[nn.Module | nn.Parameter] | None = None,
    ):
        self.network, self.objective, self.samples = network, objective, samples
        self.settings, self.generator = settings, generator
        self.batch_size = min(settings.batch_size, len(samples))
        self.optimizer = FusedAdam(parameters_of([network] if modules is None else modules))

    @property
    def generators(self) -> tuple[torch.Generator]:
        """Sources of random numbers, whose states belong to a checkpoint."""
        return (self.generator,)

    def new_order(self) -> Tensor:
        """Draw a random order of the samples, shape (N,)."""
        device = self.samples.device
        return torch.randperm(len(self.samples), generator=self.generator, device=device)

    def set_training(self, training: bool) -> None:
        """Put the network into training or into evaluation mode."""
        self.network.train(training)

    def end_epoch(self) -> dict[str, float]:
        """Finish an epoch, in evaluation mode; returns further values for its history."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """The tensors that a step changes, by name; not copies."""
        network = named("network", self.network.state_dict())
        return network | named("optimizer", self.optimizer.state())

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows`; returns the values of the objective, detached."""
        y = as_batch(self.samples.index_select(0, rows))
        noise = self.draw_noise(rows)
        with autocast(self.settings.precision, y.device):
            values = self.objective(self.network, y, noise, progress)
        values["loss"].backward()
        self.optimizer.step(self.settings.learning_rate_at(progress))
        return {name: value.detach() for name, value in values.items()}

    def draw_noise(self, rows: Tensor) -> Any:
        """Draw the noise of the objective for the samples numbered `rows`."""
        return self.objective.draw_noise(self.network, len(rows), self.generator)


def parameters_of(modules: Sequence[nn.Module | nn.Parameter]) -> Iterator[nn.Parameter]:
    """Parameters of several parts of a network."""
    for module in modules:
        if isinstance(module, nn.Parameter):
            yield module
        else:
            yield from module.parameters()


def named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under longer names."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}
