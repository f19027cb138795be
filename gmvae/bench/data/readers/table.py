"""A user's own table of numbers in a .csv file, whose first line names the columns."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gmvae.bench.data import (
    MIN_SAMPLES,
    Dataset,
    Header,
    Split,
    split_off_test,
    test_samples_of,
)
from gmvae.bench.disk.errors import DataError, did_you_mean

SHOWN = 5
OTHER_MARKS = ";\t|"
"""Marks between columns in tables that are not ours to read."""
CHECKED_ROWS = 1000
"""Rows that are looked at before the whole table is read."""


def read_csv(path: Path, label: str | None, test: Path | None) -> Dataset:
    """Read a table whose columns are numbers, except for that of the labels.

    Parameters
    ----------
    path : Path
    label : str or None
        Name of the column with the classes, as numbers or text.
    test : Path or None
        Table of the test split, with the same columns; without it, a fifth of the rows is split
        off.

    Raises
    ------
    DataError
        If a file cannot be read, or a column is missing or holds anything but finite numbers.
    """
    paths = [one for one in (path, test) if one is not None]
    frames = [_read(one, label) for one in paths]
    _require_same_columns(frames, paths)
    samples = [
        numbers_of(frame.drop(columns=label or []), one)
        for frame, one in zip(frames, paths, strict=True)
    ]
    codes: list[NDArray[np.int64] | None] = [None] * len(frames)
    names: list[str] = []
    if label is not None:
        *codes, names = classes_of([frame[label] for frame in frames], path)
    if len(frames) == 1:
        return split_off_test(samples[0], codes[0], class_names=names)
    return Dataset(Split(samples[0], codes[0]), Split(samples[1], codes[1]), names)


def header_of_csv(path: Path, label: str | None, test: Path | None) -> Header:
    """Number of rows and of columns of a table; its first rows are checked as `read_csv` does.

    Parameters
    ----------
    path : Path
    label : str or None
    test : Path or None

    Returns
    -------
    Header
        Rows are counted as lines, so there are fewer of them if a text goes over several lines.
    """
    paths = [one for one in (path, test) if one is not None]
    frames = [_read(one, label, rows=CHECKED_ROWS) for one in paths]
    _require_same_columns(frames, paths)
    for frame, one in zip(frames, paths, strict=True):
        numbers_of(frame.drop(columns=label or []), one)
    n_rows = _lines(path) - 1
    n_columns = len(frames[0].columns) - (label is not None)
    n_train = n_rows - (test_samples_of(n_rows) if test is None else 0)
    return Header(n_train, (n_columns,), are_images=False)


def _lines(path: Path) -> int:
    """Number of lines that are not empty."""
    with open(path, "rb") as file:
        return sum(1 for line in file if line.strip())


def _require_same_columns(frames: list[pd.DataFrame], paths: list[Path]) -> None:
    if list(frames[0]) != list(frames[-1]):
        raise DataError(
            f"{paths[-1]} should have the columns of {paths[0]}, {columns_of(frames[0])}, but has "
            f"{columns_of(frames[-1])}"
        )


def _read(path: Path, label: str | None, rows: int | None = None) -> pd.DataFrame:
    """A table, or its first `rows`."""
    try:
        frame = pd.read_csv(path, skipinitialspace=True, nrows=rows)
        if label in frame:
            # Classes as text, so that "NA" is a class, and 1 the same one in both tables.
            text = pd.read_csv(path, usecols=[label], dtype=str, na_filter=False, nrows=rows)
            frame[label] = text[label].str.strip()
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        _require_commas(path, _first_lines(path))
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    if len(frame.columns) == 1:
        _require_commas(path, [frame.columns[0], *_first_lines(path)[1:]])
    if str(frame.columns[0]).startswith("Unnamed: "):
        raise DataError(
            f"{path} has a first column without a name, as pandas writes its index; write the "
            "table with to_csv(..., index=False), or name the column"
        )
    if label is None and all(_is_number(name) for name in frame.columns):
        raise DataError(
            f"{path} should have the names of its columns in the first line, but that is "
            f"{columns_of(frame)}; write a line of names above it"
        )
    if len(frame) < MIN_SAMPLES:
        raise DataError(
            f"{path} should have a line with the names of the columns and at least {MIN_SAMPLES} "
            f"rows, but has {len(frame)} rows"
        )
    if label is not None and label not in frame:
        raise DataError(
            f"{path} has no column {label!r}{did_you_mean(label, list(frame))}; its columns are "
            f"{columns_of(frame)}"
        )
    if label is not None and (frame[label] == "").any():
        row = int((frame[label] == "").to_numpy().argmax())
        raise DataError(f"{path}: the label in row {row + 1} is missing; fill it in or remove it")
    return frame


def _first_lines(path: Path) -> list[str]:
    """First two lines of a text file; fewer if it is shorter, or is not text."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return [line.strip() for line in islice(file, 2)]
    except (OSError, ValueError):
        return []


def _require_commas(path: Path, lines: list[str]) -> None:
    """Refuse a table whose first line has more of another mark than of commas."""
    first = lines[0] if lines else ""
    mark = max(OTHER_MARKS, key=first.count)
    if first.count(mark) > first.count(","):
        decimal = ", decimal=','" if re.search(r"\d,\d", " ".join(lines[1:])) else ""
        raise DataError(
            f"{path} should have commas between its columns, but its first line is {first[:80]!r}; "
            f"write it again with commas, as by pandas: "
            f"read_csv({path.name!r}, sep={mark!r}{decimal}) and to_csv(..., index=False)"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def classes_of(columns: list[pd.Series], place: Path | str) -> list[Any]:
    """Codes from 0 of each column, shape (N,), and at the end the names of the classes.

    Parameters
    ----------
    columns : list of Series
        Classes as text.
    place : Path or str
        Name of the data in messages.

    Raises
    ------
    DataError
        If there is one class alone.
    """
    values: Any = pd.concat(columns)
    as_numbers = pd.to_numeric(values, errors="coerce")
    if as_numbers.notna().all():
        values = as_numbers
    codes, classes = pd.factorize(values, sort=True)
    if len(classes) < 2:
        raise DataError(
            f"{place}: all labels are {classes[0]!r}, but scores compare clusters with classes; "
            "leave 'label' out if there are none"
        )
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return [*np.split(codes.astype(np.int64), ends), [str(one) for one in classes]]


def numbers_of(frame: pd.DataFrame, place: Path | str) -> NDArray[np.float32]:
    """Values of a table as samples, shape (N, columns).

    Parameters
    ----------
    frame : DataFrame
        Without labels.
    place : Path or str
        Name of the data in messages.

    Raises
    ------
    DataError
        If no column is left, or if one holds anything but finite numbers.
    """
    text = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    if text:
        example = frame[text[0]].dropna().astype(str).iloc[:1].tolist()
        raise DataError(
            f"{place}: all columns but that of the labels should hold numbers, but "
            f"{columns_of(frame[text])} do not (in {text[0]!r}, for example, {example}); name the "
            "column of the classes by 'label', and remove or encode the others"
        )
    if not len(frame.columns):
        raise DataError(f"{place} has no column besides that of the labels")
    with np.errstate(over="ignore"):
        numbers = frame.to_numpy(dtype=np.float32)
    if not np.isfinite(numbers).all():
        row, column = np.argwhere(~np.isfinite(numbers))[0]
        raise DataError(
            f"{place}: the value in row {row + 1}, column {frame.columns[column]!r}, is missing or "
            "not finite; remove or fill such rows"
        )
    return numbers


def columns_of(frame: pd.DataFrame) -> str:
    """Names of the columns, cut if there are many."""
    names = [repr(name) for name in frame.columns[:SHOWN]]
    more = f" and {len(frame.columns) - SHOWN} more" if len(frame.columns) > SHOWN else ""
    return f"{', '.join(names)}{more}"
