"""Sealed configurations: what is to be run, fixed by its checksum before anything is run.

A seal is a small file beside the config, to be committed before the runs, as one registers a study.
A run is sealed if it began under a config whose checksum is that of a seal.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import key_of
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.grid.config import Config
from gmvae.bench.grid.schema import shortened

FORMAT = "seal-1"
ELSEWHERE = ("results", "mark", "data_dir")
"""Keys of a config that say where its files are, or what is written on them."""
MAX_CHANGES = 5


def content(config: Config) -> dict[str, Any]:
    """All of a config that decides results, seeds included, as JSON holds it."""
    values = json.loads(json.dumps(asdict(config)))
    return {name: value for name, value in values.items() if name not in ELSEWHERE}


def config_sha256(config: Config) -> str:
    """Checksum of `content`."""
    return key_of(**content(config))


def seal_path(config_path: Path) -> Path:
    """Path of the seal of a config."""
    return config_path.with_suffix(".seal.json")


def seal(config: Config, config_path: Path, n_runs: int) -> str:
    """Write the seal of a config.

    Parameters
    ----------
    config : Config
    config_path : Path
        Its file, beside which the seal is written.
    n_runs : int
        Number of its runs, for people who read the seal.

    Returns
    -------
    str
        Lines for a person.

    Raises
    ------
    ConfigError
        If there is a seal of another content already.
    """
    path = seal_path(config_path)
    if path.exists():
        known = read_seal(path)
        if known["sha256"] == config_sha256(config):
            return f"sealed already, on {known['date']}: {path}"
        raise ConfigError(
            f"{config_path} was sealed on {known['date']} with other content "
            f"({_changes(known, config)}); a seal is not replaced: give the config another name, "
            f"or delete {path} if nothing has been run by it"
        )
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    values = {
        "format": FORMAT,
        "date": date,
        "sha256": config_sha256(config),
        "n_runs": n_runs,
        "config": content(config),
    }
    files.write_json(path, values)
    return f"sealed on {date}: {path}\ncommit this file; runs that were there before are not sealed"


def read_seal(path: Path) -> dict[str, Any]:
    """Read a seal.

    Raises
    ------
    DataError
        If the file is damaged, or its content does not have its checksum.
    """
    known = files.read_json(path)
    try:
        is_whole = known["format"] == FORMAT and key_of(**known["config"]) == known["sha256"]
        is_whole = is_whole and isinstance(known["date"], str)
    except (KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise DataError(
            f"{path} is not a seal, or was changed after the sealing; restore it from version "
            "control, or delete it and seal again"
        )
    return dict(known)


def find_seal(config: Config, config_paths: Iterable[Path]) -> dict[str, str] | None:
    """Date and checksum of the seal of a config, if one beside its files is of this content.

    Parameters
    ----------
    config : Config
    config_paths : iterable of Path
        The files that it was read from.
    """
    for path in map(seal_path, config_paths):
        if path.is_file():
            known = read_seal(path)
            if known["sha256"] == config_sha256(config):
                return {"date": known["date"], "sha256": known["sha256"]}
    return None


def state(config: Config, config_path: Path) -> str | None:
    """Whether a config is as it was sealed, in one line; None if it has no seal."""
    path = seal_path(config_path)
    if not path.is_file():
        return None
    known = read_seal(path)
    if known["sha256"] == config_sha256(config):
        return f"sealed on {known['date']} ({path}); runs that begin from now on are marked so"
    return f"NOT SEALED: it was on {known['date']}, and changed since ({_changes(known, config)})"


def date_of(sealed: Mapping[str, str] | None, sha256: str | None) -> str | None:
    """Date of the seal that a run began under, if it is a seal of the config `sha256`."""
    return sealed["date"] if sealed and sealed["sha256"] == sha256 else None


def _changes(known: Mapping[str, Any], config: Config) -> str:
    before, now = dict(_leaves(known["config"])), dict(_leaves(content(config)))
    lines = [
        f"{name} was {shortened(before.get(name))}, is {shortened(now.get(name))}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    more = f"; and {len(lines) - MAX_CHANGES} more" if len(lines) > MAX_CHANGES else ""
    return "; ".join(lines[:MAX_CHANGES]) + more


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Single values of a config by their places, such as ``methods[0].parameters.epochs``."""
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _leaves(one, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, one in enumerate(value):
            yield from _leaves(one, f"{place}[{number}]")
    else:
        yield place, value
