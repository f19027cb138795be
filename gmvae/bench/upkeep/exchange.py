"""Commands of ``gmvae-bench`` for results that travel: archives, crates and their comparison."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_commands(commands: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands.

    Parameters
    ----------
    commands : object
        Subparsers of the command line.
    add : callable
        Adds one command, from the subparsers, its name, its function and what it does.
    """
    archive = add(commands, "archive", _archive, "write a small archive of a grid")
    archive.add_argument("results", type=Path, help="results folder")
    archive.add_argument("target", type=Path, help="folder to write to")
    what = "archive of the same config, which has runs that RESULTS lacks; can be repeated"
    archive.add_argument("--part", type=Path, action="append", default=[], help=what)
    what = "the runs that are there, even if they are not all; tables are in RESULTS/partial, too"
    archive.add_argument("--partial", action="store_true", help=what)
    what = "the command that made the results, for the archive's README"
    archive.add_argument("--command", dest="made_by", help=what)

    crate = add(commands, "crate", _crate, "write a Workflow Run RO-Crate of a finished grid")
    crate.add_argument("results", type=Path, help="results folder, or an archive of one")
    crate.add_argument("target", type=Path, help="ZIP file to write")
    crate.add_argument("--no-pictures", action="store_true", help="leave the figures out")
    crate.add_argument("--command", dest="made_by", help="the command that made the results")

    what = "check the crates in folders of results/submissions"
    submission = add(commands, "submission", _submission, what)
    submission.add_argument("folders", type=Path, nargs="+", help="as results/submissions/NAME")
    what = "results folder whose page shows the submitted rows the next time it is made"
    submission.add_argument("--show-in", type=Path, help=what)

    what = "compare the rows of two results of the same config"
    compare = add(commands, "compare", _compare, what)
    for name in ("one", "other"):
        compare.add_argument(name, type=Path, help="results folder, archive or crate")

    what = "check all products against their checksums, and scores and tables against the stored "
    what += "assignments"
    verify = add(commands, "verify", _verify, what)
    verify.add_argument("results", type=Path, help="results folder, archive or crate")
    verify.add_argument("--data", type=Path, default=Path("data"), help="folder of the data")


def _archive(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.archives.archive import archive

    return archive(
        options.results,
        options.target,
        parts=options.part,
        partial=options.partial,
        command=options.made_by,
    )


def _crate(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.archives.crate import crate

    pictures = not options.no_pictures
    return crate(options.results, options.target, command=options.made_by, pictures=pictures)


def _submission(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.submission import check_submissions

    return check_submissions(options.folders, results=options.show_in)


def _compare(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.archives.compare import compare

    return compare(options.one, options.other)


def _verify(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.verify import verify

    return verify(options.results, options.data)
