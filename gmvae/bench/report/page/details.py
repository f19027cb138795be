"""The runs of each setting, with their parameters, provenance and small line plots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from gmvae.bench.report.drawing.names import setting_of
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.numbers import number
from gmvae.bench.report.tables import SETTING

WIDTH, HEIGHT = 240, 56
OBJECTIVES = ("elbo", "loss")
SHOWN_OF_RECORD = (
    "started",
    "finished",
    "train_seconds",
    "peak_memory_mb",
    "resumed",
    "n_parameters",
    "threads",
    "time_limit",
    "program",
    "libraries",
    "machine",
    "data_sha256",
)


def settings_of(source: Source) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each setting in words, and its runs."""
    for setting, runs in source.runs.groupby(SETTING, sort=False, dropna=False):
        row = dict(zip(SETTING, setting, strict=True))
        details = [_details(source, run) for run in runs.to_dict("records")]
        yield setting_of(row), details


def _details(source: Source, run: dict[str, Any]) -> dict[str, Any]:
    record = source.record(run["path"])
    figures_of_run = {
        "exemplar": number(run["accuracy_exemplar"]),
        "Hungarian": number(run["accuracy_hungarian"]),
        "ELBO": number(run["elbo"], 2),
    }
    parts = [f"{name} {value}" for name, value in figures_of_run.items() if value]
    if seconds := number(run["train_seconds"]):
        parts.append(f"{seconds} s")
    reason = "" if run["status"] == "finished" else f": {run['reason']}"
    return {
        "title": ", ".join([f"seed {run['seed']}", *parts]),
        "status": f"{run['status']}{reason}",
        "path": run["path"],
        "parameters": as_json(dict(record.run.parameters)),
        "provenance": as_json({name: getattr(record, name) for name in SHOWN_OF_RECORD}),
        "curves": curves_of(source, run["path"]),
    }


def as_json(value: Any) -> str:
    """A value as indented JSON, for people."""
    return json.dumps(value, indent=1, ensure_ascii=False)


def curves_of(source: Source, path: str) -> list[dict[str, Any]]:
    """Training objective and test accuracy of a run by epoch; none for a method without epochs."""
    history = source.history(path)
    found = [(name, history[name]) for name in OBJECTIVES if name in history][:1]
    scores = source.scores(path).epochs
    for name, title in (("exemplar", "exemplar (%)"), ("hungarian", "Hungarian (%)")):
        values = pd.Series(scores.get(f"accuracy_{name}", []), dtype=float)
        found.append((f"test accuracy, {title}", 100 * values))
    # The last epoch of a run that diverged is not finite.
    finite = [(name, values[np.isfinite(values)]) for name, values in found]
    return [_curve(name, values) for name, values in finite if len(values) > 1]


def _curve(name: str, values: pd.Series) -> dict[str, Any]:
    """A line over epochs in a box of `WIDTH` by `HEIGHT`, and its values as text.

    The points are those of an SVG polyline.
    """
    low, high = values.min(), values.max()
    span = (high - low) or 1.0
    step = WIDTH / (len(values) - 1)
    points = " ".join(
        f"{place * step:.1f},{HEIGHT - HEIGHT * (value - low) / span:.1f}"
        for place, value in enumerate(values)
    )
    texts = [f"{value:.1f}" for value in values]
    epochs = [int(index) + 1 for index in values.index]
    return {"name": name, "points": points, "values": texts, "epochs": epochs}
