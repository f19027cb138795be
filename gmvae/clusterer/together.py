"""Fitting of GMVAEs that differ in their seed alone, with all restarts, as one computation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from gmvae.training.checkpoints import Checkpoints, checkpoints_of
from gmvae.training.loop import DivergenceError, Record
from gmvae.training.progress import History, Progress
from gmvae.training.restarts import warn_of_failure
from gmvae.training.step import Objective, TrainingSettings
from gmvae.training.together import StepTogether, TrainingTogether

OnEpoch = Callable[[Any, int], Record | None]


@dataclass(frozen=True)
class Member:
    """One of the estimators, and the functions of it that a common fit needs.

    Attributes
    ----------
    estimator : GMVAE
    start : callable
        Checks parameters and samples; returns the samples, on the device.
    seeds : callable
        Draws one seed for each restart.
    build : callable
        Makes the untrained network of a seed, and the generator of its noise.
    objective : callable
        Makes the objective.
    compared_after : callable
        Number of epochs after which restarts are compared.
    adopt : callable
        Takes over the state of a `Lane`.
    finish : callable
        Reads the results off for the training samples.
    """

    estimator: Any
    start: Callable[[ArrayLike], Tensor]
    seeds: Callable[[], list[int]]
    build: Callable[[int, Tensor], tuple[nn.Module, torch.Generator]]
    objective: Callable[[], Objective]
    compared_after: Callable[[], int]
    adopt: Callable[[Lane], None]
    finish: Callable[[Tensor], None]


@dataclass(frozen=True)
class Lane:
    """One network of the common training: a restart of a member.

    Attributes
    ----------
    member : Member
    number, seed : int
    network : Module
    training : TrainingTogether
    index : int
        Index of the network in the training.
    """

    member: Member
    number: int
    seed: int
    network: Any
    training: TrainingTogether
    index: int

    @property
    def history(self) -> History:
        """Epoch means so far."""
        histories = self.training.histories
        return histories[self.index] if histories else {}

    @property
    def records(self) -> list[Record]:
        """Arrays that were noted after each epoch."""
        each = self.training.records_of_each
        return each[self.index] if each else []

    @property
    def error(self) -> DivergenceError | None:
        """The error of the training, if it has failed."""
        return self.training.errors[self.index] if self.training.errors else None


def fit_together(
    members: Sequence[Member],
    Y: ArrayLike,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoints | str | Path | None = None,
    progress: Progress | None = None,
) -> list[DivergenceError | None]:
    """Fit several estimators, and all of their restarts, as one computation.

    Parameters
    ----------
    members : sequence of Member
    Y : array-like, shape (n_samples, n_features)
    on_epoch : callable, optional
    checkpoint : str, Path or Checkpoints, optional
    progress : callable, optional

    Returns
    -------
    list of DivergenceError or None
        See `gmvae.GMVAE.fit_together`.
    """
    _require_alike([member.estimator for member in members])
    samples = [member.start(Y) for member in members][-1]
    estimators = [member.estimator for member in members]
    settings = TrainingSettings.of(estimators[0])
    seeds = [(one, number, seed) for one in members for number, seed in enumerate(one.seeds())]
    made = [member.build(seed, samples) for member, _, seed in seeds]
    networks, generators = [network for network, _ in made], [generator for _, generator in made]
    step = StepTogether(networks, members[0].objective(), samples, settings, generators)
    with checkpoints_of(checkpoint, estimators, samples) as checkpoints:
        training = TrainingTogether(step, settings, checkpoints, "together", progress=progress)
        lanes = [
            Lane(member, number, seed, networks[index], training, index)
            for index, (member, number, seed) in enumerate(seeds)
        ]
        lanes = _train(training, lanes, members, on_epoch)
        step.separate()
        return [_result(lane, samples) for lane in lanes]


def _require_alike(estimators: Sequence[Any]) -> None:
    if not estimators:
        raise ValueError("at least one estimator is needed")
    first, *others = (
        {n: v for n, v in one.get_params().items() if n not in ("random_state", "verbose")}
        for one in estimators
    )
    for number, other in enumerate(others, start=1):
        different = [name for name in other if other[name] != first[name]]
        if different:
            raise ValueError(
                "estimators that are fitted together may differ in random_state alone, but number "
                f"{number} differs from the first in {', '.join(different)}"
            )


def _train(
    training: TrainingTogether,
    lanes: list[Lane],
    members: Sequence[Member],
    on_epoch: OnEpoch | None,
) -> list[Lane]:
    """Train all up to their comparison, and the best of each member to the end; one per member."""
    compared_after, epochs = members[0].compared_after(), members[0].estimator.epochs
    if _run(training, compared_after, lanes, on_epoch):
        best = [_best([lane for lane in lanes if lane.member is one]) for one in members]
        training.keep([lane.index for lane in best])
        lanes = [
            Lane(old.member, old.number, old.seed, old.network, training, index)
            for index, old in enumerate(best)
        ]
        _run(training, epochs, lanes, on_epoch)
        return lanes
    return [[lane for lane in lanes if lane.member is one][-1] for one in members]


def _run(
    training: TrainingTogether, until: int, lanes: Sequence[Lane], on_epoch: OnEpoch | None
) -> bool:
    def observe(index: int, epoch: int) -> Record | None:
        lane = lanes[index]
        lane.member.adopt(lane)
        return None if on_epoch is None else on_epoch(lane.member.estimator, epoch)

    training.observe = observe
    try:
        training.run(until)
    except DivergenceError:
        return False
    return True


def _best(lanes: Sequence[Lane]) -> Lane:
    """The lane with the best ELBO of those that have not failed; the last if all have."""
    sound = [lane for lane in lanes if lane.error is None]
    for lane in lanes:
        if sound and lane.error is not None:
            warn_of_failure(lane.number, len(lanes), lane.error)
    return max(sound, key=lambda lane: lane.history["elbo"][-1]) if sound else lanes[-1]


def _result(lane: Lane, samples: Tensor) -> DivergenceError | None:
    lane.member.adopt(lane)
    if lane.error is not None:
        return lane.error
    try:
        lane.member.finish(samples)
    except DivergenceError as error:
        return error
    return None
