"""Restarts: several fits of one estimator from different seeds, of which one is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gmvae.training.checkpoints import Checkpoints
from gmvae.training.devices import RandomStream
from gmvae.training.loop import DivergenceError, Record, Training
from gmvae.training.progress import History, Progress
from gmvae.training.step import TrainingStep

OnEpoch = Callable[[Any, int], Record | None]


@dataclass(frozen=True)
class Phase:
    """One of the trainings that a fit consists of.

    Attributes
    ----------
    name : str
        Name of its checkpoints, unique in the fit.
    step : TrainingStep
        Its settings give the number of epochs.
    has_clusters : bool
        Whether samples can be assigned after each epoch. Restarts are compared in such a phase.
    """

    name: str
    step: TrainingStep
    has_clusters: bool = True


@dataclass(eq=False)
class Restart:
    """One fit among several, phase after phase and some epochs at a time.

    Attributes
    ----------
    number : int
        Number of the restart, from 0.
    estimator : object
        The estimator that this fit belongs to, and no other.
    phases : iterator of Phase
        What lies between two phases is done when the next one is asked for, with torch seeded.
    random : RandomStream
        torch's random numbers in this fit.
    checkpoints : Checkpoints or None
    progress : callable or None
        Called with an `EpochReport` after each epoch.
    is_one_of_many : bool
        Whether reports give its number.
    history : dict of str to list of float
        Epoch means of all phases so far; NaN where a phase has no such value.
    records : list of dict of str to ndarray
        Arrays that `on_epoch` returned, from phases that have clusters.
    """

    number: int
    estimator: Any
    phases: Iterator[Phase]
    random: RandomStream
    checkpoints: Checkpoints | None = None
    progress: Progress | None = None
    is_one_of_many: bool = False
    history: History = field(default_factory=dict, init=False)
    records: list[Record] = field(default_factory=list, init=False)
    _phase: Phase | None = field(default=None, init=False)
    _training: Training = field(init=False)
    _before: tuple[History, list[Record]] = field(init=False)

    def run(self, until: int, on_epoch: OnEpoch) -> None:
        """Train up to epoch `until` of the phase that has clusters, and to the end if it has fewer.

        Phases without clusters are trained to their ends.

        Parameters
        ----------
        until : int
        on_epoch : callable
            Called with this restart and the number of finished epochs, all phases together. Arrays
            that it returns become part of `records` if there are clusters.

        Raises
        ------
        DivergenceError
            If a value of a training or its result is not finite.
        """
        with self.random.seeded():
            try:
                while phase := self._current_phase():
                    epochs = phase.step.settings.epochs
                    end = min(until, epochs) if phase.has_clusters else epochs
                    self._train(end, on_epoch)
                    if end < epochs:
                        return
                    self._phase = None
            except DivergenceError as error:
                error.history = self.history
                raise

    @property
    def has_clusters(self) -> bool:
        """Whether the phase under way has clusters."""
        return self._phase is not None and self._phase.has_clusters

    def _current_phase(self) -> Phase | None:
        """The phase under way, or the next one, which begins; None after the last."""
        if self._phase is None:
            self._phase = next(self.phases, None)
            if self._phase is not None:
                self._begin(self._phase)
        return self._phase

    def _begin(self, phase: Phase) -> None:
        step = phase.step
        self._training = Training(
            step,
            step.settings,
            self.checkpoints,
            f"restart{self.number}-{phase.name}",
            progress=self.progress,
            restart=self.number if self.is_one_of_many else None,
        )
        self._before = self.history, self.records

    def _train(self, until: int, on_epoch: OnEpoch) -> None:
        training = self._training
        history, records = self._before
        n_before = len(history.get("epoch", ()))

        def note() -> None:
            self.history = joined(history, training.history)
            if self.has_clusters:
                self.records = [*records, *training.records]

        def tell(epoch: int) -> Record | None:
            note()
            return on_epoch(self, n_before + epoch)

        try:
            training.run(until, tell)
        finally:
            training.step.set_training(False)
            note()


def best_first(
    restarts: Sequence[Restart],
    stages: Sequence[tuple[int, int]],
    epochs: int,
    ranked: Callable[[list[Restart], list[Restart]], list[Restart]],
    on_epoch: OnEpoch,
) -> Iterator[Restart]:
    """Compare restarts in stages; yield the best one, fully trained, and then the next best.

    The next one is trained to the end only when it is asked for.

    Parameters
    ----------
    restarts : sequence of Restart
    stages : sequence of (int, int)
        Epoch after which restarts are compared, and the number of those that go on.
    epochs : int
        Number of epochs of a full training.
    ranked : callable
        Orders the restarts of its first argument, best first; the second holds all sound ones.
    on_epoch : callable
        As for `Restart.run`.

    Raises
    ------
    DivergenceError
        The last error, if a restart diverged and there is no further one to yield.
    """
    errors: list[DivergenceError] = []

    def run(restart: Restart, until: int) -> bool:
        error = _failure(restart, until, on_epoch)
        if error is not None:
            errors.append(error)
            if len(restarts) > 1:
                warn_of_failure(restart.number, len(restarts), error)
        return error is None

    ahead, behind = list(restarts), list[Restart]()
    for until, n_ahead in stages:
        ahead = [restart for restart in ahead if run(restart, until)]
        order = ranked(ahead, ahead + behind)
        ahead, behind = order[:n_ahead], order[n_ahead:] + behind
    for restart in ahead + behind:
        if run(restart, epochs):
            yield restart
    if errors:
        raise errors[-1]


def _failure(restart: Restart, until: int, on_epoch: OnEpoch) -> DivergenceError | None:
    """Train a restart; returns the reason why it failed."""
    try:
        restart.run(until, on_epoch)
    except DivergenceError as error:
        return error
    return None


def stages_of(
    n_restarts: int, compared_after: int | Sequence[int], epochs: int
) -> list[tuple[int, int]]:
    """Epoch and number of restarts that go on, for each comparison; none for a single restart.

    The number falls by the same factor each time: 9 restarts, compared twice, are 9, 3 and 1.

    Parameters
    ----------
    n_restarts : int
    compared_after : int or sequence of int
        Epochs, in rising order; those beyond the end of the training stand for its end.
    epochs : int
        Number of epochs of a full training.
    """
    if n_restarts == 1:
        return []
    after = compared_after if isinstance(compared_after, Sequence) else [compared_after]
    shares = (1 - stage / len(after) for stage in range(1, len(after) + 1))
    return [
        (min(epoch, epochs), round(n_restarts**share))
        for epoch, share in zip(after, shares, strict=True)
    ]


def joined(before: History, history: History) -> History:
    """Append the history of a phase to the history before it.

    Parameters
    ----------
    before : dict of str to list of float, of length n
    history : dict of str to list of float, of length m

    Returns
    -------
    dict of str to list of float, of length n + m
        Epochs and seconds go on; a value that one of the two lacks is NaN there.
    """
    if not before or not history:
        return before or history
    n_before, n_after = len(before["epoch"]), len(history["epoch"])
    nan = float("nan")
    both = {
        name: before.get(name, [nan] * n_before) + history.get(name, [nan] * n_after)
        for name in {**before, **history}
    }
    for name in ("epoch", "seconds"):
        both[name][n_before:] = [before[name][-1] + value for value in history[name]]
    return both


def warn_of_failure(number: int, n_restarts: int, error: DivergenceError) -> None:
    """Warn that one of several restarts, numbered from 0, is left out."""
    warnings.warn(f"restart {number + 1} of {n_restarts} left out: {error}", stacklevel=2)
