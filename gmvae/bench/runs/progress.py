"""Progress of a training as data: ``progress.jsonl``, one JSON object per line.

A ``start`` line names host and process, an ``epoch`` line follows each epoch, an ``alive`` line
follows every 20 seconds, and an ``end`` line closes an attempt that was not killed. Whoever reads
the file, on whatever machine, can tell whether the training is at work.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gmvae.bench.disk.locks import HEARTBEAT_SECONDS, SILENT_SECONDS, may_live

TAIL_BYTES = 1 << 16


class ProgressLog:
    """Writer of the file; each line is appended at once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        self._path = path
        self._stopped = threading.Event()

    def __call__(self, report: Any) -> None:
        """Append the line of an epoch.

        Parameters
        ----------
        report : gmvae.training.progress.EpochReport
        """
        self._append("epoch", **vars(report))

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Append ``start`` and ``end``, and heartbeats between them."""
        self._append("start", host=socket.gethostname(), pid=os.getpid())
        heart = threading.Thread(target=self._beat, daemon=True)
        heart.start()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._stopped.set()
            heart.join()
            self._append("end", error=None if error is None else f"{type(error).__name__}: {error}")

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            self._append("alive")

    def _append(self, event: str, **values: Any) -> None:
        line = json.dumps({"time": _now().isoformat(timespec="seconds"), "event": event, **values})
        # A full disk loses a line and ends no training.
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")


@dataclass(frozen=True)
class LastAttempt:
    """The end of the file: the last attempt at a training.

    Attributes
    ----------
    is_running : bool
    seconds : float
        Time since the attempt began.
    epoch : mapping
        Last ``epoch`` line; empty before the first.
    error : str or None
        The error that ended the attempt.
    """

    is_running: bool
    seconds: float
    epoch: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


def last_attempt(path: Path) -> LastAttempt | None:
    """Read the last attempt from the end of a progress file; None if there is no such file."""
    events = list(_events(path))
    if not events:
        return None
    starts = [number for number, event in enumerate(events) if event["event"] == "start"]
    attempt = events[starts[-1] :] if starts else events
    first, last = attempt[0], attempt[-1]
    epochs = [event for event in attempt if event["event"] == "epoch"]
    return LastAttempt(
        is_running=last["event"] != "end" and _age(last) < SILENT_SECONDS and _may_live(first),
        seconds=_age(first),
        epoch=epochs[-1] if epochs else {},
        error=last.get("error"),
    )


def _events(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError):  # cut off at either end
            event = json.loads(line)
            if isinstance(event, dict) and {"time", "event"} <= event.keys():
                yield event


def _may_live(start: dict[str, Any]) -> bool:
    host, pid = start.get("host"), start.get("pid")
    return host is None or pid is None or may_live(host, pid)


def _age(event: dict[str, Any]) -> float:
    return (_now() - datetime.datetime.fromisoformat(event["time"])).total_seconds()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
