"""Common fit, as one computation, of estimators that differ in their seed alone.

Meant for a GPU, which one small network cannot fill. Parameters are stacked along a first axis and
`torch.func` maps the objective over it. Every network keeps its own random numbers and its own
order of the samples, so it learns what it would have learnt alone, up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.utils._pytree import tree_map

from gmvae.clusterer.parameters import require_alike
from gmvae.kernels.adam import FusedAdam
from gmvae.model.networks import as_batch
from gmvae.training import loop
from gmvae.training.checkpoints import Checkpoints, State, checkpoints_of
from gmvae.training.devices import autocast
from gmvae.training.loop import DivergenceError, Record, Training
from gmvae.training.progress import History, Progress
from gmvae.training.restarts import Restart, warn_of_failure
from gmvae.training.step import Objective, TrainingSettings, named


@dataclass(eq=False)
class Lane:
    """One restart of one estimator: a network among those that are trained in step.

    Attributes
    ----------
    estimator : GMVAE
        A copy of the estimator that belongs to this restart alone.
    network : Module
    generator : torch.Generator
        Source of its noise and of its order of the samples.
    history : dict of str to list of float
        Epoch means so far; ``seconds`` is its share of the time.
    records : list of dict of str to ndarray
        Arrays that were noted after each epoch.
    error : DivergenceError or None
        Reason why its history has ended, if it has failed.
    """

    estimator: Any
    network: Any
    generator: torch.Generator
    history: History = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    error: DivergenceError | None = None


@dataclass(frozen=True)
class Member:
    """One estimator of a common fit, and the parts of its own `fit`.

    Attributes
    ----------
    estimator : GMVAE
    start : callable
        Checks parameters and samples; returns the samples, on the device.
    restarts, objective : callable
        Make an untrained `Restart` for each seed, and the objective.
    stages, ranked : callable
        Return when restarts are compared and how many go on, and restarts in order.
    adopt, finish : callable
        Take over the state of a restart, and compute the results for the training samples.
    """

    estimator: Any
    start: Callable[[ArrayLike], Tensor]
    restarts: Callable[[Tensor], list[Restart]]
    objective: Callable[[], Objective]
    stages: Callable[[], list[tuple[int, int]]]
    ranked: Callable[[Sequence[Any], Sequence[Any], Tensor], list[Any]]
    adopt: Callable[[Any], None]
    finish: Callable[[Tensor], None]


def fit_together(
    members: Sequence[Member],
    Y: ArrayLike,
    on_epoch: Callable[[Any, int], Record | None] | None = None,
    checkpoint: Checkpoints | str | Path | None = None,
    progress: Progress | None = None,
) -> list[DivergenceError | None]:
    """Fit the estimators of `members`; arguments and result as of `gmvae.GMVAE.fit_together`."""
    estimators = [member.estimator for member in members]
    require_alike([estimator.get_params() for estimator in estimators])
    samples = [member.start(Y) for member in members][-1]
    lanes = [[_lane(restart) for restart in member.restarts(samples)] for member in members]
    owner = {lane: one for one, own in zip(members, lanes, strict=True) for lane in own}

    def observe(lane: Lane, epoch: int) -> Record | None:
        owner[lane].adopt(lane)
        return None if on_epoch is None else on_epoch(owner[lane].estimator, epoch)

    settings = TrainingSettings.of(estimators[0])
    step = StepTogether(list(owner), members[0].objective(), samples, settings)
    with checkpoints_of(checkpoint, estimators, samples) as checkpoints:
        training = TrainingTogether(
            step, settings, checkpoints, "together", progress=progress, observe=observe
        )
        ahead = lanes
        for until, n_ahead in members[0].stages():
            training.run(until)
            ahead = [
                _best_first(member, own, every, samples)[:n_ahead]
                for member, own, every in zip(members, ahead, lanes, strict=True)
            ]
            step.keep([lane for own in ahead for lane in own])
        training.run(settings.epochs)
        step.separate()
        return [_result(owner[lane], lane, samples) for [lane] in ahead]


def _lane(restart: Restart) -> Lane:
    with restart.random.seeded():
        [phase] = restart.phases
    return Lane(restart.estimator, phase.step.network, phase.step.generator)


def _best_first(
    member: Member, lanes: Sequence[Lane], everyone: Sequence[Lane], samples: Tensor
) -> list[Lane]:
    """Lanes in the order of the member's criterion; those that have failed come last."""
    sound = _sound(lanes)
    failed = {lane: lane.error for lane in lanes if lane.error}
    for lane, error in failed.items() if sound else ():
        warn_of_failure(lane.estimator.best_init_, len(everyone), error)
    return [*member.ranked(sound, _sound(everyone), samples), *failed]


def _sound(lanes: Sequence[Lane]) -> list[Lane]:
    return [lane for lane in lanes if lane.error is None]


def _result(member: Member, lane: Lane, samples: Tensor) -> DivergenceError | None:
    member.adopt(lane)
    if lane.error is not None:
        return lane.error
    try:
        member.finish(samples)
    except DivergenceError as error:
        return error
    return None


class TrainingTogether(Training):
    """Training of the networks of a `StepTogether`, whose lanes hold histories and records.

    Parameters
    ----------
    *arguments, **options
        As for `gmvae.training.loop.Training`.
    observe : callable, optional
        Called after each epoch with each lane that has not failed, and the number of finished
        epochs. A dict of arrays that it returns becomes part of the lane's ``records``.
    """

    step: StepTogether  # type: ignore[assignment]

    def __init__(self, *arguments: Any, observe: Callable[..., Any] | None = None, **options: Any):
        super().__init__(*arguments, **options)
        self._observe, self._share = observe, 0.0

    def count(self, seconds: float) -> None:
        """Count training time, in seconds, which the networks share."""
        super().count(seconds)
        self._share += seconds / len(self.step.lanes)

    def _note(self, means: Mapping[str, Tensor], more: Mapping[str, float]) -> None:
        values = {name: value.tolist() for name, value in means.items()}
        for index, lane in enumerate(self.step.lanes):
            if lane.error is None:
                own = {name: value[index] for name, value in values.items()}
                loop.record(lane.history, {"epoch": self._epoch, "seconds": self._share, **own})
                lane.error = loop.divergence(self.settings, own, lane.history)

    def _end_epoch(
        self, until: int, show: Progress, on_epoch: Callable[[int], Record | None] | None
    ) -> None:
        sound = _sound(self.step.lanes)
        if sound:
            show(self._report(sound[0].history, until))
        for lane in sound:
            noted = self._observe(lane, self._epoch) if self._observe else None
            lane.records.append(loop.as_record(noted) if isinstance(noted, dict) else {})

    def _log(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors: dict[str, Tensor] = {}
        for index, lane in enumerate(self.step.lanes):
            tensors |= loop.as_tensors(f"record.{index}", lane.records)
        return tensors, {
            "share": self._share,
            "histories": [lane.history for lane in self.step.lanes],
            "errors": [lane.error and str(lane.error) for lane in self.step.lanes],
            "n_records": [len(lane.records) for lane in self.step.lanes],
        }

    def _restore_log(self, state: State) -> None:
        values = state.values
        self._share = values["share"]
        for index, lane in enumerate(self.step.lanes):
            message, lane.history = values["errors"][index], values["histories"][index]
            lane.error = None if message is None else DivergenceError(message, lane.history)
            lane.records = loop.from_tensors(f"record.{index}", state, values["n_records"][index])


class StepTogether:
    """One step of Adam on a batch for each of S networks; see `gmvae.training.step.TrainingStep`.

    Parameters
    ----------
    lanes : sequence of Lane
        Networks of one architecture. Their parameters and buffers become views of the stacked ones,
        so each network can be used at any time between two steps.
    objective : Objective
        Objective of every network.
    samples : Tensor, shape (N, y_dim)
    settings : TrainingSettings
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        objective: Objective,
        samples: Tensor,
        settings: TrainingSettings,
    ):
        self.lanes = list(lanes)
        self.objective, self.samples, self.settings = objective, samples, settings
        self.batch_size = min(settings.batch_size, len(samples))
        networks = [lane.network for lane in lanes]
        self.parameters, self.buffers = stack_module_state(networks)  # each (S, ...)
        self.optimizer = FusedAdam(self.parameters.values())
        self._share_memory()
        self._shape = _Callable(copy.deepcopy(networks[0]).to("meta"), objective)
        if settings.precision == "bfloat16":
            _normalise_in_float32(self._shape)

    @property
    def converged(self) -> bool:
        """Whether every network has failed, so that none is left to train."""
        return all(lane.error for lane in self.lanes)

    @property
    def generators(self) -> list[torch.Generator]:
        """Sources of random numbers, one per network."""
        return [lane.generator for lane in self.lanes]

    def new_order(self) -> Tensor:
        """Draw a random order of the samples for each network, shape (N, S)."""
        n, device = len(self.samples), self.samples.device
        orders = [torch.randperm(n, generator=one, device=device) for one in self.generators]
        return torch.stack(orders, dim=1)

    def set_training(self, training: bool) -> None:
        """Put all networks into training or into evaluation mode."""
        for network in (self._shape, *(lane.network for lane in self.lanes)):
            network.train(training)

    def end_epoch(self) -> dict[str, float]:
        """Finish an epoch; there is nothing to do."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """The tensors that a step changes, by name; not copies."""
        stacked = named("parameters", self.parameters) | named("buffers", self.buffers)
        return stacked | named("optimizer", self.optimizer.state())

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows` (B, S); returns (S,) for each logged value."""
        rows = rows.t()
        y = as_batch(self.samples.index_select(0, rows.flatten()).unflatten(0, rows.shape))
        draw, n_rows = self.objective.draw_noise, rows.shape[1]
        noises = [draw(lane.network, n_rows, lane.generator) for lane in self.lanes]
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
            # The optimizer walks through memory; a gradient must be laid out as its parameter is.
            parameter.grad = torch.empty_like(parameter).copy_(gradients[name])
        self.optimizer.step(self.settings.learning_rate_at(progress))
        return {name: value.detach() for name, value in values.items()}

    def keep(self, lanes: Sequence[Lane]) -> None:
        """Go on with these lanes alone, in this order."""
        indices = [self.lanes.index(lane) for lane in lanes]
        self.lanes, chosen = list(lanes), torch.tensor(indices, device=self.samples.device)
        self.parameters = {
            name: value.detach()[chosen].requires_grad_() for name, value in self.parameters.items()
        }
        self.buffers = {name: value[chosen] for name, value in self.buffers.items()}
        self.optimizer.keep(list(self.parameters.values()), chosen)
        self._share_memory()

    @torch.no_grad()
    def separate(self) -> None:
        """Give every network parameters and buffers of its own, after the training."""
        for lane in self.lanes:
            for value in (*lane.network.parameters(), *lane.network.buffers()):
                value.data = value.detach().clone(memory_format=torch.preserve_format)

    @torch.no_grad()
    def _share_memory(self) -> None:
        for index, lane in enumerate(self.lanes):
            for name, parameter in lane.network.named_parameters():
                parameter.data = self.parameters[name].detach()[index]
            for name, buffer in lane.network.named_buffers():
                buffer.data = self.buffers[name][index]


def _normalise_in_float32(network: nn.Module) -> None:
    """Let batch normalisations see float32: under vmap they cannot mix precisions."""
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
