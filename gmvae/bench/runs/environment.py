"""The process, program and machine of a run: threads, memory, time limit, and their record."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import gmvae

DEBUG_VARIABLE = "GMVAE_DEBUG"
CHECKPOINT_VARIABLE = "GMVAE_CHECKPOINT_SECONDS"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SHORTEST = 1e-3
"""Seconds between two looks at the clock, at the least."""
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "safetensors")


def set_threads(number: int) -> None:
    """Set the threads of all numerical libraries; call it before they are imported."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(number)))


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step, which needs as much again.

    By default glibc returns large blocks to the system and asks for them again at each step, and
    the system clears every page of them: a fifth of the time with M = 10. Other C libraries are
    left as they are.
    """
    trim_threshold, mmap_threshold = -1, -3  # from malloc.h
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30)


class TimeLimitError(BaseException):
    """The time of a run is over.

    Like KeyboardInterrupt this is not an Exception: no method should take it for a failure of its
    own and go on.
    """


class TimeLimit:
    """Context that ends its block by TimeLimitError when its time is over.

    One long call of a compiled library is not interrupted.

    Parameters
    ----------
    seconds : float or None
        None sets no limit.
    spent_before : callable
        Seconds that earlier attempts have used, as far as is known by now.
    """

    def __init__(self, seconds: float | None, spent_before: Callable[[], float]):
        self._seconds, self._spent_before = seconds, spent_before
        self._is_inside = False
        self._previous: Any = None

    def __enter__(self) -> None:
        if self._seconds is None:
            return
        started = time.monotonic()

        def look(number: int, frame: FrameType | None) -> None:
            # Out of __enter__ and __exit__ an error would leave the block without its end.
            if not self._is_inside or (frame is not None and frame.f_code in _AT_THE_EDGES):
                return
            # Again and again: Python swallows what is raised in the middle of a __del__.
            if time.monotonic() - started + self._spent_before() >= (self._seconds or 0.0):
                raise TimeLimitError

        self._previous = signal.signal(signal.SIGALRM, look)
        # Looks often, since the time spent before may become known on the way.
        interval = max(min(self._seconds, 1.0), SHORTEST)
        signal.setitimer(signal.ITIMER_REAL, interval, interval)
        self._is_inside = True

    def __exit__(self, *error: object) -> None:
        self._is_inside = False
        if self._seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._previous)


_AT_THE_EDGES = (TimeLimit.__enter__.__code__, TimeLimit.__exit__.__code__)


def program() -> dict[str, Any]:
    """Version of this project, and its git commit where it runs from a checkout."""
    commit = _git("rev-parse", "HEAD")
    # Only files that can change a result: a user's config beside them cannot.
    changes = _git("status", "--porcelain", "--", ":/gmvae", ":/baselines", ":/workflow")
    return {
        "version": gmvae.__version__,
        "git_commit": commit or None,
        "git_dirty": None if changes is None else bool(changes),
    }


@cache
def libraries() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **versions}


def machine() -> dict[str, Any]:
    """Processor, operating system and, if torch is loaded and sees one, the GPU."""
    found = {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    gpu = _gpu()
    return {**found, "gpu": gpu} if gpu else found


def _gpu() -> dict[str, str | None] | None:
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10)
        driver = answer.stdout.split("\n")[0].strip()
    name = torch.cuda.get_device_name()
    return {"name": name, "driver": driver, "cuda": torch.version.cuda}


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in megabytes."""
    with contextlib.suppress(OSError, StopIteration):
        # On Linux, getrusage can report the peak of the process that started this one.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
        return int(kilobytes) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@cache
def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
