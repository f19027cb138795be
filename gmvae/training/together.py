"""Several networks of one shape trained in step, as one batched computation.

Meant for a GPU, which one small network cannot fill. Parameters are stacked along a first axis and
`torch.func` maps the objective over it; every network keeps its own random numbers and its own
order of the samples, so that it learns what it would have learnt alone, up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.utils._pytree import tree_map

from gmvae.kernels.adam import FusedAdam
from gmvae.model.networks import as_batch
from gmvae.training.checkpoints import State
from gmvae.training.devices import autocast
from gmvae.training.loop import (
    DivergenceError,
    Record,
    Training,
    as_record,
    as_tensors,
    divergence,
    from_tensors,
    record,
)
from gmvae.training.progress import History, Progress
from gmvae.training.step import Objective, TrainingSettings, named


class TrainingTogether(Training):
    """A training of several networks in step.

    Attributes
    ----------
    histories : list of dict
        History of each network; ``seconds`` is its share of the time.
    records_of_each : list of list of dict of str to ndarray
    errors : list of DivergenceError or None
        Error of each network that has failed; its history ends there.
    observe : callable
        Called with the index of each network that has not failed and the finished epochs.
    """

    step: StepTogether

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.histories: list[History] = []
        self.records_of_each: list[list[Record]] = []
        self.errors: list[DivergenceError | None] = []
        self.observe: Callable[[int, int], Record | None] = lambda index, epoch: None
        self._share = 0.0

    def count(self, seconds: float) -> None:
        """Count training time, in seconds; the networks share it."""
        super().count(seconds)
        self._share += seconds / len(self.step.networks)

    def keep(self, indices: list[int]) -> None:
        """Go on with these networks alone, in this order."""
        self.step.keep(indices)
        self.histories = [self.histories[index] for index in indices]
        self.records_of_each = [self.records_of_each[index] for index in indices]
        self.errors = [self.errors[index] for index in indices]

    def _note(self, means: Mapping[str, Tensor], more: Mapping[str, float]) -> None:
        values = {name: value.tolist() for name, value in means.items()}
        n_networks = len(self.step.networks)
        self.histories = self.histories or [{} for _ in range(n_networks)]
        self.records_of_each = self.records_of_each or [[] for _ in range(n_networks)]
        self.errors = self.errors or [None] * n_networks
        for index, history in enumerate(self.histories):
            if self.errors[index] is None:
                own = {name: value[index] for name, value in values.items()}
                record(history, {"epoch": self._epoch, "seconds": self._share, **own})
                self.errors[index] = divergence(self.settings, own, history)
        if all(self.errors):
            raise self.errors[0]  # type: ignore[misc]

    def _end_epoch(
        self, until: int, show: Progress, on_epoch: Callable[[int], Record | None] | None
    ) -> None:
        show(self._report(self.histories[self.errors.index(None)], until))
        for index, error in enumerate(self.errors):
            if error is None:
                noted = self.observe(index, self._epoch)
                arrays = as_record(noted) if isinstance(noted, dict) else {}
                self.records_of_each[index].append(arrays)

    def _log(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors: dict[str, Tensor] = {}
        for index, records in enumerate(self.records_of_each):
            tensors |= as_tensors(f"record.{index}", records)
        return tensors, {
            "share": self._share,
            "histories": self.histories,
            "errors": [error and str(error) for error in self.errors],
            "n_records": [len(records) for records in self.records_of_each],
        }

    def _restore_log(self, state: State) -> None:
        values = state.values
        self._share, self.histories = values["share"], values["histories"]
        self.errors = [
            None if message is None else DivergenceError(message, history)
            for message, history in zip(values["errors"], self.histories, strict=True)
        ]
        self.records_of_each = [
            from_tensors(f"record.{index}", state, n) for index, n in enumerate(values["n_records"])
        ]


class StepTogether:
    """One step of Adam on a batch for each of S networks; see `gmvae.training.step.TrainingStep`.

    Parameters
    ----------
    networks : sequence of Module
        Networks of one architecture. Their parameters and buffers become views of the stacked ones,
        so that each network can be used at any time between two steps.
    objective : Objective
        Objective of every network.
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
        """Draw a random order of the samples for each network, shape (N, S)."""
        device = self.samples.device
        orders = [
            torch.randperm(len(self.samples), generator=generator, device=device)
            for generator in self.generators
        ]
        return torch.stack(orders, dim=1)

    def set_training(self, training: bool) -> None:
        """Put all networks into training or into evaluation mode."""
        for network in (self._shape, *self.networks):
            network.train(training)

    def end_epoch(self) -> dict[str, float]:
        """Finish an epoch; there is nothing to do."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """Tensors that steps change, themselves, by name."""
        stacked = named("parameters", self.parameters) | named("buffers", self.buffers)
        return stacked | named("optimizer", self.optimizer.state())

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows` (B, S); returns (S,) for each logged value."""
        rows = rows.t()
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
        self.optimizer.step(self.settings.learning_rate_at(progress))
        return {name: value.detach() for name, value in values.items()}

    def keep(self, indices: Sequence[int]) -> None:
        """Go on with the networks of these indices alone, in this order."""
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
