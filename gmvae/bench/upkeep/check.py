"""Check of a config before it is run: its runs, the checksums of its data, and its seal."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gmvae.bench.disk.layout import DATA, DATA_LIST
from gmvae.bench.grid.checks import check_devices, check_runs, remarks
from gmvae.bench.grid.config import load_config
from gmvae.bench.grid.entries import foreign
from gmvae.bench.grid.runs import make_runs, summary
from gmvae.bench.grid.seal import seal as write_seal
from gmvae.bench.grid.seal import state
from gmvae.bench.runs.adapters.assignments import Assignments
from gmvae.bench.upkeep.outdated import find_outdated


def _n_test(dataset: str) -> int:
    return len(np.load(DATA / dataset / "test-images.npy", mmap_mode="r", allow_pickle=False))


def check(path: Path, *, seal: bool = False) -> str:
    """Check a config.

    Parameters
    ----------
    path : Path
    seal : bool
        Seal it, too (`gmvae.bench.grid.seal`).

    Returns
    -------
    str
        Lines for a person: the number of runs, remarks, the checksum of the test images of each
        data set that has been prepared, and the seal.

    Raises
    ------
    ConfigError
        If it cannot be used, or not with its data or on this machine.
    DataError
        If foreign results belong to other data than those that have been prepared.
    """
    config = load_config(path)
    runs = make_runs(config)
    found = find_outdated(config, runs, "")
    to_do = found.to_do(Path(config.results), runs)
    check_runs(config, to_do)
    check_devices(to_do)
    lines = [summary(runs, len(runs) - len(to_do)), *remarks(config, to_do)]
    for spec in config.datasets:
        is_current = DATA / spec.name / DATA_LIST not in found.reasons
        known = foreign.test_checksum(spec.name) if is_current else None
        for run in runs:
            if known and run.dataset == spec.name and run.class_path == foreign.CLASS_PATH:
                foreign.refuse_other_data(run.parameters, spec.name, known)
                Assignments(int(run.K or 0), **run.parameters).check(_n_test(spec.name))
        not_yet = (
            f"not prepared yet (snakemake data/NAME/{DATA_LIST} --cores 1 --configfile {path})"
        )
        shown = known or not_yet.replace("NAME", spec.name)
        lines.append(f"data {spec.name}: SHA-256 of the test images (data_sha256): {shown}")
    sealed = write_seal(config, path, len(runs)) if seal else state(config, path)
    return "\n".join(lines + ([sealed] if sealed else []))
