"""Locks, on one machine and between machines."""

import contextlib
import errno
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import gmvae
from gmvae.bench.disk import locks
from gmvae.bench.disk.errors import BusyError, StorageError

HOST = socket.gethostname()
NO_FLOCK = """
import errno, fcntl, sys, time
from pathlib import Path
from gmvae.bench.disk import locks
def refuse(*arguments):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = refuse
"""


def start(script, path):
    environment = {**os.environ, "PYTHONPATH": str(Path(gmvae.__file__).parents[1])}
    pipes = {"stdout": subprocess.PIPE, "stdin": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", script, str(path)], **pipes, env=environment)


@pytest.fixture
def no_flock(monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(locks, "SETTLE_SECONDS", 0.01)


def signed_elsewhere(path, seconds_ago):
    path.write_text("process 4321 on node17 since 2026-11-27T10:00:00+00:00")
    then = time.time() - seconds_ago
    os.utime(path, (then, then))


def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "folder" / "lock"
    script = (
        "import sys, time; from pathlib import Path; from gmvae.bench.disk.locks import hold\n"
        "hold(Path(sys.argv[1]), 'work'); print('held', flush=True); time.sleep(60)"
    )
    with start(script, path) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=rf"work is under way already \(process {process.pid} "):
            locks.hold(path, "work")
        process.kill()
    locks.hold(path, "work")


def test_waiting_for_a_lock(tmp_path, capsys):
    path = tmp_path / "lock"
    script = (
        "import sys, time; from pathlib import Path; from gmvae.bench.disk.locks import waiting\n"
        "with waiting(Path(sys.argv[1]), ''): print('held', flush=True); sys.stdin.readline()"
    )
    with start(script, path) as process:
        assert process.stdout.readline() == b"held\n"
        release = threading.Timer(0.5, process.stdin.close)
        release.start()
        with locks.waiting(path, "somebody is at it"):
            assert (
                f"somebody is at it (process {process.pid} on {HOST} since"
                in capsys.readouterr().err
            )
            assert process.stdin.closed
        assert process.wait() == 0


def test_a_lock_whose_file_was_removed_is_taken_again(tmp_path):
    """Who waits for a file that is gone must not be inside together with who made it again."""
    path = tmp_path / "lock"
    with locks.waiting(path, ""):
        entered = []

        def enter():
            with locks.waiting(path, ""):
                entered.append(path.exists())

        thread = threading.Thread(target=enter)
        thread.start()
        time.sleep(0.3)
        path.unlink()
    thread.join(timeout=10)
    assert entered == [True]


def test_a_living_holder_on_another_host(tmp_path):
    """Its flock may be unknown here; its heartbeat is not."""
    path = tmp_path / "lock"
    signed_elsewhere(path, 10)
    with pytest.raises(
        BusyError,
        match=r"process 4321 on node17 .*, last sign of life 1\d s ago; taken for dead after 60 s",
    ):
        locks.hold(path, "work")
    assert not locks.try_to_hold(path)


def test_a_dead_holder_on_another_host_whose_flock_is_still_there(tmp_path):
    """A file server may keep the lock of a client that has lost its power."""
    path = tmp_path / "lock"
    signed_elsewhere(path, 61)
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert locks.try_to_hold(path)
        assert f"process {os.getpid()} on {HOST}" in path.read_text()
        path.unlink()
        signed_elsewhere(path, 10)
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not locks.try_to_hold(path), "it lives"


def test_who_has_lost_the_lock_leaves_it_alone(tmp_path, monkeypatch):
    """A process that was suspended for minutes, while another host took the lock."""
    monkeypatch.setattr(locks, "HEARTBEAT_SECONDS", 0.05)
    path = tmp_path / "lock"
    with locks.waiting(path, ""):
        path.unlink()
        signed_elsewhere(path, 30)
        before = path.stat().st_mtime
        time.sleep(0.3)
    assert path.stat().st_mtime == before
    assert "node17" in path.read_text()


def test_a_file_that_another_host_has_removed(tmp_path, monkeypatch):
    stale = [OSError(errno.ESTALE, "Stale file handle")]
    true = locks._living_holder

    def holder(*arguments, **options):
        if stale:
            raise stale.pop()
        return true(*arguments, **options)

    monkeypatch.setattr(locks, "_living_holder", holder)
    with locks.waiting(tmp_path / "lock", ""):
        assert not stale


def test_without_flock_a_full_disk_is_told(tmp_path, no_flock, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        locks.hold(tmp_path / "lock", "work")


@pytest.mark.parametrize("flock", [True, False])
def test_a_dead_holder_on_another_host(tmp_path, flock, request):
    if not flock:
        request.getfixturevalue("no_flock")
    path = tmp_path / "lock"
    signed_elsewhere(path, 61)
    assert locks.try_to_hold(path)
    assert f"process {os.getpid()} on {HOST}" in path.read_text()


def test_waiting_until_a_holder_on_another_host_is_dead(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(locks, "SILENT_SECONDS", 1.5)
    path = tmp_path / "lock"
    signed_elsewhere(path, 0)
    before = time.monotonic()
    with locks.waiting(path, "somebody is at it"):
        assert 1 < time.monotonic() - before < 10
    assert capsys.readouterr().err.count("somebody is at it (process 4321 on node17") == 1
    assert not path.exists()


def test_a_holder_gives_signs(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "HEARTBEAT_SECONDS", 0.05)
    path = tmp_path / "lock"
    with locks.waiting(path, ""):
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert time.time() - path.stat().st_mtime < 10


def test_without_flock_a_lock_ends_with_its_process(tmp_path, no_flock):
    path = tmp_path / "lock"
    script = NO_FLOCK + "locks.hold(Path(sys.argv[1]), 'work'); print('held', flush=True)\n"
    with start(script + "time.sleep(60)", path) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=rf"process {process.pid} on {HOST}"):
            locks.hold(path, "work")
        process.kill()
    locks.hold(path, "work")


def test_without_flock_one_process_is_inside_at_a_time(tmp_path):
    script = NO_FLOCK + (
        "place = Path(sys.argv[1])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with locks.waiting(place / 'lock', ''):\n"
        "    (place / 'inside').touch(exist_ok=False); time.sleep(0.3)\n"
        "    (place / 'inside').unlink()\n"
    )
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(start(script, tmp_path)) for _ in range(3)]
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.close()
        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]


def test_an_error_of_the_disk_is_not_taken_for_a_missing_flock(tmp_path, monkeypatch):
    def broken(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(StorageError, match="Input/output error"):
        locks.hold(tmp_path / "lock", "work")
