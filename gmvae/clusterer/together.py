"""Fitting GMVAEs that differ in their seed alone as one batched computation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from gmvae.training.checkpoints import Checkpoints, checkpoints_of
from gmvae.training.loop import DivergenceError, Record, Training
from gmvae.training.restarts import Restart, warn_of_failure
from gmvae.training.step import TrainingSettings
from gmvae.training.together import StepTogether

if TYPE_CHECKING:
    from gmvae.estimator import GMVAE


def fit_together(
    estimators: Sequence[GMVAE],
    Y: ArrayLike,
    on_epoch: Callable[[GMVAE, int], Record | None] | None = None,
    checkpoint: Checkpoints | str | Path | None = None,
) -> list[DivergenceError | None]:
    """Fit several estimators, and all of their restarts, as one computation.

    Parameters
    ----------
    estimators : sequence of GMVAE
    Y : array-like, shape (n_samples, n_features)
    on_epoch : callable, optional
    checkpoint : str, Path or Checkpoints, optional

    Returns
    -------
    list of DivergenceError or None
        See `GMVAE.fit_together`.
    """
    settings, samples = _start(estimators, Y)
    members: list[tuple[GMVAE, int, int]] = []
    networks, generators = [], []
    for estimator in estimators:
        for number, seed in enumerate(estimator._seeds()):
            network, generator = estimator._seeded_model(seed, samples)
            members.append((estimator, number, seed))
            networks.append(network)
            generators.append(generator)
    objective = estimators[0]._objective()
    step = StepTogether(networks, objective, samples, settings, generators)
    with checkpoints_of(checkpoint, estimators, samples) as checkpoints:
        training = Training(step, settings, checkpoints, "together")
        restarts = [
            (estimator, Restart(number, seed, networks[index], training, index))
            for index, (estimator, number, seed) in enumerate(members)
        ]
        restarts = _train(training, restarts, estimators, on_epoch)
        step.separate()
        errors: dict[int, DivergenceError | None] = {}
        for estimator, restart in restarts:
            estimator._adopt(restart)
            errors[id(estimator)] = restart.error or _finish(estimator, samples)
    return [errors[id(estimator)] for estimator in estimators]


def _train(
    training: Training,
    restarts: list[tuple[GMVAE, Restart]],
    estimators: Sequence[GMVAE],
    on_epoch: Callable[[GMVAE, int], Record | None] | None,
) -> list[tuple[GMVAE, Restart]]:
    """Train all up to their comparison and the best of each to the end; returns what is left."""
    if not _run(training, estimators[0]._compared_after(), restarts, on_epoch):
        return restarts
    best = [_best([r for owner, r in restarts if owner is one]) for one in estimators]
    training.keep([restart.index for restart in best])
    chosen = [
        (estimator, Restart(old.number, old.seed, old.network, training, index))
        for index, (estimator, old) in enumerate(zip(estimators, best, strict=True))
    ]
    _run(training, estimators[0].epochs, chosen, on_epoch)
    return chosen


def _start(estimators: Sequence[GMVAE], Y: ArrayLike) -> tuple[TrainingSettings, Any]:
    if not estimators:
        raise ValueError("at least one estimator is needed")
    parameters = [
        {
            name: value
            for name, value in one.get_params().items()
            if name not in ("random_state", "verbose")
        }
        for one in estimators
    ]
    for number, other in enumerate(parameters):
        different = [name for name in other if other[name] != parameters[0][name]]
        if different:
            raise ValueError(
                "estimators that are fitted together may differ in random_state alone, but number "
                f"{number} differs from the first in {', '.join(different)}"
            )
    for estimator in estimators:
        samples = estimator._start(Y)
    return TrainingSettings.of(estimators[0]), samples


def _run(
    training: Training,
    until: int,
    restarts: Sequence[tuple[GMVAE, Restart]],
    on_epoch: Callable[[GMVAE, int], Record | None] | None,
) -> bool:
    def tell(index: int, epoch: int) -> Record | None:
        estimator, restart = restarts[index]
        estimator._adopt(restart)
        return None if on_epoch is None else on_epoch(estimator, epoch)

    try:
        training.run(until, tell)
    except DivergenceError:
        return False
    return True


def _best(restarts: Sequence[Restart]) -> Restart:
    """The one with the best ELBO of those that have not failed, if there is one."""
    sound = [restart for restart in restarts if restart.error is None]
    for restart in restarts:
        if sound and restart.error is not None:
            warn_of_failure(restart, len(restarts), restart.error)
    return max(sound, key=lambda restart: restart.elbo) if sound else restarts[-1]


def _finish(estimator: GMVAE, samples: Any) -> DivergenceError | None:
    try:
        estimator._finish(samples)
    except DivergenceError as error:
        return error
    return None
