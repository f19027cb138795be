"""Where a number comes from: program, libraries and machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import gmvae

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "safetensors")


def program() -> dict[str, Any]:
    """Version of this project, and its git commit where it runs from a checkout."""
    commit = _git("rev-parse", "HEAD")
    # Of what can change a result: a config of the user's beside it does not.
    changes = _git("status", "--porcelain", "--", ":/gmvae", ":/baselines", ":/workflow")
    return {
        "version": gmvae.__version__,
        "git_commit": commit or None,
        "git_dirty": None if changes is None else bool(changes),
    }


def libraries() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **versions}


def machine() -> dict[str, Any]:
    """Processor and operating system."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in megabytes."""
    with contextlib.suppress(OSError, StopIteration):
        # What getrusage tells on Linux can be the peak of the process that started this one.
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
