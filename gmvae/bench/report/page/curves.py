"""Small line plots of single runs, as the points of an SVG polyline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gmvae.bench.report.drawing.source import Source

WIDTH, HEIGHT = 240, 56
OBJECTIVES = ("elbo", "loss")


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
    """A line over epochs in a box of `WIDTH` by `HEIGHT`, and the values at its ends."""
    low, high = values.min(), values.max()
    span = (high - low) or 1.0
    step = WIDTH / (len(values) - 1)
    points = " ".join(
        f"{index * step:.1f},{HEIGHT - HEIGHT * (value - low) / span:.1f}"
        for index, value in enumerate(values)
    )
    first, last = f"{values.iloc[0]:.1f}", f"{values.iloc[-1]:.1f}"
    return {"name": name, "points": points, "first": first, "last": last, "epochs": len(values)}
