"""Data sets of a configuration: those of the package by name, and a user's own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gmvae.bench import data as datasets
from gmvae.bench.disk.errors import ConfigError, did_you_mean
from gmvae.bench.grid.schema import cut, shortened

OPTIONS = {
    "label": ("csv", "openml"),
    "resize": ("images",),
    "test": ("csv", "images"),
    "transpose": ("idx",),
    "version": ("openml",),
}
"""Options of a user's own data that some kinds alone have."""


@dataclass(frozen=True)
class DatasetSpec:
    """A data set of the config: its name, and for a user's own data where and what they are."""

    name: str
    source: Mapping[str, Any] | None = None


def dataset_of(
    raw: str | Mapping[str, Any], place: str = "datasets", declared: Sequence[str] = ()
) -> DatasetSpec:
    """A data set as in a config, its name or the user's own.

    Parameters
    ----------
    raw : str or mapping
    place : str
        Where it stands, for messages.
    declared : sequence of str
        Names of the config's other data sets.

    Raises
    ------
    ConfigError
        If it is unknown, or cannot be read like this.
    """
    if not isinstance(raw, str):
        if raw["name"] in datasets.available():
            raise ConfigError(
                f"datasets: {raw['name']!r} is a data set of the package; give your own "
                "another name"
            )
        _check_source(raw)
        return DatasetSpec(raw["name"], {key: raw[key] for key in raw if key != "name"})
    if raw not in datasets.available():
        names = list(dict.fromkeys([*declared, *datasets.available()]))
        raise ConfigError(
            f"{place}: unknown data set {shortened(raw)}{did_you_mean(raw, names)}; "
            f"choose from {', '.join(map(cut, names))}, "
            "or give your own under datasets, like {name: mine, csv: path}"
        )
    return DatasetSpec(raw)


def resolved_dataset(spec: Mapping[str, Any]) -> DatasetSpec:
    """A data set as in ``config.json``; before 0.7.0 there was ``npz`` in place of ``source``."""
    source = spec.get("source") or (spec.get("npz") and {"npz": spec["npz"]})
    return DatasetSpec(spec["name"], source or None)


def _check_source(raw: Mapping[str, Any]) -> None:
    """Refuse an entry without exactly one kind of data, or with paths and options that do not fit.

    Whether the content can be used is found out when the data are prepared.
    """
    place = f"datasets: {cut(raw['name'])}"
    kinds = [kind for kind in datasets.KINDS if kind in raw]
    if len(kinds) != 1:
        raise ConfigError(
            f"{place}: give one of {', '.join(datasets.KINDS)}; found {', '.join(kinds) or 'none'}"
        )
    for option, kind in OPTIONS.items():
        if option in raw and kinds[0] not in kind:
            raise ConfigError(f"{place}: {option!r} is for {' and '.join(kind)} only; remove it")
    if kinds[0] == "openml":
        _check_openml(raw, place)
        return
    is_folder = kinds[0] in ("images", "idx")
    for path in (raw[key] for key in (kinds[0], "test") if key in raw):
        if not (os.path.isdir(path) if is_folder else os.path.isfile(path)):
            what = "a folder" if is_folder else f"a .{kinds[0]} file"
            problem = f"is not {what}" if os.path.exists(path) else "does not exist"
            raise ConfigError(f"{place}: {cut(path)} {problem}; give the path of {what}")
    if is_folder and raw.get("scale", "none") != "none":
        raise ConfigError(f"{place}: 'scale' is for real values, not for images; remove it")


def _check_openml(raw: Mapping[str, Any], place: str) -> None:
    """A data set of OpenML has to be one version, since the content differs between them."""
    is_name = isinstance(raw["openml"], str)
    if is_name and "version" not in raw:
        raise ConfigError(
            f"{place}: OpenML may have several versions of {shortened(raw['openml'])}; give one by "
            "'version', or its number in place of the name"
        )
    if not is_name and "version" in raw:
        raise ConfigError(f"{place}: a number of OpenML stands for one version; remove 'version'")
