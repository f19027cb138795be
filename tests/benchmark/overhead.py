"""Overhead of a training process: the time to its first step, and its peak memory.

Run as a script, this file is that process: it trains with the benchmark's own command and prints
when the first step was done, and its peak memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = {
    "dataset": "mnist",
    "method": "gmvae",
    "variant": "fast-fc",
    "K": 10,
    "M": 1,
    "seed": 0,
    "class_path": "gmvae.GMVAE",
    "parameters": {"network": "fast-fc", "epochs": 1},
}


def measure(precision: str) -> dict[str, float]:
    """Seconds to the first step, and peak memory in MB, for 60,000 images of MNIST's size."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        for name, n in (("train", 60_000), ("test", 10_000)):
            ink = random.random((n, 28, 28), dtype=np.float32) < 0.2
            np.save(Path(folder) / f"{name}.npy", ink.astype(np.uint8) * 255)
        run = {**RUN, "parameters": {**RUN["parameters"], "precision": precision}}
        started = time.time()
        result = subprocess.run(
            [sys.executable, __file__, json.dumps(run), folder],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    first_step, peak_mb = map(float, result.stdout.splitlines()[-1].split())
    return {"seconds_to_first_step": round(first_step - started, 2), "peak_mb": peak_mb}


def main(run: str, folder: str) -> None:
    """Train, and note the time after each step."""
    from gmvae.bench.runs.environment import set_threads

    set_threads(1)
    from gmvae.bench import __main__ as command
    from gmvae.training import step as steps

    times: list[float] = []
    step = steps.TrainingStep.__call__

    def noted(self, rows, progress):
        values = step(self, rows, progress)
        times.append(time.time())
        return values

    steps.TrainingStep.__call__ = noted
    images = [f"--{name}-images={folder}/{name}.npy" for name in ("train", "test")]
    command.main(["train", run, f"{folder}/run", *images])
    record = json.loads((Path(folder) / "run" / "run.json").read_text(encoding="utf-8"))
    print(times[0], record["peak_memory_mb"])


if __name__ == "__main__":
    main(*sys.argv[1:])
