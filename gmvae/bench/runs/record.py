"""The JSON files of a run, checked when they are read: ``run.json`` and ``metrics.json``."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from gmvae.bench.disk.errors import DataError, OtherFormatError

FORMAT = "run-2"
STATUSES = ("finished", "diverged", "collapsed", "timed_out")
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


def _object(**properties: Any) -> dict[str, Any]:
    """Schema of a mapping that has at least these keys."""
    return {"type": "object", "required": list(properties), "properties": properties}


RUN_SCHEMA = {
    **_object(
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
        n_parameters=_OPTIONAL_COUNT,
        training_clusters=_OPTIONAL_COUNT,
        peak_memory_mb={"type": "number"},
        resumed={"type": "integer", "minimum": 0},
        started=_TEXT,
        finished=_TEXT,
        threads={"type": "integer", "minimum": 1},
        precision=_OPTIONAL_TEXT,
        time_limit=_OPTIONAL_NUMBER,
        data_sha256={"type": "object", "additionalProperties": _SHA256},
        program=_MAPPING,
        libraries=_MAPPING,
        machine=_MAPPING,
        config={"type": ["object", "null"]},
    ),
    # A run that did not finish says why.
    "if": {"required": ["status"], "properties": {"status": {"enum": list(STATUSES[1:])}}},
    "then": {"properties": {"reason": _TEXT}},
}
METRICS_SCHEMA = _object(
    status={"enum": list(STATUSES)},
    final={"type": ["object", "null"], "additionalProperties": _OPTIONAL_NUMBER},
    epochs={
        "type": "object",
        "additionalProperties": {"type": "array", "items": _OPTIONAL_NUMBER},
    },
)
METRICS_SCHEMA["properties"]["labels_sha256"] = _OPTIONAL_TEXT


def read_record(path: str | Path) -> dict[str, Any]:
    """Read what ``run.json`` says of a run.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        With all keys of `RUN_SCHEMA`, and possibly more.

    Raises
    ------
    DataError
        If the file is missing, damaged, incomplete or of another format.
    """
    record = _read(path)
    if isinstance(record, dict):
        _refuse_other_formats(path, record)
    return _checked(path, record, "run")


def read_metrics(path: str | Path) -> dict[str, Any]:
    """Read what ``metrics.json`` says of the scores of a run.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        With all required keys of `METRICS_SCHEMA`, and possibly more.

    Raises
    ------
    DataError
        If the file is missing, damaged or incomplete.
    """
    return _checked(path, _read(path), "metrics")


def _read(path: str | Path) -> Any:
    try:
        text = Path(path).read_text(encoding="utf-8")
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
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _refuse_other_formats(path: str | Path, record: dict[str, Any]) -> None:
    found = record.get("format")
    # The first format had no name; what is no text here is damage, as the schema tells.
    other = found != FORMAT and (isinstance(found, str) if "format" in record else "run" in record)
    if not other:
        return
    from gmvae.bench.grid.schema import shortened

    named = "not named" if found is None else shortened(found)
    raise OtherFormatError(
        f"{path} was written by another version of this project (its format is {named}, this one "
        f"reads {FORMAT!r}); {AGAIN}"
    )


def _checked(path: str | Path, value: Any, kind: str) -> dict[str, Any]:
    from gmvae.bench.grid.schema import problems

    found = problems(_validator(kind), value, whole="the file")
    if found:
        more = f" (and {len(found) - MAX_PROBLEMS:,} more)" if len(found) > MAX_PROBLEMS else ""
        raise DataError(
            f"{path} is damaged or incomplete: {'; '.join(found[:MAX_PROBLEMS])}{more}; {AGAIN}"
        )
    checked: dict[str, Any] = value
    return checked


@cache
def _validator(kind: str) -> Any:
    # Late, since jsonschema takes a tenth of a second and not every command reads a record.
    from gmvae.bench.grid.schema import validator

    return validator({"run": RUN_SCHEMA, "metrics": METRICS_SCHEMA}[kind])
