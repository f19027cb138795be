"""Messages of Snakemake in a few lines, as ``profiles/default`` asks for: plan, failures, errors.

Snakemake finds a logger plugin by the name of its package, which is therefore beside ``gmvae``. Its
own messages come back by its own flag, for example ``--quiet host``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from logging import ERROR, LogRecord
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase

NOTHING_TO_DO = "Nothing to be done"
LOG_LINES = 40
"""Lines that are shown from the end of the log of a job that failed."""
LINE_LENGTH = 300


class LogHandler(LogHandlerBase):
    """Writer of the messages that a person needs to standard error."""

    # The standard stream stays with Snakemake's own handler, which the profile keeps quiet.
    writes_to_stream = False
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Start without jobs."""
        self._jobs: dict[Any, str] = {}
        self._untold = ""

    def emit(self, record: LogRecord) -> None:
        """Write the lines of a record, if it has any for a person."""
        for line in self._lines(record):
            print(line, file=sys.stderr, flush=True)

    def _lines(self, record: LogRecord) -> Iterator[str]:
        event = str(getattr(record, "event", "") or "").rpartition(".")[2].lower()
        text = str(record.msg or "")
        if event == "job_info":
            name = getattr(record, "rule_msg", None) or getattr(record, "rule_name", "a job")
            self._jobs[getattr(record, "jobid", None)] = str(name)
        elif event == "job_error":
            self._untold = ""
            yield from self._failure(record)
        elif "CalledProcessError" in text:
            self._untold = text  # the job that failed is shown next, with its log
        elif event == "error" or record.levelno >= ERROR:
            yield from _error(self._untold)
            yield from _error(text)
        elif again := re.match(r"Trying to restart job (\d+)", text):
            yield f"trying again: {self._jobs.get(int(again[1]), 'a job')}"
        elif NOTHING_TO_DO in text and not self.common_settings.dryrun:
            yield f"{NOTHING_TO_DO}."

    def _failure(self, record: LogRecord) -> Iterator[str]:
        """Name of a job that failed, and the end of its log."""
        yield f"failed: {self._jobs.get(getattr(record, 'jobid', None), 'a job')}"
        for path in map(Path, getattr(record, "log", None) or []):
            if path.is_file():
                told = path.read_text(encoding="utf-8", errors="replace")
                lines = [line for line in told.splitlines() if line.strip()][-LOG_LINES:]
                yield from (f"  {line[:LINE_LENGTH]}" for line in lines)
                yield f"  ({path})"


def _error(text: str) -> Iterator[str]:
    """Message of an error of Snakemake without its traceback, and what to do if it is known."""
    if "Exiting because a job" in text:
        return
    if "At least one job did not complete" in text:
        yield "error: not all jobs were done; the same command goes on from here"
        return
    missing = re.search(r"FileNotFoundError: .*?No such file or directory: '([^']*)'", text)
    if missing:
        yield f"error: the config file {missing[1]!r} does not exist"
        yield "give the path of a config after --configfile, and the target before it:"
        yield "  snakemake all --cores 2 --configfile config/short.yaml"
        return
    unknown = re.search(r"(?:MissingRuleException|No rule to produce)\W*\n?.*?produce (\S+)", text)
    if unknown:
        yield f"error: there is no target {unknown[1]!r}"
        yield "targets: all, products such as results/table1.csv, and if the config has such runs"
        yield "synthetic (GMVAE runs on arcs) and generation (GMVAE runs on images)"
        return
    if "Config file must be given" in text:
        yield "error: one of the words after --configfile is not a config"
        yield "give the target before it:"
        yield "  snakemake all --cores 2 --configfile config/short.yaml"
        return
    lines = [line for line in text.splitlines() if line.strip() and not _is_place(line)]
    told = lines[-1:] if "Traceback" in text else lines[:1] if len(lines) == 1 else lines[1:]
    yield from ((f"error: {line}" if not number else line) for number, line in enumerate(told))


def _is_place(line: str) -> bool:
    """Whether a line only names a place in a Snakefile."""
    return bool(re.match(r'\s*(File ".*", line \d+|Complete log)', line))
