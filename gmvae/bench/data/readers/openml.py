"""A data set of OpenML, downloaded by scikit-learn and kept in its cache."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from gmvae.bench.data import MIN_SAMPLES, Dataset, split_off_test
from gmvae.bench.data.readers.table import classes_of, columns_of, numbers_of
from gmvae.bench.disk.errors import DataError, did_you_mean


def read_openml(data: int | str, version: int | None, label: str | None) -> Dataset:
    """Read a table of numbers from OpenML; a fifth of its rows is split off for the test.

    Parameters
    ----------
    data : int or str
        Number of the data set, or its name.
    version : int or None
        With a name; a number stands for one version.
    label : str or None
        Column with the classes; None for the default target of the data set, if it has one.

    Raises
    ------
    DataError
        If the data set is not in the cache and cannot be downloaded, has no such column, or holds
        anything but finite numbers besides its classes.
    """
    place = f"OpenML data set {data}" + ("" if version is None else f", version {version}")
    frame, target = _fetched(data, version, label, place)
    try:
        if len(frame) < MIN_SAMPLES:
            raise DataError(
                f"{place} should have at least {MIN_SAMPLES} rows, but has {len(frame)}"
            )
        samples = numbers_of(frame, place)
        if target is None:
            return split_off_test(samples, None)
        codes, names = classes_of([_as_text(target, place)], place)
    except DataError as error:
        raise DataError(f"{error}; to change the data, save them as a table, for 'csv'") from error
    return split_off_test(samples, codes, class_names=names)


def _fetched(
    data: int | str, version: int | None, label: str | None, place: str
) -> tuple[pd.DataFrame, pd.Series | None]:
    from sklearn.datasets import fetch_openml, get_data_home

    which: dict[str, Any] = {"data_id": data}
    if isinstance(data, str):
        which = {"name": data, "version": version}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions that are no longer active
            # Types come from the values, as in a user's table: scikit-learn 1.9 fails with pandas 3
            # where OpenML declares categories that are numbers.
            bunch = fetch_openml(
                **which,
                target_column=None,
                as_frame=True,
                parser="pandas",
                read_csv_kwargs={"dtype": None},
            )
    # scikit-learn lets the errors of the network, of JSON and of ARFF pass, and has its own.
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{place} cannot be read: {' '.join(str(error).split())[:200]}\n"
            f"looked in the cache, {get_data_home()}/openml, then at www.openml.org\n"
            "check number or name, and the network; if a file there is damaged, delete that "
            "folder; without network, copy it from a machine that has one"
        ) from error
    frame: pd.DataFrame = bunch.frame
    default = bunch.details.get("default_target_attribute") or ""
    targets = [name.strip() for name in default.split(",") if name.strip() in frame]
    if label is None and len(targets) > 1:
        raise DataError(
            f"{place} has {len(targets)} targets; name the one with the classes by 'label': "
            f"{', '.join(targets)}"
        )
    if label is not None and label not in frame:
        raise DataError(
            f"{place} has no column {label!r}{did_you_mean(label, list(frame))}; its columns are "
            f"{columns_of(frame)}"
        )
    chosen = label or next(iter(targets), None)
    # Another target would tell what the clusters should be.
    samples = frame.drop(columns=[name for name in frame if name in (*targets, chosen)])
    return samples, None if chosen is None else frame[chosen]


def _as_text(target: pd.Series, place: str) -> pd.Series:
    """Classes as text, where 1.0 is the class 1."""
    if target.isna().any():
        row = int(target.isna().to_numpy().argmax())
        raise DataError(f"{place}: the class in row {row + 1} is missing")
    if not pd.api.types.is_float_dtype(target):
        return target.astype(str).str.strip("'")
    if (target % 1 != 0).any():
        raise DataError(
            f"{place}: {target.name!r} holds real numbers, like {target[target % 1 != 0].iloc[0]}, "
            "but classes are needed; name their column by 'label'"
        )
    return target.astype(int).astype(str)
