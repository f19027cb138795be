"""Several trainings of one estimator from different random numbers, of which the best is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gmvae.training.loop import DivergenceError, Record, Training
from gmvae.training.progress import History


@dataclass(frozen=True)
class Restart:
    """One of these trainings.

    Attributes
    ----------
    number, seed : int
    network : Module
    training : Training
    index : int
        Of the network among those of the training.
    """

    number: int
    seed: int
    network: Any
    training: Training
    index: int = 0

    @property
    def history(self) -> History:
        """Epoch means so far."""
        return self.training.histories[self.index] if self.training.histories else {}

    @property
    def records(self) -> list[Record]:
        """What was noted after each epoch."""
        return self.training.records[self.index] if self.training.records else []

    @property
    def error(self) -> DivergenceError | None:
        """How the training failed, if it has."""
        return self.training.errors[self.index] if self.training.errors else None

    @property
    def elbo(self) -> float:
        """Mean bound of the training samples in the last epoch, nats a sample."""
        return self.history["elbo"][-1]


def best_first(
    restarts: Sequence[Restart],
    compared_after: int,
    epochs: int,
    on_epoch: Callable[[Restart, int], Record | None],
) -> Iterator[Restart]:
    """Train all restarts for some epochs, then yield the best by ELBO, trained to the end.

    The next best follows if it is asked for, and only then it is trained further.

    Parameters
    ----------
    restarts : sequence of Restart
    compared_after, epochs : int
        Epochs after which the restarts are compared, and of a whole training.
    on_epoch : callable
        Called with the restart and the number of its finished epochs; arrays that it returns are
        kept as ``restart.records``.

    Raises
    ------
    DivergenceError
        That of the last restart, if all have diverged.
    """

    def run(restart: Restart, until: int) -> bool:
        try:
            restart.training.run(until, lambda _, epoch: on_epoch(restart, epoch))
        except DivergenceError as error:
            errors.append(error)
            if len(restarts) > 1:
                warn_of_failure(restart, len(restarts), error)
            return False
        return True

    errors: list[DivergenceError] = []
    compared = [restart for restart in restarts if run(restart, compared_after)]
    for restart in sorted(compared, key=lambda restart: -restart.elbo):
        if run(restart, epochs):
            yield restart
    if errors:
        raise errors[-1]


def warn_of_failure(restart: Restart, n_restarts: int, error: DivergenceError) -> None:
    """Tell that one of several restarts is not used."""
    warnings.warn(f"restart {restart.number + 1} of {n_restarts} left out: {error}", stacklevel=2)
