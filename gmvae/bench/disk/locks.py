"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import atexit
import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import BusyError


def hold(path: Path, what: str) -> None:
    """Take the lock at `path` until this process ends.

    Parameters
    ----------
    path : Path
        Its folder is made where it is missing.
    what : str
        What is done under the lock, for the message.

    Raises
    ------
    BusyError
        If another process has it.
    """
    file = _open(path)
    if not _take(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
        holder = file.read().strip()
        file.close()
        raise BusyError(
            f"{what} is under way already ({holder or 'by another process'}); wait until it has "
            "ended, or stop it and then repeat this command"
        )
    _sign(file)
    atexit.register(file.close)  # which also keeps it open until then


@contextlib.contextmanager
def waiting(path: Path, tell: str) -> Iterator[None]:
    """Hold the lock at `path` in the block, after any process that has it now.

    Parameters
    ----------
    path : Path
    tell : str
        Printed to standard error when there is something to wait for, with who has the lock.
    """
    from gmvae.training.progress import tell as say

    while True:
        with _open(path) as file:
            if not _take(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
                say(f"{tell} ({file.read().strip() or 'another process'})")
                _take(file, fcntl.LOCK_EX)
            if not os.fstat(file.fileno()).st_nlink:
                continue  # it was removed meanwhile, and others do not see it any more
            _sign(file)
            yield
            return


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Neither truncated nor written before it is ours: it tells who has it.
        return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")
    except OSError as error:
        raise files.storage_error(path, error) from error


def _take(file: IO[str], operation: int) -> bool:
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        return False
    return True


def _sign(file: IO[str]) -> None:
    # On a disk that is full the lock holds all the same.
    with contextlib.suppress(OSError):
        file.seek(0)
        file.truncate()
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        file.write(f"process {os.getpid()} since {now}")
        file.flush()
