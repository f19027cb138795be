"""Errors that a user can act on; the command line shows their message without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: object, valid: Iterable[str]) -> str:
    """The nearest valid word as a remark in brackets, or nothing if none is near."""
    by_lower = {name.lower(): name for name in valid}
    close = difflib.get_close_matches(str(word).lower(), list(by_lower), n=1)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


class UserError(Exception):
    """Something outside the program is wrong: the message says what, where and what to do."""


class ConfigError(UserError):
    """The configuration cannot be used."""


class DataError(UserError):
    """A data set is missing or damaged."""


class OtherFormatError(DataError):
    """A file of another version of this project."""


class RunError(UserError):
    """A method refused its parameters or its data."""


class StorageError(UserError):
    """A file cannot be written."""


class BusyError(UserError):
    """Another process is at work here."""
