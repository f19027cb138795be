"""Reading and checking a configuration; nothing is trained before it has passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from gmvae.bench import datasets
from gmvae.bench.errors import ConfigError, did_you_mean

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
DEFAULTS = ROOT / "config" / "config.yaml"
TYPE_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "array": "a list in square brackets",
    "object": "keys with values",
    "boolean": "true or false",
    "null": "nothing (null)",
}


@dataclass(frozen=True)
class DatasetSpec:
    """A data set of the config: a name, and for a user's own data the path of its .npz."""

    name: str
    npz: str | None = None


@dataclass(frozen=True)
class MethodSpec:
    """One entry under ``methods``; `K` or `M` is (None,) where the entry does not give it."""

    name: str
    class_path: str | None = None
    variant: str | None = None
    K: tuple[int | None, ...] = (None,)
    M: tuple[int | None, ...] = (None,)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """A whole configuration that has passed the schema, with defaults filled in."""

    datasets: tuple[DatasetSpec, ...]
    seeds: tuple[int, ...]
    methods: tuple[MethodSpec, ...]
    results: str = "results"
    mark: str | None = None
    data_dir: str | None = None
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 1
    seeds_together: bool = False


def parse_config(raw: Mapping[str, Any]) -> Config:
    """Check a mapping as YAML gives it and turn it into a `Config`.

    Raises
    ------
    ConfigError
        Names every key that is wrong, what was expected there and what was found.
    """
    validator = _validator()
    errors = sorted(validator.iter_errors(dict(raw)), key=lambda error: list(map(str, error.path)))
    if errors:
        # A key that is missing is found once for each key that is.
        problems = dict.fromkeys(f"  {line}" for error in errors for line in _explain(error))
        raise ConfigError("\n".join(["the configuration cannot be used:", *problems]))
    settings = dict(raw)
    settings["datasets"] = tuple(map(_dataset, raw["datasets"]))
    settings["seeds"] = tuple(raw["seeds"])
    settings["methods"] = tuple(map(_method, raw["methods"]))
    _refuse_doubles("data set", [spec.name for spec in settings["datasets"]])
    return Config(**settings)


def load_config(path: str | Path) -> Config:
    """Read a YAML file and check it with `parse_config`.

    Keys that the file does not have are those of ``config/config.yaml``, as in Snakemake.
    """
    return parse_config({**_read_yaml(DEFAULTS), **_read_yaml(path)})


def _read_yaml(path: str | Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} should hold keys with values, like config/config.yaml")
    return raw


@cache
def _validator() -> Any:
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    base = jsonschema.Draft202012Validator
    # JSON takes 10.0 for an integer; a folder named K10.0 would be the result.
    types = base.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    return jsonschema.validators.extend(base, type_checker=types)(schema)


def _dataset(raw: str | Mapping[str, str]) -> DatasetSpec:
    if not isinstance(raw, str):
        if raw["name"] in datasets.available():
            raise ConfigError(
                f"datasets: {raw['name']!r} is a data set of the package; give your .npz another "
                "name"
            )
        if not Path(raw["npz"]).is_file():
            raise ConfigError(
                f"datasets: {raw['name']}: {raw['npz']} does not exist; "
                "give the path of an .npz file"
            )
        return DatasetSpec(raw["name"], raw["npz"])
    if raw not in datasets.available():
        raise ConfigError(
            f"datasets: unknown data set {raw!r}{did_you_mean(raw, datasets.available())}; "
            f"choose from {', '.join(datasets.available())}, "
            "or give your own as {name: ..., npz: path}"
        )
    return DatasetSpec(raw)


def _method(raw: Mapping[str, Any]) -> MethodSpec:
    return MethodSpec(
        name=raw["name"],
        class_path=raw.get("class"),
        variant=raw.get("variant"),
        K=tuple(raw.get("K", (None,))),
        M=tuple(raw.get("M", (None,))),
        parameters=raw.get("parameters", {}),
    )


def _refuse_doubles(what: str, names: list[str]) -> None:
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise ConfigError(f"{what} {double!r} is given twice; remove one of them")


def _explain(error: jsonschema.ValidationError) -> list[str]:
    """The lines that tell a person what one violation of the schema is."""
    place = _place(error)
    found = f"found {error.instance!r}"
    schema: Mapping[str, Any] = error.schema
    match error.validator:
        case "additionalProperties":
            valid = list(schema["properties"])
            return [
                f"{_join(place, key)}: unknown key{did_you_mean(key, valid)}; "
                f"valid here: {', '.join(valid)}"
                for key in error.instance
                if key not in valid
            ]
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            return [f"{_join(place, key)}: is missing{_purpose(schema, key)}" for key in missing]
        case "type":
            wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            names = " or ".join(TYPE_NAMES[name] for name in wanted)
            return [f"{place}: should be {names}; {found}"]
        case "enum":
            choices = ", ".join(map(str, schema["enum"]))
            hint = did_you_mean(str(error.instance), list(map(str, schema["enum"])))
            return [f"{place}: should be one of {choices}; {found}{hint}"]
        case "minimum":
            return [f"{place}: should be at least {schema['minimum']}; {found}"]
        case "maximum":
            return [f"{place}: should be at most {schema['maximum']}; {found}"]
        case "minItems" | "minLength":
            return [f"{place}: is empty; give at least one value"]
        case "uniqueItems":
            return [f"{place}: holds a value twice; {found}"]
        case "pattern":
            return [f"{place}: should be a name of letters, digits, '_' and '-'; {found}"]
    return [f"{place}: {error.message}"]


def _place(error: jsonschema.ValidationError) -> str:
    place = ""
    for part in error.path:
        place = f"{place}[{part}]" if isinstance(part, int) else _join(place, part)
    return place or "configuration"


def _join(place: str, key: object) -> str:
    return str(key) if place in ("", "configuration") else f"{place}.{key}"


def _purpose(schema: Mapping[str, Any], key: str) -> str:
    description = schema["properties"][key].get("description")
    return f" ({description})" if description else ""
