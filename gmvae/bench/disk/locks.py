"""Locks that end with the process that holds them, however it ends, also on a cluster.

On one machine the system knows who has a lock: `flock` ends with its process. Between machines that
share a file system it may know, or not, or have no such call. So the file of a lock also names host
and process, and its time is a heartbeat: a holder on another host that has been silent is dead.
Where `flock` works within each host alone, two hosts that take a lock in the same instant may both
get it. What they guard bears that: files are replaced as a whole, and both write the same.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import errno
import fcntl
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gmvae.bench.disk import files
from gmvae.bench.disk.errors import BusyError

HEARTBEAT_SECONDS = 20.0
SILENT_SECONDS = 3 * HEARTBEAT_SECONDS
"""A process on another host that gave no sign for so long is not at work any more."""
POLL_SECONDS = 0.5
SETTLE_SECONDS = 1.0
"""Without `flock`, the last one to sign within this time has the lock."""
SOMEBODY = "another process"
_NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
_HOLDER = re.compile(r"process (?P<pid>\d+) on (?P<host>\S+) since \S+")


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
    lock = _Lock(path)
    holder = lock.take()
    if holder is not None:
        raise BusyError(
            f"{what} is under way already ({holder}); wait until it has ended, or stop it and then "
            "repeat this command"
        )
    atexit.register(lock.release)


def try_to_hold(path: Path) -> bool:
    """Take the lock at `path` until this process ends, if nobody has it; says whether it could."""
    lock = _Lock(path)
    if lock.take() is not None:
        return False
    atexit.register(lock.release)
    return True


@contextlib.contextmanager
def waiting(path: Path, tell: str) -> Iterator[None]:
    """Hold the lock at `path` in the block, after any process that has it now.

    Parameters
    ----------
    path : Path
        Removed after the block.
    tell : str
        Printed to standard error when there is something to wait for, with who has the lock.
    """
    from gmvae.training.progress import tell as say

    lock = _Lock(path)
    told = None
    while (holder := lock.take()) is not None:
        name = holder.partition(",")[0]
        if name != told:
            say(f"{tell} ({holder})")
            told = name
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lock.release(remove=True)


def may_live(host: str, pid: int) -> bool:
    """Whether a process exists, as far as this machine can know."""
    if host != socket.gethostname():
        return True
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


class _Lock:
    """A lock of this process, or one that it would like to have."""

    def __init__(self, path: Path):
        self._path = path
        self._file: IO[str] | None = None
        self._signature = ""
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def take(self) -> str | None:
        """Take the lock; returns None, or who has it."""
        while True:
            with contextlib.ExitStack() as stack:
                file = stack.enter_context(_open(self._path))
                try:
                    holder = self._taken(file)
                    is_there = self._is_at_its_path(file)
                except OSError as error:
                    if error.errno in (errno.ESTALE, errno.ENOENT):
                        continue  # another host has removed it
                    raise files.storage_error(self._path, error) from error
                if holder is not None:
                    return holder
                if is_there:  # else it was removed meanwhile, and others do not see it any more
                    stack.pop_all()
                    self._file = file
                    self._heart.start()
                    return None

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back."""
        self._ended.set()
        if self._file is None:
            return
        self._heart.join()
        # A process that was suspended for long may have lost it, and leaves the file alone.
        with contextlib.suppress(OSError):
            if self._is_signed():
                # Empty, it is free for other hosts at once. Whoever waits for a file that is
                # removed finds that it is gone, and makes another.
                os.truncate(self._path, 0)
                if remove:
                    self._path.unlink()
        self._file.close()
        self._file = None

    def _taken(self, file: IO[str]) -> str | None:
        knows = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._holder_by_flock(file)
        except OSError as error:
            if error.errno not in _NO_FLOCK:
                raise
            knows = False
        holder = _living_holder(file, self._path, system_knows=knows)
        if holder is not None:
            return holder
        self._signature = _signature()
        try:
            _write(file, self._signature)
        except OSError:
            if not knows:
                raise
            return None  # on a disk that is full the lock of the system holds all the same
        if knows:
            return None
        time.sleep(SETTLE_SECONDS)
        found = self._path.read_text("utf-8").strip()
        return None if found == self._signature else found or SOMEBODY

    def _holder_by_flock(self, file: IO[str]) -> str | None:
        """Who holds the file, by `flock`; the file of a host that is dead is removed."""
        text = file.read().strip()
        parts = _HOLDER.fullmatch(text)
        if parts and parts["host"] != socket.gethostname() and self._is_at_its_path(file):
            holder = _living_holder(file, self._path, system_knows=True)
            if holder is None:
                self._path.unlink(missing_ok=True)  # so that `take` makes another
            return holder
        return text or SOMEBODY

    def _is_at_its_path(self, file: IO[str]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _is_signed(self) -> bool:
        # Opened anew, since a network file system shows the changes of other hosts only then.
        return self._path.read_text("utf-8").strip() in ("", self._signature)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                if self._is_signed():
                    os.utime(self._path)


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Neither truncated nor written before it is ours: it tells who has it.
        return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")
    except OSError as error:
        raise files.storage_error(path, error) from error


def _living_holder(file: IO[str], path: Path, *, system_knows: bool) -> str | None:
    """Who has signed the lock, if that process may be alive and it is not for `flock` to tell."""
    file.seek(0)
    text = file.read().strip()
    parts = _HOLDER.fullmatch(text)
    if parts is None:
        return None
    host, pid = parts["host"], int(parts["pid"])
    if not may_live(host, pid) or (system_knows and host == socket.gethostname()):
        return None
    # By the clock of the file server, since those of two hosts may differ.
    with tempfile.TemporaryFile(dir=path.parent) as now:
        silent = os.fstat(now.fileno()).st_mtime - os.fstat(file.fileno()).st_mtime
    if silent >= SILENT_SECONDS:
        return None
    last = f"last sign of life {max(silent, 0):.0f} s ago"
    return f"{text}, {last}; taken for dead after {SILENT_SECONDS:.0f} s"


def _signature() -> str:
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}"


def _write(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
    os.fsync(file.fileno())  # for other hosts
