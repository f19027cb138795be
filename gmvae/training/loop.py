"""The training loop that GMVAE and every network baseline share.

It knows nothing of clusters or labels: it minimises the ``loss`` of an objective and averages
whatever else that objective returns.
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
from gmvae.training.progress import History, progress_bar, tell
from gmvae.training.step import TrainingSettings, named

Record = dict[str, NDArray[Any]]
"""Arrays that were noted after an epoch, by name."""


class DivergenceError(FloatingPointError):
    """Training came to values that are not finite.

    Attributes
    ----------
    history : dict of str to list of float
        Of the epochs up to there.
    """

    def __init__(self, message: str, history: History | None = None):
        super().__init__(message)
        self.history: History = history or {}


class Training:
    """A training, of one network or of several in step, that can be run epoch by epoch.

    Parameters
    ----------
    step : gmvae.training.step.TrainingStep or gmvae.training.together.StepTogether
    settings : TrainingSettings
    checkpoints : Checkpoints, optional
        Where its states go, and where it finds them again.
    name : str
        Of its states, unique among all trainings that share `checkpoints`.

    Attributes
    ----------
    histories : list of dict
        For each network, lists with one value an epoch: ``epoch``, ``seconds`` (spent in training
        so far, its share where several are trained in step) and the means of everything that the
        objective returned.
    records : list of list of dict of str to ndarray
        For each network, what `on_epoch` returned after each epoch.
    errors : list of DivergenceError or None
        For each network, how it failed; its history ends there.
    """

    def __init__(
        self,
        step: Any,
        settings: TrainingSettings,
        checkpoints: Checkpoints | None = None,
        name: str = "training",
    ):
        self.step, self.settings = step, settings
        self.histories: list[History] = []
        self.records: list[list[Record]] = []
        self.errors: list[DivergenceError | None] = []
        self._checkpoints, self._name = checkpoints, name
        self._seconds = 0.0  # the share of one network
        self._wall_seconds = 0.0
        self._epoch = 0
        # Of the epoch that is under way, if one is.
        self._order: Tensor | None = None
        self._batch = 0
        self._sums: dict[str, Tensor] = {}

    def run(self, until: int, on_epoch: Callable[[int, int], Record | None] | None = None) -> None:
        """Train up to the end of epoch `until`; the networks are left in evaluation mode.

        Where an earlier attempt at this has left its state, training goes on from there.

        Parameters
        ----------
        until : int
        on_epoch : callable, optional
            Called for each network that has not failed with its index and the number of finished
            epochs, the networks in evaluation mode; arrays that it returns are kept in `records`.

        Raises
        ------
        DivergenceError
            If no network has a finite loss any more.
        """
        if self._epoch >= until:
            return
        device = self.step.samples.device
        if self.settings.precision == "bfloat16" and not has_native_bfloat16(device):
            warnings.warn(
                "this processor has no bfloat16 of its own, which makes training slower than in "
                "precision='float32'",
                stacklevel=2,
            )
        # States before and after a comparison of restarts are kept apart.
        name = f"{self._name}-until{until}"
        series = None if self._checkpoints is None else self._checkpoints.series(name)
        self._resume(series)
        kernels = repeatable_kernels() if device.type == "cuda" else contextlib.nullcontext()
        with progress_bar(self.settings, self._epoch, until) as report, kernels:
            while self._epoch < until and not self.step.converged:
                self._run_epoch(series)
                report(self.histories[self.errors.index(None)])
                self._observe(on_epoch)
                if series and series.due(epoch_ends=True):
                    series.save(self._state())

    def keep(self, indices: list[int]) -> None:
        """Go on with these networks alone, in this order (trainings in step only).

        Parameters
        ----------
        indices : list of int
        """
        self.step.keep(indices)
        self.histories = [self.histories[index] for index in indices]
        self.records = [self.records[index] for index in indices]
        self.errors = [self.errors[index] for index in indices]

    def _run_epoch(self, series: Series | None) -> None:
        step = self.step
        step.set_training(True)
        started = time.perf_counter()
        if self._order is None:
            self._order, self._batch, self._sums = step.new_order(), 0, {}
        order = self._order  # (N,) or one row a network
        n_networks = len(order) if order.dim() > 1 else 1
        n_batches = order.shape[-1] // step.batch_size
        while self._batch < n_batches:
            rows = order[..., self._batch * step.batch_size : (self._batch + 1) * step.batch_size]
            add_to(self._sums, step(rows, self._epoch + self._batch / n_batches))
            self._batch += 1
            if series and series.due():
                self._spend(time.perf_counter() - started, n_networks)
                series.save(self._state())
                started = time.perf_counter()
        means = {n: (total / n_batches).reshape(-1).tolist() for n, total in self._sums.items()}
        step.set_training(False)
        more = step.end_epoch()
        self._spend(time.perf_counter() - started, n_networks)
        self._epoch += 1
        self._order = None
        self._record(means | {name: [value] for name, value in more.items()})

    def _spend(self, seconds: float, n_networks: int) -> None:
        self._wall_seconds += seconds
        self._seconds += seconds / n_networks

    def _record(self, means: Mapping[str, list[float]]) -> None:
        n_networks = len(means["loss"])
        self.histories = self.histories or [{} for _ in range(n_networks)]
        self.records = self.records or [[] for _ in range(n_networks)]
        self.errors = self.errors or [None] * n_networks
        for index, history in enumerate(self.histories):
            if self.errors[index] is None:
                own = {name: values[index] for name, values in means.items()}
                record(history, {"epoch": self._epoch, "seconds": self._seconds, **own})
                self.errors[index] = divergence(self.settings, own, history)
        if all(self.errors):
            raise self.errors[0]  # type: ignore[misc]

    def _observe(self, on_epoch: Callable[[int, int], Record | None] | None) -> None:
        for index, error in enumerate(self.errors):
            if on_epoch is not None and error is None:
                noted = on_epoch(index, self._epoch)
                self.records[index].append(as_record(noted) if isinstance(noted, dict) else {})

    def _state(self) -> State:
        tensors = named("step", self.step.state()) | named("sums", self._sums)
        tensors |= {
            f"generator.{number}": generator.get_state()
            for number, generator in enumerate(self.step.generators)
        }
        if self._order is not None:
            tensors["order"] = self._order
        for index, epochs in enumerate(self.records):
            for number, arrays in enumerate(epochs):
                parts = {name: torch.from_numpy(array) for name, array in arrays.items()}
                tensors |= named(f"record.{index}.{number}", parts)
        values = {
            "epoch": self._epoch,
            "batch": self._batch,
            "seconds": self._seconds,
            "wall_seconds": self._wall_seconds,
            "sums": list(self._sums),
            "histories": self.histories,
            "errors": [error and str(error) for error in self.errors],
            "n_records": [len(epochs) for epochs in self.records],
        }
        return State(tensors, values)

    def _resume(self, series: Series | None) -> None:
        state = series.load(since=self._wall_seconds) if series else None
        if state is None:
            return
        overwrite(self.step.state(), state.part("step"))
        for number, generator in enumerate(self.step.generators):
            generator.set_state(state.tensors[f"generator.{number}"])
        device = self.step.samples.device
        self._order = state.tensors["order"].to(device) if "order" in state.tensors else None
        values, sums = state.values, state.part("sums")
        # Their order is that of the columns of the history.
        self._sums = {name: sums[name].to(device) for name in values["sums"]}
        self._epoch, self._batch = values["epoch"], values["batch"]
        self._seconds, self._wall_seconds = values["seconds"], values["wall_seconds"]
        self.histories = values["histories"]
        self.errors = [
            None if message is None else DivergenceError(message, history)
            for message, history in zip(values["errors"], self.histories, strict=True)
        ]
        self.records = [
            [as_arrays(state.part(f"record.{index}.{number}")) for number in range(n_epochs)]
            for index, n_epochs in enumerate(values["n_records"])
        ]
        self.step.set_training(False)
        if self.settings.verbose:
            batches = "" if self._order is None else f", batch {self._batch} of the next"
            tell(f"goes on after epoch {self._epoch}{batches}")


@torch.no_grad()
def overwrite(tensors: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    """Copy stored values into tensors of the same names, which keep their place in memory."""
    for name, value in tensors.items():
        value.copy_(stored[name])


def as_record(noted: Mapping[str, Any]) -> Record:
    """What `on_epoch` returned, if a checkpoint can hold it.

    Raises
    ------
    ValueError
        If it is not made of numbers.
    """
    arrays = {str(name): np.ascontiguousarray(value) for name, value in noted.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"on_epoch should return arrays of numbers, but {name!r} is of type {array.dtype}"
            )
    return arrays


def as_arrays(tensors: Mapping[str, Tensor]) -> Record:
    """Tensors as arrays of NumPy."""
    return {name: value.numpy() for name, value in tensors.items()}


def add_to(sums: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Accumulate `values` without waiting for the device."""
    for name, value in values.items():
        sums[name] = sums[name] + value if name in sums else value


def record(history: History, values: Mapping[str, float]) -> None:
    """Append one epoch to `history`."""
    for name, value in values.items():
        history.setdefault(name, []).append(value)


def divergence(
    settings: TrainingSettings, means: Mapping[str, float], history: History
) -> DivergenceError | None:
    """The error to raise if any mean of the last epoch is NaN or infinite."""
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if not bad:
        return None
    return DivergenceError(
        f"{settings.phase} diverged in epoch {history['epoch'][-1]}: {', '.join(bad)} not finite; "
        f"{settings.remedy}",
        history,
    )


def finite_elbo(bounds: NDArray[np.floating], history: History) -> float:
    """Mean of the bounds of all training samples, which the last step may have spoilt.

    Raises
    ------
    DivergenceError
        If it is not finite.
    """
    elbo = float(bounds.mean(dtype=np.float64))
    if not math.isfinite(elbo):
        raise DivergenceError(
            "training diverged in its last step: the ELBO of the training samples is not finite; "
            "a lower learning_rate usually helps",
            history,
        )
    return elbo
