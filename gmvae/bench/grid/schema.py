"""Checks of YAML and JSON values against a schema, with messages that a person can act on."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema

from gmvae.bench.disk.errors import did_you_mean

MAX_FOUND = 80
TYPE_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list in square brackets",
    "object": "keys with values",
    "boolean": "true or false",
    "null": "nothing (null)",
}
LIMITS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}


def validator(schema: Mapping[str, Any]) -> Any:
    """JSON Schema validator that rejects 10.0 as an integer and a newline at the end of a name."""
    base = jsonschema.Draft202012Validator
    # JSON Schema accepts 10.0 as an integer, which would give a folder named K10.0.
    types = base.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    rules = {"uniqueItems": _unique_items, "pattern": _pattern}
    return jsonschema.validators.extend(base, rules, type_checker=types)(schema)


def problems(checker: Any, value: Any, whole: str = "configuration") -> list[str]:
    """List everything wrong with a value, one line per problem.

    Parameters
    ----------
    checker : jsonschema validator
        Made by `validator`.
    value : object
        Value to check.
    whole : str
        Name of the whole value in the messages.
    """
    errors = sorted(checker.iter_errors(value), key=lambda error: list(map(str, error.path)))
    # Every missing key is an error, and the message of each lists all of them.
    return list(dict.fromkeys(line for error in errors for line in _explain(error, whole)))


def shortened(value: Any) -> str:
    """Return the `repr` of a value, cut to 80 characters, however large or deep the value is."""
    text = _SHORT.repr(value)
    return text if len(text) <= MAX_FOUND else f"{text[: MAX_FOUND - 3]}..."


class _Short(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to print numbers of thousands of digits.
        return f"<a number of {x.bit_length()} bits>" if x.bit_length() > 200 else repr(x)


_SHORT = _Short()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, MAX_FOUND, MAX_FOUND


def join(place: str, key: object) -> str:
    """Name of a value below `place`."""
    text = cut(key)
    return f"{place}.{text}" if place else text


def cut(text: object) -> str:
    """Return a name unchanged, unless it is too long to show."""
    return text if isinstance(text, str) and len(text) <= MAX_FOUND else shortened(text)


def _unique_items(_: Any, unique: bool, items: Any, schema: Any) -> Iterator[Any]:
    # jsonschema compares every pair of items if it cannot sort them.
    if unique and isinstance(items, list) and len({repr(item) for item in items}) < len(items):
        yield jsonschema.ValidationError("holds a value twice")


def _pattern(_: Any, pattern: str, text: Any, schema: Any) -> Iterator[Any]:
    # "$" also matches before the end of a line.
    if isinstance(text, str) and (text.endswith("\n") or not re.search(pattern, text)):
        yield jsonschema.ValidationError("does not match")


def _explain(error: jsonschema.ValidationError, whole: str) -> list[str]:
    """Explain one violation of the schema, one line per key concerned."""
    path = _place(error)
    place = path or whole
    found = f"found {shortened(error.instance)}"
    schema: Mapping[str, Any] = error.schema
    match error.validator:
        case "additionalProperties":
            valid = list(schema["properties"])
            return [
                f"{join(path, key)}: unknown key{did_you_mean(key, valid)}; "
                f"valid here: {', '.join(valid)}"
                for key in error.instance
                if key not in valid
            ]
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            return [f"{join(path, key)}: is missing{_purpose(schema, key)}" for key in missing]
        case "type":
            wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            names = " or ".join(TYPE_NAMES[name] for name in wanted)
            return [f"{place}: should be {names}; {found}"]
        case "enum":
            choices = ", ".join(map(str, schema["enum"]))
            hint = did_you_mean(shortened(error.instance), list(map(str, schema["enum"])))
            return [f"{place}: should be one of {choices}; {found}{hint}"]
        case "minimum" | "exclusiveMinimum" | "maximum":
            return [
                f"{place}: should be {LIMITS[error.validator]} {error.validator_value}; {found}"
            ]
        case "minItems" | "maxItems" if schema.get("maxItems"):
            return [f"{place}: should be a list of {schema['maxItems']} values; {found}"]
        case "minItems" | "minLength" | "minProperties":
            return [f"{place}: is empty; give at least one value"]
        case "uniqueItems":
            return [f"{place}: holds a value twice; {found}"]
        case "pattern":
            words = schema.get("$comment", "a name of letters, digits, '_' and '-'")
            return [f"{place}: should be {words}; {found}"]
    return [f"{place}: {shortened(error.message)}"]


def _place(error: jsonschema.ValidationError) -> str:
    place = ""
    for part in error.path:
        place = f"{place}[{part}]" if isinstance(part, int) else join(place, part)
    return place


def _purpose(schema: Mapping[str, Any], key: str) -> str:
    description = schema["properties"][key].get("description")
    return f" ({description})" if description else ""
