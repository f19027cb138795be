"""One step of training: what is minimised, with what settings, on which samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gmvae.kernels.adam import FusedAdam
from gmvae.model.networks import as_batch
from gmvae.training.devices import autocast


class Objective(Protocol):
    """What is minimised: random numbers are an argument, drawn apart from the computation."""

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Any:
        """Tensors of noise that the call below takes for a batch of `n_rows` samples."""

    def __call__(
        self, network: Any, y: Tensor, noise: Any, progress: float
    ) -> Mapping[str, Tensor]:
        """Scalar ``loss`` and scalars to log, of a batch (B, y_dim) after `progress` epochs."""


AUTOENCODER = "autoencoder"
"""Phase whose settings are the ``pretrain_`` parameters of an estimator."""


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
    phase : str
        What a training is called that another one follows or precedes; no parameter of estimators.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "constant"
    precision: str = "float32"
    device: str = "cpu"
    verbose: bool = False
    phase: str = "training"

    @classmethod
    def of(cls, estimator: Any) -> TrainingSettings:
        """The settings that an estimator holds among its parameters."""
        names = [field.name for field in fields(cls) if field.name != "phase"]
        return cls(**{name: getattr(estimator, name) for name in names})

    @classmethod
    def pretraining(cls, estimator: Any) -> TrainingSettings:
        """Those of a first phase: ``pretrain_epochs``, and a rate that goes down to zero."""
        return replace(
            cls.of(estimator),
            epochs=estimator.pretrain_epochs,
            learning_rate=estimator.pretrain_learning_rate,
            schedule="cosine",
            phase=AUTOENCODER,
        )

    @property
    def remedy(self) -> str:
        """What usually helps against divergence."""
        name = "pretrain_learning_rate" if self.phase == AUTOENCODER else "learning_rate"
        return f"a lower {name} usually helps"


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
    modules : sequence of Module or Parameter, optional
        The parts of `network` that are trained, by default all.

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
        self.settings, self.generators = settings, [generator]
        self.batch_size = min(settings.batch_size, len(samples))
        self.optimizer = FusedAdam(parameters_of([network] if modules is None else modules))

    def new_order(self) -> Tensor:
        """Numbers of all samples in a random order, shape (N,)."""
        device = self.samples.device
        return torch.randperm(len(self.samples), generator=self.generators[0], device=device)

    def set_training(self, training: bool) -> None:
        """Put the network into training or into evaluation mode."""
        self.network.train(training)

    def end_epoch(self) -> dict[str, float]:
        """What is done after an epoch, the network in evaluation mode; values for its history."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """The tensors that steps change, themselves, by name."""
        network = named("network", self.network.state_dict())
        return network | named("optimizer", self.optimizer.state())

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows`; returns what the objective gave, detached."""
        y = as_batch(self.samples.index_select(0, rows))
        noise = self.draw_noise(rows)
        with autocast(self.settings.precision, y.device):
            values = self.objective(self.network, y, noise, progress)
        values["loss"].backward()
        self.optimizer.step(learning_rate_at(self.settings, progress))
        return {name: value.detach() for name, value in values.items()}

    def draw_noise(self, rows: Tensor) -> Any:
        """What the objective takes besides the samples numbered `rows`."""
        return self.objective.draw_noise(self.network, len(rows), self.generators[0])


def parameters_of(modules: Sequence[nn.Module | nn.Parameter]) -> Iterator[nn.Parameter]:
    """The parameters of several parts of a network."""
    for module in modules:
        if isinstance(module, nn.Parameter):
            yield module
        else:
            yield from module.parameters()


def learning_rate_at(settings: TrainingSettings, progress: float) -> float:
    """Learning rate after `progress` epochs."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress / settings.epochs))


def named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under longer names."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}
