"""Time and memory of each step by the number of runs: ``python tests/benchmark/scale.py``.

The runs are made up: one GMVAE and one k-means training on digits is copied, and each copy gets
random test clusters. Nothing else is trained.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from gmvae.bench.disk import files  # noqa: E402
from gmvae.bench.disk.checksums import write_manifest  # noqa: E402
from gmvae.bench.disk.layout import RUN_PRODUCTS, TRAIN_LIST  # noqa: E402
from gmvae.bench.grid.config import Config, load_config  # noqa: E402
from gmvae.bench.grid.runs import Run, make_runs  # noqa: E402
from gmvae.bench.report.build import shown_figures  # noqa: E402
from gmvae.bench.runs.record import Record  # noqa: E402

SHAPES = {20: (1, 10), 200: (5, 20), 2000: (25, 40)}
"""Settings of each of two methods, and seeds, by the number of runs."""


def main() -> None:
    """Print one line for each step, and a column for each number of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", choices=SHAPES, default=list(SHAPES))
    found: dict[str, dict[int, tuple[float, float]]] = {}
    sizes = parser.parse_args().runs
    for size in sizes:
        for step, seconds, megabytes in measure(size):
            found.setdefault(step, {})[size] = seconds, megabytes
            print(f"{size:6} {step:24} {seconds:8.1f} s {megabytes:8.0f} MB", flush=True)
    print()
    print("| step |" + "".join(f" {size:,} runs |" for size in sizes))
    print("|---|" + "---|" * len(sizes))
    for step, values in found.items():
        cells = (f" {values[n][0]:.1f} s, {values[n][1]:.0f} MB |" for n in sizes if n in values)
        print(f"| {step} |" + "".join(cells))


def measure(size: int) -> Iterator[tuple[str, float, float]]:
    """Steps of a grid of `size` runs, each with its processor seconds and peak in megabytes."""
    n_settings, n_seeds = SHAPES[size]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = _make_grid(folder, n_settings, n_seeds)
        arguments = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "scale.yaml")
        yield "plan", *_spent(folder, "snakemake", "all", "-n", "--quiet", "rules", *arguments)
        bench = "gmvae.bench"
        yield "score", *_spent(folder, bench, "score", config.results)
        yield "status", *_spent(folder, bench, "status", config.results)
        yield "tables", *_spent(folder, bench, "tables", config.results)
        for name in shown_figures(make_runs(config)):
            yield f"figure {name}", *_spent(folder, bench, "figure", config.results, name)
        yield "page", *_spent(folder, bench, "page", config.results)


def _make_grid(folder: Path, n_settings: int, n_seeds: int) -> Config:
    raw: dict[str, Any] = {
        "results": "results",
        "datasets": ["digits"],
        "precision": "float32",
        "seeds": list(range(n_seeds)),
        "methods": [
            *(_gmvae(f"v{number}") for number in range(n_settings)),
            {"name": "kmeans", "K": list(range(10, 10 + n_settings))},
        ],
    }
    (folder / "scale.yaml").write_text(yaml.safe_dump(raw))
    config = load_config(folder / "scale.yaml")
    _spent(folder, "gmvae.bench", "data", "digits")
    _spent(folder, "gmvae.bench", "config", json.dumps(dataclasses.asdict(config)))
    runs = make_runs(config)
    images = [f"--{split}-images=data/digits/{split}-images.npy" for split in ("train", "test")]
    templates = {run.method: run for run in reversed(runs)}
    for method, run in templates.items():
        words = ("train", json.dumps(run.as_dict()), f"template/{method}", *images)
        _spent(folder, "gmvae.bench", *words)
    random = np.random.default_rng(0)
    for run in runs:
        _make_up(run, folder / "template" / run.method, folder / config.results / run.path, random)
    return config


def _gmvae(variant: str) -> dict[str, Any]:
    parameters = {"network": "fast-fc", "init": "random", "epochs": 3}
    return {"name": "gmvae", "variant": variant, "K": [10], "M": [1], "parameters": parameters}


def _make_up(run: Run, template: Path, folder: Path, random: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    for name in ("epochs.npz", "history.csv", "model.safetensors"):
        os.link(template / name, folder / name)
    arrays = files.read_arrays(template / "test.npz")
    for name in ("clusters", "train_clusters"):
        arrays[name] = random.integers(run.K or 1, size=len(arrays[name])).astype(np.int32)
    files.write_arrays(folder / "test.npz", **arrays)
    dataclasses.replace(Record.read(template), run=run).write(folder)
    write_manifest(folder / TRAIN_LIST, [folder / name for name in RUN_PRODUCTS])


def _spent(folder: Path, module: str, *words: str) -> tuple[float, float]:
    """Processor seconds and largest memory of a module that is run."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", module, *words]
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(output.read().decode())
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
