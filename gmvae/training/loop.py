"""The training loop of GMVAE and of every baseline with a network.

It knows neither clusters nor labels: it minimises the ``loss`` of an objective and averages its
other values.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmvae.training.checkpoints import Checkpoints, Series, State
from gmvae.training.devices import has_native_bfloat16, repeatable_kernels
from gmvae.training.progress import (
    SECONDS_BETWEEN_BATCH_REPORTS,
    BatchReport,
    EpochReport,
    History,
    Progress,
    display,
    seconds_left,
    tell,
)
from gmvae.training.step import Step, TrainingSettings, named

Record = dict[str, NDArray[Any]]
"""Arrays that were noted after an epoch, by name."""


class DivergenceError(FloatingPointError):
    """A value of the training is no longer finite.

    Attributes
    ----------
    history : dict of str to list of float
        Epoch means up to the divergence.
    """

    def __init__(self, message: str, history: History | None = None):
        super().__init__(message)
        self.history: History = history or {}


class Training:
    """Training of one network, some epochs at a time.

    Parameters
    ----------
    step : Step
        Function that trains on one batch.
    settings : TrainingSettings
    checkpoints : Checkpoints, optional
        States of the training on disk, from which it resumes if there are any.
    name : str
        Name of these states, unique among all trainings that share `checkpoints`.
    progress : callable, optional
        Called with an `EpochReport` after each epoch; if it has a method ``within_epoch``, that is
        called with a `BatchReport` now and then. Without it, `settings.verbose` decides.
    restart : int, optional
        Number of the restart, for the reports.

    Attributes
    ----------
    history : dict of str to list of float
        One value per epoch: ``epoch``, ``seconds`` (training time so far) and the mean of each
        value of the objective.
    records : list of dict of str to ndarray
        Arrays that `on_epoch` returned, one dict per epoch.
    """

    def __init__(
        self,
        step: Step,
        settings: TrainingSettings,
        checkpoints: Checkpoints | None = None,
        name: str = "training",
        *,
        progress: Progress | None = None,
        restart: int | None = None,
    ):
        self.step, self.settings = step, settings
        self.history: History = {}
        self.records: list[Record] = []
        self._checkpoints, self._name = checkpoints, name
        self._progress, self._restart = progress, restart
        self._seconds = 0.0
        self._epoch = 0
        # State within an epoch; without an order, the next epoch has not begun.
        self._order: Tensor | None = None
        self._batch = 0
        self._sums: dict[str, Tensor] = {}

    def count(self, seconds: float) -> None:
        """Add to the training time, for example what was spent before the first epoch."""
        self._seconds += seconds

    def run(self, until: int, on_epoch: Callable[[int], Record | None] | None = None) -> None:
        """Train up to the end of epoch `until`; the network is left in evaluation mode.

        Training resumes from the last state of an earlier attempt, if there is one.

        Parameters
        ----------
        until : int
            Epoch to reach, counted from the start of the training.
        on_epoch : callable, optional
            Called after each epoch with the number of finished epochs, the network in evaluation
            mode. Arrays that it returns are kept in `records`.

        Raises
        ------
        DivergenceError
            If the mean of a value over an epoch is not finite.
        """
        if self._epoch >= until:
            return
        device = self.step.samples.device
        if self.settings.precision == "bfloat16" and not has_native_bfloat16(device):
            warnings.warn(
                "this processor has no bfloat16 arithmetic, so training is slower than in "
                "precision='float32'",
                stacklevel=2,
            )
        # The states before and after a comparison of restarts have different names.
        name = f"{self._name}-until{until}"
        series = None if self._checkpoints is None else self._checkpoints.series(name)
        self._resume(series)
        kernels = repeatable_kernels() if device.type == "cuda" else contextlib.nullcontext()
        with self._shown(until) as show, kernels:
            while self._epoch < until and not self.step.converged:
                self._run_epoch(series, until, getattr(show, "within_epoch", None))
                self._end_epoch(until, show, on_epoch)
                if series and series.due(epoch_ends=True):
                    series.save(self._state())

    def _shown(self, until: int) -> contextlib.AbstractContextManager[Progress]:
        if self._progress is not None:
            return contextlib.nullcontext(self._progress)
        if self.settings.verbose:
            return display(self._epoch, until)
        return contextlib.nullcontext(lambda report: None)

    def _run_epoch(
        self, series: Series | None, until: int, within: Callable[[BatchReport], None] | None
    ) -> None:
        step = self.step
        step.set_training(True)
        started = began = told = time.perf_counter()
        if self._order is None:
            self._order, self._batch, self._sums = step.new_order(), 0, {}
        n_batches = len(self._order) // step.batch_size
        while self._batch < n_batches:
            rows = self._order[self._batch * step.batch_size :][: step.batch_size]
            add_to(self._sums, step(rows, self._epoch + self._batch / n_batches))
            self._batch += 1
            if within and time.perf_counter() - told >= SECONDS_BETWEEN_BATCH_REPORTS:
                told = time.perf_counter()
                within(self._batch_report(until, n_batches, told - began))
            if series and series.due():
                self.count(time.perf_counter() - started)
                series.save(self._state())
                started = time.perf_counter()
        means = {name: total / n_batches for name, total in self._sums.items()}
        step.set_training(False)
        more = step.end_epoch()
        self.count(time.perf_counter() - started)
        self._epoch += 1
        self._order = None
        self._note(means, more)

    def _note(self, means: Mapping[str, Tensor], more: Mapping[str, float]) -> None:
        """Add an epoch to the history; `means` are scalars."""
        values = {name: float(value) for name, value in means.items()} | dict(more)
        record(self.history, {"epoch": self._epoch, "seconds": self._seconds, **values})
        error = divergence(self.settings, values, self.history)
        if error is not None:
            raise error

    def _end_epoch(
        self, until: int, show: Progress, on_epoch: Callable[[int], Record | None] | None
    ) -> None:
        show(self._report(self.history, until))
        if on_epoch is not None:
            noted = on_epoch(self._epoch)
            self.records.append(as_record(noted) if isinstance(noted, dict) else {})

    def _report(self, history: History, until: int) -> EpochReport:
        values = {name: column[-1] for name, column in history.items()}
        return EpochReport(
            phase=self.settings.phase,
            restart=self._restart,
            epoch=int(values.pop("epoch")),
            epochs=self.settings.epochs,
            until=until,
            seconds=values.pop("seconds"),
            left=seconds_left(history, until),
            values=values,
        )

    def _batch_report(self, until: int, n_batches: int, seconds: float) -> BatchReport:
        return BatchReport(
            phase=self.settings.phase,
            restart=self._restart,
            epoch=self._epoch,
            epochs=self.settings.epochs,
            until=until,
            batch=self._batch,
            batches=n_batches,
            seconds=seconds,
        )

    def _state(self) -> State:
        tensors = named("step", self.step.state()) | named("sums", self._sums)
        tensors |= {
            f"generator.{number}": generator.get_state()
            for number, generator in enumerate(self.step.generators)
        }
        if self._order is not None:
            tensors["order"] = self._order
        values = {
            "epoch": self._epoch,
            "batch": self._batch,
            "wall_seconds": self._seconds,
            "sums": list(self._sums),
        }
        own_tensors, own_values = self._log()
        return State(tensors | own_tensors, values | own_values)

    def _log(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """History and records as tensors and values of a checkpoint."""
        values = {"history": self.history, "n_records": len(self.records)}
        return as_tensors("record", self.records), values

    def _restore_log(self, state: State) -> None:
        self.history = state.values["history"]
        self.records = from_tensors("record", state, state.values["n_records"])

    def _resume(self, series: Series | None) -> None:
        state = series.load(since=self._seconds) if series else None
        if state is None:
            return
        overwrite(self.step.state(), state.part("step"))
        for number, generator in enumerate(self.step.generators):
            generator.set_state(state.tensors[f"generator.{number}"])
        device = self.step.samples.device
        self._order = state.tensors["order"].to(device) if "order" in state.tensors else None
        values, sums = state.values, state.part("sums")
        # The order of their names becomes the order of the history's columns.
        self._sums = {name: sums[name].to(device) for name in values["sums"]}
        self._epoch, self._batch = values["epoch"], values["batch"]
        self._seconds = values["wall_seconds"]
        self._restore_log(state)
        self.step.set_training(False)
        if self.settings.verbose and self._progress is None:
            batches = "" if self._order is None else f", batch {self._batch} of the next"
            tell(f"resumed after epoch {self._epoch}{batches}")


@torch.no_grad()
def overwrite(tensors: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    """Copy stored values into the tensors of the same names, in place."""
    for name, value in tensors.items():
        value.copy_(stored[name])


def as_record(noted: Mapping[str, Any]) -> Record:
    """Turn the values that `on_epoch` returned into arrays that a checkpoint can hold.

    Raises
    ------
    ValueError
        If an array does not consist of numbers.
    """
    arrays = {str(name): np.ascontiguousarray(value) for name, value in noted.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"on_epoch should return arrays of numbers, but {name!r} is of type {array.dtype}"
            )
    return arrays


def as_tensors(name: str, records: list[Record]) -> dict[str, Tensor]:
    """Records as named tensors of a checkpoint."""
    return {
        f"{name}.{number}.{key}": torch.from_numpy(array)
        for number, arrays in enumerate(records)
        for key, array in arrays.items()
    }


def from_tensors(name: str, state: State, n_records: int) -> list[Record]:
    """Inverse of `as_tensors`."""
    return [
        {key: value.numpy() for key, value in state.part(f"{name}.{number}").items()}
        for number in range(n_records)
    ]


def add_to(sums: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Add `values` to `sums`, without waiting for the device."""
    for name, value in values.items():
        sums[name] = sums[name] + value if name in sums else value


def record(history: History, values: Mapping[str, float]) -> None:
    """Append one epoch to `history`."""
    for name, value in values.items():
        history.setdefault(name, []).append(value)


def divergence(
    settings: TrainingSettings, means: Mapping[str, float], history: History
) -> DivergenceError | None:
    """Error to raise if a mean of the last epoch is NaN or infinite, else None."""
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if not bad:
        return None
    return DivergenceError(
        f"{settings.phase} diverged in epoch {history['epoch'][-1]}: {', '.join(bad)} not finite; "
        f"{settings.remedy}",
        history,
    )


def finite_elbo(bounds: NDArray[np.floating]) -> float:
    """Mean bound of all training samples, in nats per sample.

    Raises
    ------
    DivergenceError
        If it is not finite: the last step of training can diverge without a trace in the history.
    """
    elbo = float(bounds.mean(dtype=np.float64))
    if not math.isfinite(elbo):
        raise DivergenceError(
            "training diverged in its last step: the ELBO of the training samples is not finite; "
            "a lower learning_rate usually helps"
        )
    return elbo
