"""The two JSON files of a run, ``run.json`` and ``metrics.json``: one type each.

A `Record` says what was trained and how it went; `Scores` say how the labels judge it. Both are
checked against their schema whenever they are written or read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Self

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import DataError, OtherFormatError
from gmvae.bench.grid.runs import Run

FORMAT = "run-4"
STATUSES = ("finished", "diverged", "collapsed", "timed_out")
ORIGINS = ("transductive", "foreign")
OPTIONAL = ("origin", "sealed")
MAX_PROBLEMS = 3
AGAIN = "delete the file and run the same command again"

_TEXT = {"type": "string"}
_OPTIONAL_TEXT = {"type": ["string", "null"]}
_MAPPING = {"type": "object"}
_OPTIONAL_NUMBER = {"type": ["number", "null"]}
_OPTIONAL_COUNT = {"type": ["integer", "null"], "minimum": 0}
_SHA256 = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "$comment": "a SHA-256 of 64 hexadecimal digits",
}
_CHECKSUMS = {"type": "object", "additionalProperties": _SHA256}


def _object(**properties: Any) -> dict[str, Any]:
    """Schema of a mapping that has at least these keys."""
    return {"type": "object", "required": list(properties), "properties": properties}


_RECORDED = _object(
    format={"enum": [FORMAT]},
    run=_object(
        dataset=_TEXT,
        method=_TEXT,
        variant=_OPTIONAL_TEXT,
        K=_OPTIONAL_COUNT,
        M=_OPTIONAL_COUNT,
        seed={"type": "integer"},
        class_path=_TEXT,
        parameters=_MAPPING,
    ),
    status={"enum": list(STATUSES)},
    reason=_OPTIONAL_TEXT,
    train_seconds={"type": "number", "minimum": 0},
    elbo=_OPTIONAL_NUMBER,
    conditional_prior=_OPTIONAL_NUMBER,
    n_parameters=_OPTIONAL_COUNT,
    training_clusters=_OPTIONAL_COUNT,
    peak_memory_mb={"type": "number"},
    resumed={"type": "integer", "minimum": 0},
    started=_TEXT,
    finished=_TEXT,
    threads={"type": "integer", "minimum": 1},
    time_limit=_OPTIONAL_NUMBER,
    seeds_together={"type": ["array", "null"], "items": {"type": "integer"}},
    network_of=_OPTIONAL_TEXT,
    data_sha256=_CHECKSUMS,
    sources_sha256=_SHA256,
    program=_MAPPING,
    libraries=_MAPPING,
    machine=_MAPPING,
)
RUN_SCHEMA = {
    **_RECORDED,
    # Most runs have none of these.
    "properties": {
        **_RECORDED["properties"],
        "origin": {"enum": list(ORIGINS)},
        "sealed": {
            "type": "object",
            "required": ["date", "sha256"],
            "properties": {"date": _TEXT, "sha256": _SHA256},
        },
    },
    # A run that did not finish says why.
    "if": {"required": ["status"], "properties": {"status": {"enum": list(STATUSES[1:])}}},
    "then": {"properties": {"reason": _TEXT}},
}
METRICS_SCHEMA = _object(
    run=_TEXT,
    status={"enum": list(STATUSES)},
    final={
        "type": ["object", "null"],
        "properties": {"silhouette_space": _OPTIONAL_TEXT},
        "additionalProperties": _OPTIONAL_NUMBER,
    },
    epochs={
        "type": "object",
        "additionalProperties": {"type": "array", "items": _OPTIONAL_NUMBER},
    },
    made_from=_CHECKSUMS,
)


@dataclass(frozen=True)
class Record:
    """The content of ``run.json``: one run, what came of it, and where it was trained.

    Attributes
    ----------
    run : Run
    status : str
        One of `STATUSES`.
    reason : str or None
        Why the run did not finish.
    train_seconds : float
        Training time over all attempts, without the recording of epochs.
    elbo : float or None
        Mean bound of the training samples, nats per sample.
    conditional_prior : float or None
        Mean of this term of the objective in the last epoch, nats per sample.
    n_parameters : int or None
        Size of the network.
    training_clusters : int or None
        Number of clusters with training samples.
    peak_memory_mb : float
    resumed : int
        Number of times that the training went on from a checkpoint.
    started, finished : str
        ISO 8601, UTC.
    threads : int
    time_limit : float or None
        Seconds.
    data_sha256 : mapping of str to str
        Checksums of ``train-images`` and ``test-images``.
    sources_sha256 : str
        Checksum of the code that decides the result.
    program, libraries, machine : mapping
    seeds_together : list of int or None
        Seeds that were trained as one computation.
    network_of : str or None
        Path of the run whose network this one has taken over, instead of training it again.
    origin : str or None
        One of `ORIGINS`: the method was fitted to the test samples, too; or another program made
        the assignments. None for a method that was fitted to the training split.
    sealed : mapping or None
        Date and checksum of the seal of the config that the run began under.
    """

    run: Run
    status: str
    reason: str | None
    train_seconds: float
    elbo: float | None
    conditional_prior: float | None
    n_parameters: int | None
    training_clusters: int | None
    peak_memory_mb: float
    resumed: int
    started: str
    finished: str
    threads: int
    time_limit: float | None
    data_sha256: Mapping[str, str]
    sources_sha256: str
    program: Mapping[str, Any]
    libraries: Mapping[str, str]
    machine: Mapping[str, Any]
    seeds_together: list[int] | None = None
    network_of: str | None = None
    origin: str | None = None
    sealed: Mapping[str, str] | None = None

    @property
    def precision(self) -> str | None:
        """Precision of the matrix products in training; None for methods without the choice."""
        return self.run.parameters.get("precision")

    def may_go_on(self, time_limit: float | None) -> bool:
        """Whether the run was out of time, and would have more of it with this limit in seconds."""
        if self.status != "timed_out":
            return False
        return time_limit is None or time_limit > (self.time_limit or 0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in the file, which has those of `OPTIONAL` only where they are known."""
        values = {"format": FORMAT, **vars(self), "run": self.run.as_dict()}
        return {k: v for k, v in values.items() if k not in OPTIONAL or v is not None}

    def write(self, folder: Path) -> None:
        """Write ``run.json`` to the folder of the run."""
        path = folder / "run.json"
        files.write_json(path, _checked(path, self.as_dict(), "run"))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``run.json`` of a run's folder.

        Raises
        ------
        DataError
            If the file is missing, damaged, incomplete or of another format.
        """
        path = folder / "run.json"
        return cls.from_dict(_read(path), path)

    @classmethod
    def from_dict(cls, values: Any, path: Path) -> Self:
        """Inverse of `as_dict`; raises as `read` does, naming `path`."""
        if isinstance(values, dict):
            _refuse_other_formats(path, values)
        _checked(path, values, "run")
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**{**known, "run": Run.from_dict(values["run"])})


@dataclass(frozen=True)
class Scores:
    """The content of ``metrics.json``.

    Attributes
    ----------
    run : str
        Path of the run below the results folder.
    status : str
        As in its `Record`.
    final : mapping of str to number, or None
        Scores by name, and the space of the silhouette; None for a run without clusters.
    epochs : mapping of str to list
        For each score one value per epoch; empty for methods without epochs.
    made_from : mapping of str to str
        Checksums of the assignments, the labels and the code that the scores were made from.
    """

    run: str
    status: str
    final: Mapping[str, Any] | None
    epochs: Mapping[str, list[Any]]
    made_from: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write ``metrics.json`` to the folder of the run."""
        path = folder / "metrics.json"
        files.write_json(path, _checked(path, vars(self), "metrics"))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``metrics.json`` of a run's folder.

        Raises
        ------
        DataError
            If the file is missing, damaged or incomplete.
        """
        path = folder / "metrics.json"
        return cls.from_dict(_read(path), path)

    @classmethod
    def from_dict(cls, values: Any, path: Path) -> Self:
        """Scores from their plain values; raises as `read` does, naming `path`."""
        values = _checked(path, values, "metrics")
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; run the command that makes it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); {AGAIN}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8 ({error}); {AGAIN}") from error
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply; {AGAIN}") from error
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); {AGAIN}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _refuse_other_formats(path: Path, record: dict[str, Any]) -> None:
    found = record.get("format")
    # The first format had no name; a format that is not text is damage, which the schema reports.
    other = found != FORMAT and (isinstance(found, str) if "format" in record else "run" in record)
    if not other:
        return
    from gmvae.bench.grid.schema import shortened

    named = "not named" if found is None else shortened(found)
    raise OtherFormatError(
        f"{path} was written by another version of this project (its format is {named}, this one "
        f"reads {FORMAT!r}); {AGAIN}"
    )


def _checked(path: Path, value: Any, kind: str) -> dict[str, Any]:
    from gmvae.bench.grid.schema import problems

    found = problems(_validator(kind), value, whole="the file")
    if found:
        more = f" (and {len(found) - MAX_PROBLEMS:,} more)" if len(found) > MAX_PROBLEMS else ""
        raise DataError(
            f"{path} is damaged or incomplete: {'; '.join(found[:MAX_PROBLEMS])}{more}; {AGAIN}"
        )
    return value


@cache
def _validator(kind: str) -> Any:
    # Late, since jsonschema takes a tenth of a second to load and not every command reads a record.
    from gmvae.bench.grid.schema import validator

    return validator({"run": RUN_SCHEMA, "metrics": METRICS_SCHEMA}[kind])
