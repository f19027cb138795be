"""Memory of a fit to a memory map: ``python tests/benchmark/out_of_core.py`` (Linux).

Writes 10 million samples of 50 values, 2 GB, to a temporary folder, trains GMVAE on them for one
epoch of few, large batches and prints the largest anonymous memory of this process: all but the
page cache, which the system takes back when it needs the memory.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

LIMIT_MB = 1000
ROWS = 100_000
"""Samples that are written at a time."""


def anonymous_mb():
    """Resident memory that no file backs, in megabytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


class Peak(threading.Thread):
    """Context that samples the anonymous memory every 10 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.mb, self._done = 0.0, threading.Event()

    def run(self):
        while not self._done.wait(0.01):
            self.mb = max(self.mb, anonymous_mb())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self.join()


class Shown:
    """Progress of the fit, also within its long epoch."""

    def __init__(self):
        self.n_within = 0

    def __call__(self, report):
        print(f"epoch {report.epoch}: {report.seconds:.0f} s, ELBO {report.values['elbo']:.2f}")

    def within_epoch(self, report):
        self.n_within += 1
        if self.n_within % 10 == 1:
            print(f"batch {report.batch}/{report.batches}, {report.seconds:.0f} s", flush=True)


def write_samples(path, n_samples, n_features):
    """Write a mixture of ten Gaussians as a .npy file, block by block."""
    random = np.random.default_rng(0)
    centres = 3 * random.standard_normal((10, n_features), dtype=np.float32)
    target = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float32, shape=(n_samples, n_features)
    )
    for start in range(0, n_samples, ROWS):
        n_rows = min(ROWS, n_samples - start)
        noise = random.standard_normal((n_rows, n_features), dtype=np.float32)
        target[start : start + n_rows] = centres[random.integers(0, 10, n_rows)] + noise
    target.flush()


def measure(path, checkpoint=None):
    """Fit to the file; returns the anonymous memory before and its peak, MB, and the model."""
    from gmvae import GMVAE

    samples = np.load(path, mmap_mode="r")
    shown, before = Shown(), anonymous_mb()
    batch_size = max(128, len(samples) // 250)
    model = GMVAE(10, network="paper-fc", epochs=1, batch_size=batch_size, random_state=0)
    with Peak() as peak:
        model.fit(samples, progress=shown, checkpoint=checkpoint)
        model.predict(samples)
    return before, peak.mb, model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--checkpoint", action="store_true", help="write checkpoints, too")
    options = parser.parse_args()
    gigabytes = options.samples * options.features * 4 / 1e9
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < 2e9 * gigabytes:
            sys.exit(f"error: {folder} needs {2 * gigabytes:.1f} GB of free space")
        path = Path(folder) / "samples.npy"
        write_samples(path, options.samples, options.features)
        started = time.perf_counter()
        where = Path(folder) / "states" if options.checkpoint else None
        before, peak, model = measure(path, where)
    print(
        f"{gigabytes:.1f} GB of samples, {time.perf_counter() - started:.0f} s for fit and predict"
    )
    print(f"clusters in use: {np.count_nonzero(np.bincount(model.labels_))} of 10")
    print(f"anonymous memory: {before:.0f} MB after imports, {peak:.0f} MB at most")
    if peak > LIMIT_MB:
        sys.exit(f"error: more than {LIMIT_MB} MB")


if __name__ == "__main__":
    main()
