"""The configuration: its types, and the checks that it passes before anything is trained."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from gmvae.bench.disk.errors import ConfigError, DataError, did_you_mean
from gmvae.bench.disk.files import read_json, write_json
from gmvae.bench.disk.layout import RESOLVED_CONFIG
from gmvae.bench.grid.entries import foreign
from gmvae.bench.grid.entries.dataset import DatasetSpec, dataset_of, resolved_dataset
from gmvae.bench.grid.schema import cut, join, problems, shortened, validator
from gmvae.bench.grid.sources import project_folder

SCHEMA = project_folder() / "workflow" / "schemas" / "config.schema.yaml"
DEFAULTS = project_folder() / "config" / "config.yaml"
MAX_FILE_BYTES = 1 << 20
MAX_VALUES = 100_000
MAX_DEPTH = 20
MAX_RUNS = 100_000
MAX_PROBLEMS = 20


@dataclass(frozen=True)
class MethodSpec:
    """One entry under ``methods``; `K` or `M` is (None,) if the entry does not give it.

    `K` is a tuple, or one for each data set by name. `assignments` are those of another program:
    parameters of each run, see `gmvae.bench.grid.entries.foreign.described`.
    """

    name: str
    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    class_path: str | None = None
    variant: str | None = None
    K: tuple[int | None, ...] | Mapping[str, tuple[int, ...]] = (None,)
    M: tuple[int | None, ...] = (None,)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    assignments: Mapping[str, Mapping[str, str]] | None = None

    def numbers_of_clusters(self, dataset: str) -> tuple[int | None, ...]:
        """Values of `K` for a data set."""
        return self.K[dataset] if isinstance(self.K, Mapping) else self.K


@dataclass(frozen=True)
class Config:
    """A complete, checked configuration with its defaults filled in."""

    datasets: tuple[DatasetSpec, ...]  # including those that only one entry names
    seeds: tuple[int, ...]
    methods: tuple[MethodSpec, ...]
    results: str = "results"
    mark: str | None = None
    data_dir: str | None = None
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 1
    runs_per_gpu: int = 1
    seeds_together: bool = False
    time_limit: float | None = None


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """Build a configuration from the values of ``dataclasses.asdict``, also after JSON.

    Raises
    ------
    ConfigError
        If the values do not form a configuration of this version.
    """
    try:
        # Before version 0.5.0, entries had no data sets and seeds of their own.
        names = [spec["name"] for spec in values["datasets"]]
        for_all = {"datasets": names, "seeds": values["seeds"]}
        read = {
            "datasets": tuple(resolved_dataset(spec) for spec in values["datasets"]),
            "seeds": tuple(values["seeds"]),
            "methods": tuple(_method({**for_all, **spec}) for spec in values["methods"]),
        }
        return Config(**{**values, **read})
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"this is not a configuration of this version ({error!r})") from error


_PLAIN = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?|true|false|null")
"""Texts that are values of another type in YAML."""


def as_typed(value: Any) -> Any:
    """A value of the command line in which texts that YAML takes for numbers are numbers."""
    if isinstance(value, Mapping):
        return {key: as_typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_typed(one) for one in value]
    return yaml.safe_load(value) if isinstance(value, str) and _PLAIN.fullmatch(value) else value


def parse_config(raw: Mapping[str, Any]) -> Config:
    """Check a mapping read from YAML and turn it into a `Config`.

    Raises
    ------
    ConfigError
        If a value cannot be used. The message names every wrong key, with what was expected and
        what was found.
    """
    _refuse(_not_plain(raw))
    _refuse(problems(_validator(), raw))
    specs = {}
    for spec in map(dataset_of, raw["datasets"]):
        if spec.name in specs:
            raise ConfigError(f"data set {shortened(spec.name)} is given twice; remove one of them")
        specs[spec.name] = spec
    for_all = {"datasets": list(specs), "seeds": raw["seeds"]}
    methods = tuple(
        _method(_with_files({**for_all, **entry}, entry, f"methods[{number}] ({entry['name']})"))
        for number, entry in enumerate(raw["methods"])
    )
    for number, entry in enumerate(methods):
        _check_clusters(entry, f"methods[{number}].K")
    for name in (name for entry in methods for name in entry.datasets):
        if name not in specs:
            specs[name] = dataset_of(name, "methods[].datasets", for_all["datasets"])
    read = {"datasets": tuple(specs.values()), "seeds": tuple(raw["seeds"]), "methods": methods}
    config = Config(**{**raw, **read})
    n_runs = sum(
        len(spec.numbers_of_clusters(name)) * len(spec.seeds) * len(spec.M)
        for spec in methods
        for name in spec.datasets
    )
    if n_runs > MAX_RUNS:
        raise ConfigError(
            f"the configuration has {n_runs:,} runs (datasets x seeds x K x M), but at most "
            f"{MAX_RUNS:,} are planned at once; split it into several files"
        )
    return config


def write_resolved(config: Config) -> Path:
    """Write a configuration to its results folder, where every command reads it."""
    path = Path(config.results) / RESOLVED_CONFIG
    write_json(path, asdict(config))
    return path


def is_resolved(config: Config) -> bool:
    """Whether the results folder has this configuration."""
    try:
        return read_resolved(Path(config.results)) == config
    except (ConfigError, DataError):
        return False


def read_resolved(results: Path) -> Config:
    """Read the configuration with which the pipeline was last started in a results folder.

    Raises
    ------
    DataError
        If no pipeline was started there.
    """
    path = results / RESOLVED_CONFIG
    if not path.is_file():
        others = ", ".join(str(other.parent) for other in sorted(results.glob(f"*/{path.name}")))
        raise DataError(
            f"{path} does not exist: no workflow was started with {results}; give its results "
            f"folder{others and f', like {others}'}. If single products were asked for, ask for "
            "this file, too"
        )
    return config_from_dict(read_json(path))


def load_config(path: str | Path) -> Config:
    """Read a YAML file and check it with `parse_config`.

    Keys missing from the file are taken from ``config/config.yaml``, as Snakemake does.
    """
    return parse_config({**_read_yaml(DEFAULTS), **_read_yaml(path)})


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain values, with a limit on the keys merged by "<<"."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        merges = [value for key, value in node.value if key.tag == "tag:yaml.org,2002:merge"]
        n_keys = 0
        for value in merges:
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(part, yaml.MappingNode):
                    self.flatten_mapping(part)
                    n_keys += len(part.value)
                if n_keys > MAX_VALUES:
                    raise yaml.YAMLError(f"more than {MAX_VALUES:,} keys are merged by '<<'")
        super().flatten_mapping(node)


def _read_yaml(path: str | Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError(f"{path} is not a config: it has more than {MAX_FILE_BYTES:,} bytes")
        raw = yaml.load(content.decode("utf-8"), _Loader)  # plain values only
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; give the path of a config") from error
    except RecursionError as error:
        raise ConfigError(f"{path} cannot be read as YAML: it is nested too deeply") from error
    except yaml.constructor.ConstructorError as error:
        raise ConfigError(
            f"{path} cannot be read as YAML: {_reason(error)}\nonly text, numbers, dates in "
            "quotes, lists and mappings are read; remove tags that begin with '!'"
        ) from error
    # Impossible dates, numbers and tags raise Python's own errors instead of YAMLError.
    except (OSError, yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {_reason(error)}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} should hold keys with values, like config/config.yaml")
    return raw


def _reason(error: Exception) -> str:
    """Shortened text of a PyYAML error, which can quote the file and ends with the place."""
    text = str(error)
    return text if len(text) <= 600 else f"{text[:200]}...{text[-400:]}"


@cache
def _validator() -> Any:
    return validator(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def _refuse(lines: list[str]) -> None:
    if len(lines) > MAX_PROBLEMS:
        lines = [*lines[:MAX_PROBLEMS], f"... and {len(lines) - MAX_PROBLEMS:,} more problems"]
    if lines:
        raise ConfigError("\n  ".join(["the configuration cannot be used:", *lines]))


def _not_plain(raw: Any) -> list[str]:
    """List the values that JSON cannot hold, one line each; refuse a config that is too large.

    The size is checked first: with aliases, a few lines of YAML can stand for more values than fit
    into memory, and all other checks go through, or print, whole values.
    """
    found: list[str] = []
    waiting: list[tuple[str, Any, int]] = [("", raw, 0)]
    size = 0
    while waiting:
        place, value, depth = waiting.pop()
        size += _size(value)
        if size > MAX_VALUES or depth > MAX_DEPTH:
            raise ConfigError(
                f"the configuration is too large: at most {MAX_VALUES:,} values, {MAX_DEPTH} deep, "
                "are read (every use of an alias counts, and ten letters count as one value)"
            )
        name = place or "configuration"
        if isinstance(value, dict):
            keys = [shortened(key) for key in value if not isinstance(key, str)]
            found += [f"{name}: the key {key} is not text; put it in quotes" for key in keys]
            waiting += [(join(place, key), value[key], depth + 1) for key in reversed(value)]
        elif isinstance(value, list):
            children = list(enumerate(value))
            waiting += [(f"{place}[{i}]", child, depth + 1) for i, child in reversed(children)]
        elif (reason := _unfit(value)) is not None:
            found.append(f"{name}: {reason}; found {shortened(value)}")
    return found


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(len(key) // 10 for key in value if isinstance(key, str))
    if isinstance(value, list):
        return len(value)
    return len(value) // 10 if isinstance(value, str | bytes) else 0


def _unfit(value: Any) -> str | None:
    """Reason why a single value cannot be used in a config, or None if it can."""
    if isinstance(value, str):
        fit = "\0" not in value and not re.search("[\ud800-\udfff]", value)
        return None if fit else "should not contain NUL or half of a surrogate pair"
    if isinstance(value, float):
        return None if math.isfinite(value) else "should be finite"
    if isinstance(value, int):
        return None if value.bit_length() < 64 else "should have fewer than 64 bits"
    if value is None:
        return None
    return "should be text (in quotes), a number, true, false, a list or keys with values"


def _check_clusters(entry: MethodSpec, place: str) -> None:
    """Refuse a K by data set that does not name exactly the data sets of its entry."""
    if not isinstance(entry.K, Mapping):
        return
    for name in entry.datasets:
        if name not in entry.K:
            raise ConfigError(
                f"{place}: has no list for the data set {cut(name)}; it has: "
                f"{', '.join(map(cut, entry.K))}"
            )
    for name in entry.K:
        if name not in entry.datasets:
            raise ConfigError(
                f"{place}: {cut(name)} is not a data set of this entry"
                f"{did_you_mean(name, entry.datasets)}; remove it"
            )


def _with_files(entry: dict[str, Any], written: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """An entry whose assignments, if it has any, have been found and checked."""
    if "assignments" not in written:
        if "data_sha256" in written:
            raise ConfigError(f"{place}.data_sha256: is for an entry with assignments; remove it")
        return entry
    if "seeds" not in written:
        entry["seeds"] = foreign.seeds_of(written, entry["seeds"])
    found = foreign.described(entry, place)
    return {**{k: v for k, v in entry.items() if k != "data_sha256"}, "assignments": found}


def _method(raw: Mapping[str, Any]) -> MethodSpec:
    """An entry, as in a config, where ``class`` is its path, or as in ``config.json``."""
    values = {"class_path" if name == "class" else name: value for name, value in raw.items()}
    lists: dict[str, Any] = {
        name: tuple(values[name])
        for name in values.keys() & {"datasets", "seeds", "K", "M"}
        if not isinstance(values[name], Mapping)
    }
    if isinstance(values.get("K"), Mapping):
        lists["K"] = {name: tuple(numbers) for name, numbers in values["K"].items()}
    return MethodSpec(**{**values, **lists})
