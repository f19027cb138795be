"""Epochs and seconds until the runs of a setting reach an accuracy, from a folder of results.

The seconds are those of the restart that was kept; the time of the whole run, with all restarts, is
given beside them. A run that never reaches the accuracy counts as infinite.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path

import pandas as pd


def main() -> None:
    """Print one line per run, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("setting", type=Path, help="like results/runs/mnist/gmvae/fast-conv-K30-M1")
    parser.add_argument("--accuracy", type=float, default=85.0, help="exemplar, percent")
    options = parser.parse_args()
    found = []
    for folder in sorted(path.parent for path in options.setting.glob("seed*/metrics.json")):
        scores = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if scores["status"] != "finished":
            print(f"{folder.name}: {scores['status']}")
            found.append((math.inf, math.inf, record["train_seconds"]))
            continue
        accuracies = [100 * value for value in scores["epochs"]["accuracy_exemplar"]]
        spent = pd.read_csv(folder / "history.csv")["seconds"]
        epoch = next((n for n, a in enumerate(accuracies, 1) if a >= options.accuracy), None)
        last = 100 * scores["final"]["accuracy_exemplar"]
        line = f"{folder.name}: run {record['train_seconds']:.0f} s, {last:.1f} at the end"
        if epoch is None:
            print(f"{line}; never {options.accuracy:g}")
            found.append((math.inf, math.inf, record["train_seconds"]))
            continue
        found.append((epoch, spent[epoch - 1], record["train_seconds"]))
        print(f"{line}; {options.accuracy:g} after {epoch} epochs, {spent[epoch - 1]:.0f} s")
    if found:
        epochs, seconds, run = (statistics.median(values) for values in zip(*found, strict=True))
        reached = sum(math.isfinite(epoch) for epoch, _, _ in found)
        print(
            f"{reached} of {len(found)} runs; median {epochs:g} epochs, {seconds:.0f} s; "
            f"whole run {run:.0f} s"
        )


if __name__ == "__main__":
    main()
