"""States of a training on disk, from which a killed training resumes and ends with the same bits.

Each file holds one state: tensors as safetensors, everything else as JSON in the header. Nothing is
ever unpickled. The file's name holds a checksum of its content, so that damage is recognised.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

FORMAT = "checkpoint-2"
SECONDS = 30.0
"""Default time between two states."""
MAX_SHARE = 0.05
"""Largest share of the time that writing states at the ends of short epochs may take."""
KEPT = 2
"""Number of states kept per training: the last, and one more in case the last is damaged."""

UNFINISHED = ".unfinished"
_FILE = re.compile(
    r"(?P<name>.+)[.](?P<tag>[0-9a-f]{8})[.](?P<number>[0-9]{6,})[.](?P<checksum>[0-9a-f]{64})"
    r"[.](safetensors|damaged)"
)


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written or used; training continues nevertheless."""


@dataclass(frozen=True)
class State:
    """State of a training.

    Attributes
    ----------
    tensors : dict of str to Tensor
    values : dict of str to object
        Values that can be written as JSON.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Tensor]:
        """Tensors whose names begin with `name` and a dot, by the remainder of their names."""
        prefix = f"{name}."
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }


class Checkpoints:
    """Folder with the states of all trainings of one fit.

    Parameters
    ----------
    folder : str or Path
    identity : mapping of str to object
        Everything that decides the result, in values that can be written as JSON. States with
        another identity are neither used nor touched.
    seconds : float, default=30
        Time between two states; 0 writes one after every step. The end of an epoch also writes one
        if the epoch is long enough for the cost not to matter.

    Attributes
    ----------
    restored_seconds : float
        Training time of earlier attempts, as found in their states.
    resumed : int
        Number of times that the fit has resumed from such states, including this time.
    """

    def __init__(
        self,
        folder: str | Path,
        identity: Mapping[str, Any] | None = None,
        *,
        seconds: float = SECONDS,
    ):
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"checkpoint should be a folder, but {folder} is a file")
        self.identity = _as_json(identity or {})
        self.seconds = seconds
        self.restored_seconds = 0.0
        self.resumed = 0

    def identify(self, **identity: Any) -> None:
        """Add to the identity of the fit."""
        self.identity |= _as_json(identity)

    def series(self, name: str) -> Series:
        """Successive states of the training `name`."""
        return Series(self, name)

    @property
    def tag(self) -> str:
        """Part of the file names that is unique to this fit."""
        text = json.dumps(self.identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def remove(self) -> None:
        """Delete the states of this fit, and the folder if nothing else is in it."""
        for path, parts in self.states():
            if parts["tag"] == self.tag:
                path.unlink(missing_ok=True)
        for path in self.folder.glob(f"*.{self.tag}{UNFINISHED}"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def warn_of_others(self) -> None:
        """Warn of states of other fits, in case this one was meant to resume from them."""
        if any(parts["tag"] != self.tag for _, parts in self.states()):
            _warn(f"checkpoints of another fit are in {self.folder}; they are left alone")

    def states(self) -> list[tuple[Path, re.Match[str]]]:
        """Files of all states in the folder, with the parts of their names."""
        found = [(path, _FILE.fullmatch(path.name)) for path in self.folder.glob("*.*")]
        return [(path, parts) for path, parts in found if parts is not None]

    def note_restored(self, values: Mapping[str, Any], since: float) -> None:
        """Count the training time of a state that was found, beyond `since` seconds."""
        self.restored_seconds += values["wall_seconds"] - since
        self.resumed = max(self.resumed, values["resumed"] + 1)


class Series:
    """Successive states of one training; only the last two are kept.

    Parameters
    ----------
    checkpoints : Checkpoints
    name : str
        Name of the training, unique in its fit.
    """

    def __init__(self, checkpoints: Checkpoints, name: str):
        self._checkpoints, self._name = checkpoints, name
        self._last, self._cost = time.monotonic(), 0.0

    @property
    def _unfinished(self) -> Path:
        """Name while a state is written; it is fixed, so at most one such file is left behind."""
        return self._checkpoints.folder / f"{self._name}.{self._checkpoints.tag}{UNFINISHED}"

    def due(self, *, epoch_ends: bool = False) -> bool:
        """Whether the current state should be written."""
        since = time.monotonic() - self._last
        if epoch_ends and since * MAX_SHARE >= self._cost:
            return True
        return since >= self._checkpoints.seconds

    def save(self, state: State) -> None:
        """Write a state. If that fails, warn and continue."""
        started = time.monotonic()
        header = {
            "format": FORMAT,
            "identity": json.dumps(self._checkpoints.identity),
            "values": json.dumps({**state.values, "resumed": self._checkpoints.resumed}),
        }
        # Copied, since no two tensors of a safetensors file may share memory.
        tensors = {
            name: value.detach().cpu().contiguous().clone() for name, value in state.tensors.items()
        }
        content = save(tensors, header)
        there = self._files()
        number = int(there[-1][1]["number"]) + 1 if there else 1
        checksum = hashlib.sha256(content).hexdigest()
        name = f"{self._name}.{self._checkpoints.tag}.{number:06d}.{checksum}.safetensors"
        try:
            _replace(self._checkpoints.folder / name, content, self._unfinished)
            for path, _ in self._files()[:-KEPT]:
                path.unlink(missing_ok=True)
        except OSError as error:
            _warn(f"no checkpoint could be written in {self._checkpoints.folder}: {error}")
        self._last = time.monotonic()
        self._cost = self._last - started

    def load(self, since: float = 0.0) -> State | None:
        """Read the last intact state of this fit; damaged ones are set aside with a warning.

        Parameters
        ----------
        since : float
            Seconds of the state's training time that have been counted already.
        """
        for path, parts in reversed(self._files()):
            state = self._read(path, parts["checksum"])
            if state is not None:
                self._checkpoints.note_restored(state.values, since)
                self._last = time.monotonic()
                return state
        return None

    def _read(self, path: Path, checksum: str) -> State | None:
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != checksum:
                raise ValueError("its checksum is wrong")
            with safe_open(path, framework="pt") as file:
                header = file.metadata()
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']}, not {FORMAT}")
            if json.loads(header["identity"]) != self._checkpoints.identity:
                raise ValueError("it belongs to another fit")
            return State(load(content), json.loads(header["values"]))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            aside = path.with_suffix(".damaged")
            path.rename(aside)
            _warn(f"checkpoint {path} cannot be used ({error}); it is now {aside.name}")
            return None

    def _files(self) -> list[tuple[Path, re.Match[str]]]:
        """Files of this series, damaged or not, oldest first."""
        found = [
            (path, parts)
            for path, parts in self._checkpoints.states()
            if (parts["name"], parts["tag"]) == (self._name, self._checkpoints.tag)
            and path.suffix == ".safetensors"
        ]
        return sorted(found, key=lambda state: int(state[1]["number"]))


def _replace(path: Path, content: bytes, temporary: Path) -> None:
    """Write a file so that it is either complete under its name or does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def checkpoints_of(
    where: Checkpoints | str | Path | None, estimators: Sequence[Any], samples: Tensor
) -> Iterator[Checkpoints | None]:
    """Yield the checkpoints of a fit; if made from a path, they are removed after the fit.

    Parameters
    ----------
    where : Checkpoints, str, Path or None
        The user's argument ``checkpoint``.
    estimators : sequence of BaseEstimator
        Estimators to fit, one or several in step.
    samples : Tensor
        Training samples.

    Raises
    ------
    ValueError
        If an estimator has no integer seed, so that its fit cannot be repeated.
    """
    if where is None:
        yield None
        return
    if isinstance(where, Checkpoints):
        _identify(where, estimators, samples)
        yield where
        return
    checkpoints = Checkpoints(where)
    _identify(checkpoints, estimators, samples)
    yield checkpoints
    checkpoints.remove()


def _identify(checkpoints: Checkpoints, estimators: Sequence[Any], samples: Tensor) -> None:
    for estimator in estimators:
        if not isinstance(estimator.random_state, Integral):
            raise ValueError(
                "checkpoint needs an integer as random_state, since a fit can only resume if its "
                f"random numbers can be repeated; got random_state={estimator.random_state!r}"
            )
    checkpoints.identify(
        estimator=type(estimators[0]).__name__,
        parameters=[
            {name: value for name, value in one.get_params().items() if name != "verbose"}
            for one in estimators
        ],
        samples=_fingerprint(samples),
        device=_device_name(samples.device),
        threads=torch.get_num_threads(),
        versions={"gmvae": _version(), "torch": torch.__version__},
    )
    checkpoints.warn_of_others()


def _version() -> str | None:
    # Not imported, since an import would make the whole package a source of every method.
    try:
        return importlib.metadata.version("gmvae")
    except importlib.metadata.PackageNotFoundError:
        return None


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _fingerprint(samples: Tensor) -> str:
    checksum = hashlib.sha256(samples.cpu().contiguous().numpy().data).hexdigest()
    return f"{samples.dtype} {tuple(samples.shape)} {checksum}"


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values to the form in which they come back from a file."""
    return json.loads(json.dumps(dict(values), default=lambda number: number.item()))


def _warn(message: str) -> None:
    warnings.warn(message, CheckpointWarning, stacklevel=3)
