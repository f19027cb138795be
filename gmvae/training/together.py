"""Several networks of one shape trained in step, as one batched computation.

Meant for a GPU, which one small network cannot fill. Parameters are stacked along a first axis and
`torch.func` maps the objective over it; every network keeps its own random numbers and its own
order of the samples, so that it learns what it would have learnt alone, up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.utils._pytree import tree_map

from gmvae.kernels.adam import FusedAdam
from gmvae.model.networks import as_batch
from gmvae.training.devices import autocast
from gmvae.training.step import Objective, TrainingSettings, learning_rate_at, named


class StepTogether:
    """One step of Adam on a batch for each of S networks; see `gmvae.training.step.TrainingStep`.

    Parameters
    ----------
    networks : sequence of Module
        Of one architecture. Their parameters and buffers become views of the stacked ones, so that
        each of them can be used at any time between two steps.
    objective : Objective
        Of all of them.
    samples : Tensor, shape (N, y_dim)
    settings : TrainingSettings
    generators : sequence of torch.Generator
        One for each network.
    """

    converged = False

    def __init__(
        self,
        networks: Sequence[nn.Module],
        objective: Objective,
        samples: Tensor,
        settings: TrainingSettings,
        generators: Sequence[torch.Generator],
    ):
        self.networks, self.generators = list(networks), list(generators)
        self.objective, self.samples, self.settings = objective, samples, settings
        self.batch_size = min(settings.batch_size, len(samples))
        self.parameters, self.buffers = stack_module_state(self.networks)  # each (S, ...)
        self.optimizer = FusedAdam(self.parameters.values())
        self._share()
        self._shape = _Callable(copy.deepcopy(self.networks[0]).to("meta"), objective)
        if settings.precision == "bfloat16":
            _normalise_in_float32(self._shape)

    def new_order(self) -> Tensor:
        """Numbers of all samples in a random order for each network, shape (S, N)."""
        device = self.samples.device
        orders = [
            torch.randperm(len(self.samples), generator=generator, device=device)
            for generator in self.generators
        ]
        return torch.stack(orders)

    def set_training(self, training: bool) -> None:
        """Put all networks into training or into evaluation mode."""
        for network in (self._shape, *self.networks):
            network.train(training)

    def end_epoch(self) -> dict[str, float]:
        """What is done after an epoch: nothing."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """The tensors that steps change, themselves, by name."""
        stacked = named("parameters", self.parameters) | named("buffers", self.buffers)
        return stacked | named("optimizer", self.optimizer.state())

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows` (S, B); returns (S,) for each logged value."""
        n_rows = rows.shape[1]
        y = as_batch(self.samples.index_select(0, rows.flatten()).unflatten(0, rows.shape))
        noises = [
            self.objective.draw_noise(network, n_rows, generator)
            for network, generator in zip(self.networks, self.generators, strict=True)
        ]
        noise = tree_map(lambda *parts: torch.stack(parts), noises[0], *noises[1:])

        def loss(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], y: Tensor, noise: Any
        ) -> tuple[Tensor, dict[str, Tensor]]:
            state = {f"network.{name}": value for name, value in (parameters | buffers).items()}
            values = functional_call(self._shape, state, (y, noise, progress))
            return values["loss"], values

        with autocast(self.settings.precision, y.device):
            gradients, values = vmap(grad(loss, has_aux=True))(
                self.parameters, self.buffers, y, noise
            )
        for name, parameter in self.parameters.items():
            # The optimizer goes through memory, which a gradient has to fill in the same order.
            parameter.grad = torch.empty_like(parameter).copy_(gradients[name])
        self.optimizer.step(learning_rate_at(self.settings, progress))
        return {name: value.detach() for name, value in values.items()}

    def keep(self, indices: Sequence[int]) -> None:
        """Go on with these networks alone, in this order.

        Parameters
        ----------
        indices : sequence of int
        """
        chosen = torch.tensor(indices, device=self.samples.device)
        self.networks = [self.networks[index] for index in indices]
        self.generators = [self.generators[index] for index in indices]
        self.parameters = {
            name: value.detach()[chosen].requires_grad_() for name, value in self.parameters.items()
        }
        self.buffers = {name: value[chosen] for name, value in self.buffers.items()}
        self.optimizer.keep(list(self.parameters.values()), chosen)
        self._share()

    @torch.no_grad()
    def separate(self) -> None:
        """Give every network parameters and buffers of its own, when training is over."""
        for network in self.networks:
            for value in (*network.parameters(), *network.buffers()):
                value.data = value.detach().clone(memory_format=torch.preserve_format)

    @torch.no_grad()
    def _share(self) -> None:
        for index, network in enumerate(self.networks):
            for name, parameter in network.named_parameters():
                parameter.data = self.parameters[name].detach()[index]
            for name, buffer in network.named_buffers():
                buffer.data = self.buffers[name][index]


def _normalise_in_float32(network: nn.Module) -> None:
    """Let batch normalisations see float32, since mapped ones take no mixture of precisions."""
    for layer in network.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))
            layer.register_forward_hook(lambda _, inputs, output: output.bfloat16())


class _Callable(nn.Module):
    """An objective of a network as a module, whose state `functional_call` can replace."""

    def __init__(self, network: nn.Module, objective: Objective):
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, y: Tensor, noise: Any, progress: float) -> dict[str, Tensor]:
        return dict(self.objective(self.network, y, noise, progress))
