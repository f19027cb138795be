"""Restarts: several trainings of one estimator from different seeds, of which one is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gmvae.training.loop import DivergenceError, Record, Training
from gmvae.training.progress import History


@dataclass(frozen=True)
class Restart:
    """One training among several restarts.

    Attributes
    ----------
    number, seed : int
        Number of the restart, from 0, and seed of its random numbers.
    network : Module
    training : Training
    """

    number: int
    seed: int
    network: Any
    training: Training

    @property
    def history(self) -> History:
        """Epoch means so far."""
        return self.training.history

    @property
    def records(self) -> list[Record]:
        """Arrays that `on_epoch` returned, one dict per epoch."""
        return self.training.records

    @property
    def elbo(self) -> float:
        """Mean bound of the training samples in the last epoch, nats per sample."""
        return self.history["elbo"][-1]


def best_first(
    restarts: Sequence[Restart],
    compared_after: int,
    epochs: int,
    on_epoch: Callable[[Restart, int], Record | None],
) -> Iterator[Restart]:
    """Train all restarts for some epochs, then yield the one with the best ELBO, fully trained.

    Each further item is the next best, which is fully trained only when it is asked for.

    Parameters
    ----------
    restarts : sequence of Restart
    compared_after, epochs : int
        Epoch after which the restarts are compared, and number of epochs of a full training.
    on_epoch : callable
        Called with the restart and the number of its finished epochs. Arrays that it returns are
        kept as ``restart.records``.

    Raises
    ------
    DivergenceError
        The last error, if a restart diverged and there is no further one to yield.
    """

    def run(restart: Restart, until: int) -> bool:
        try:
            restart.training.run(until, lambda epoch: on_epoch(restart, epoch))
        except DivergenceError as error:
            errors.append(error)
            if len(restarts) > 1:
                warn_of_failure(restart.number, len(restarts), error)
            return False
        return True

    errors: list[DivergenceError] = []
    compared = [restart for restart in restarts if run(restart, compared_after)]
    for restart in sorted(compared, key=lambda restart: -restart.elbo):
        if run(restart, epochs):
            yield restart
    if errors:
        raise errors[-1]


def warn_of_failure(number: int, n_restarts: int, error: DivergenceError) -> None:
    """Warn that one of several restarts, numbered from 0, is left out."""
    warnings.warn(f"restart {number + 1} of {n_restarts} left out: {error}", stacklevel=2)
