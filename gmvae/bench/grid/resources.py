"""Memory, time and GPUs that a training asks for, and trainings that share a GPU."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gmvae.bench.disk import locks
from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid.runs import Run

TRAINING_MB = 2000
"""Twice the largest peak of a training on MNIST (`memory_mb`)."""
SEED_MB = 600
"""For each further seed that is trained in the same process; an allowance, not measured."""
TRAINING_MINUTES = 60
EXTRA_MINUTES = 10
"""To load the data, to record the epochs and to write the results."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL_SECONDS = 1.0


def memory_mb(attempt: int, n_seeds: int = 1) -> int:
    """Memory of a training in megabytes, the more the more often it has failed.

    It is one number for all methods. The peaks behind it are in the column ``peak_memory_mb`` of
    ``times.csv``.

    Parameters
    ----------
    attempt : int
        1 for the first.
    n_seeds : int
        Seeds that are trained in one process.
    """
    return attempt * (TRAINING_MB + SEED_MB * (n_seeds - 1))


def minutes(attempt: int, time_limit: float | None = None) -> int:
    """Time of a training in minutes.

    Without a limit it is short, so that the job starts soon on a busy cluster: a training that is
    cut off goes on from its checkpoint, and has more time at each attempt.

    Parameters
    ----------
    attempt : int
        1 for the first.
    time_limit : float or None
        The config's, in seconds.
    """
    if time_limit is None:
        return TRAINING_MINUTES * attempt
    return math.ceil(time_limit / 60) + EXTRA_MINUTES


def may_use_gpu(run: Run) -> bool:
    """Whether a run would be trained on a GPU if there were one."""
    return run.parameters.get("device", "cpu") != "cpu"


def wants_gpu(run: Run, *, is_there: bool) -> bool:
    """Whether a run is to be trained on a GPU.

    Parameters
    ----------
    run : Run
    is_there : bool
        Whether this machine has a GPU and trains itself, for `device: auto`.
    """
    return may_use_gpu(run) and (is_there or run.parameters["device"] != "auto")


@cache
def gpus_here() -> tuple[str, ...]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() not in ("", "-1"))
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return tuple(answer.stdout.split())
    return ()


def check_accounting(settings: Any) -> None:
    """Refuse to submit jobs where nobody could tell that they have ended.

    Parameters
    ----------
    settings : object
        Those of Snakemake's executor.

    Raises
    ------
    ConfigError
        If Slurm is to be asked by ``sacct`` and keeps no account: Snakemake would wait for ever.
    """
    if getattr(settings, "status_command", None) != "sacct":
        return
    try:
        subprocess.run(["sacct", "--noheader"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip()
        raise ConfigError(
            f"sacct cannot tell which jobs have ended ({reason}); add --slurm-status-command squeue"
        ) from None


def take_gpu(parameters: Mapping[str, Any], runs_per_gpu: int) -> str | None:
    """Take a share of a GPU until this process ends; call it before torch is imported.

    All GPUs get a first training before one gets a second. If all shares are taken, it waits.

    Parameters
    ----------
    parameters : mapping
        Arguments of the method. If they name a GPU, as ``cuda:1``, or none, nothing is taken.
    runs_per_gpu : int
        Trainings that share a GPU; 0 leaves the choice to the machine.

    Returns
    -------
    str or None
        The GPU, which is the only one that this process sees from now on.
    """
    if runs_per_gpu < 1 or parameters.get("device") not in ("cuda", "auto"):
        return None
    gpus = gpus_here()
    if not gpus:
        return None
    folder = Path(tempfile.gettempdir()) / f"gmvae-gpus-{os.getuid()}"
    has_told = False
    while True:
        for share in range(runs_per_gpu):
            for name in gpus:
                if locks.try_to_hold(folder / f"{name.replace('/', '-')}.{share}.lock"):
                    os.environ[VISIBLE] = name
                    return name
        if not has_told:
            print(f"all shares of {len(gpus)} GPUs are taken; waiting for one", file=sys.stderr)
            has_told = True
        time.sleep(POLL_SECONDS)
