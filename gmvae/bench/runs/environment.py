"""Environment variables that the benchmark reads, and those that it sets for its jobs.

What is set here is not a parameter of any rule: where data lie, or Python does, makes no result out
of date.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

DATA_DIR_VARIABLE = "GMVAE_DATA_DIR"
DEBUG_VARIABLE = "GMVAE_DEBUG"
CHECKPOINT_VARIABLE = "GMVAE_CHECKPOINT_SECONDS"
CONFIG_VARIABLE = "GMVAE_CONFIG"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def prepare_jobs(data_dir: str | None, config: str) -> None:
    """Let jobs find this interpreter as ``python``, local data below `data_dir`, and their config.

    Parameters
    ----------
    data_dir : str or None
        None leaves the variable as the user has set it.
    config : str
        Path of the resolved configuration: its time limit, too, makes no run out of date.
    """
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
    os.environ[CONFIG_VARIABLE] = str(Path(config).resolve())
    if data_dir is not None:
        os.environ[DATA_DIR_VARIABLE] = data_dir


def set_threads(number: int) -> None:
    """Set the threads of all numerical libraries; to be called before they are imported."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(number)))


def keep_freed_memory() -> None:
    """Let the C library keep memory that was freed, for the next step needs as much again.

    By default glibc gives large blocks back to the system and asks for them anew, step after step,
    and the system clears every page of them: a fifth of the time with M = 10. Other C libraries are
    left as they are.
    """
    trim_threshold, mmap_threshold = -1, -3  # of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30)
