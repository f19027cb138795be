"""Processor time of small runs beside that of the imports they cannot do without.

A run without a network should cost little more than importing scikit-learn's clusterers, and one
with a network little more than its training and the import of torch.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROUNDS = 5
TARGETS = {"kmeans/import": 1.5, "network/import": 1.3}
"""Largest ratios that the project aims at."""
KMEANS = {
    "dataset": "digits",
    "method": "kmeans",
    "variant": None,
    "K": 10,
    "M": None,
    "seed": 0,
    "class_path": "sklearn.cluster.KMeans",
    "parameters": {},
}
NETWORK = {
    **KMEANS,
    "method": "gmvae",
    "variant": "fast-fc",
    "K": 3,
    "M": 1,
    "class_path": "gmvae.GMVAE",
    "parameters": {"network": "fast-fc", "epochs": 1},
}


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Processor seconds of each program, medians over rounds, and the two ratios.

    Returns
    -------
    dict of str to float
        ``kmeans`` and ``network`` are runs, the second without its training;
        ``import sklearn.cluster`` and ``import torch`` are what they are compared with.
    """
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _spent(["-m", "gmvae.bench", "data", "digits"], folder)
        for _ in range(rounds):
            for name, seconds in _one_round(folder).items():
                times.setdefault(name, []).append(seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        **{name: round(seconds, 2) for name, seconds in medians.items()},
        "kmeans/import": round(medians["kmeans"] / medians["import sklearn.cluster"], 2),
        "network/import": round(medians["network"] / medians["import torch"], 2),
    }


def report(measured: dict[str, float]) -> str:
    """Two printed lines, one per ratio."""
    programs = {
        "kmeans/import": ("k-means", "kmeans", "import sklearn.cluster"),
        "network/import": ("GMVAE without its training", "network", "import torch"),
    }
    lines = []
    for ratio, (title, run, imported) in programs.items():
        verdict = "met" if measured[ratio] <= TARGETS[ratio] else "not met"
        lines.append(
            f"processor time of a small run, {title}: {measured[run]:.2f} s, "
            f"{measured[ratio]:.2f} times that of {imported}, {measured[imported]:.2f} s "
            f"(<= {TARGETS[ratio]:g}: {verdict})"
        )
    return "\n".join(lines)


def _one_round(folder: Path) -> dict[str, float]:
    network = _train(NETWORK, folder)
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    return {
        "network": network - record["train_seconds"],
        "import torch": _spent(["-c", "import torch"], folder),
        "kmeans": _train(KMEANS, folder),
        "import sklearn.cluster": _spent(["-c", "import sklearn.cluster"], folder),
    }


def _train(run: dict[str, Any], folder: Path) -> float:
    images = [f"--{split}-images=data/digits/{split}-images.npy" for split in ("train", "test")]
    command = ["-m", "gmvae.bench", "train", json.dumps(run), "run", *images, "--fresh"]
    return _spent(command, folder)


def _spent(arguments: list[str], folder: Path) -> float:
    """Processor time, user and system, of a Python process and its children, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    print(report(measure()))
