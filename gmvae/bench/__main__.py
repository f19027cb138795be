"""Command line of the benchmark: ``gmvae-bench COMMAND``, or ``python -m gmvae.bench COMMAND``.

Imports are inside the functions, since the number of threads has to be set before NumPy and torch
load, and so that no command waits for libraries that it does not use.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae import __version__
from gmvae.bench.disk.errors import UserError
from gmvae.bench.upkeep import exchange

if TYPE_CHECKING:
    from gmvae.bench.runs.record import Record
    from gmvae.bench.runs.train import Job

Command = Callable[[argparse.Namespace], str]
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        print(options.command(options), flush=True)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (UserError, ModuleNotFoundError) as error:
        if os.environ.get("GMVAE_DEBUG"):
            raise
        with open(options.log, "w") if options.log else contextlib.nullcontext(sys.stderr) as log:
            print(f"error: {_reason(error)}", file=log)
        return 1
    return 0


def _reason(error: UserError | ModuleNotFoundError) -> str:
    if isinstance(error, UserError):
        return str(error)
    return (
        f"gmvae-bench needs the package {error.name!r}, which is not installed; "
        "run: pip install 'gmvae[bench]'"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gmvae-bench", description="Steps of the benchmark.")
    parser.add_argument("--version", action="version", version=f"gmvae {__version__}")
    parser.add_argument("--log", help="file for the message of an error, instead of the terminal")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_steps(commands)
    _add_upkeep(commands)
    exchange.add_commands(commands, _add)
    return parser


def _add(commands: Any, name: str, command: Command, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what)
    parser.set_defaults(command=command)
    return parser


def _add_steps(commands: Any) -> None:
    """Commands that the rules of the workflow call."""
    config = _add(commands, "config", _config, "write the complete config to its results folder")
    config.add_argument("config", type=_json, help="the config as JSON")

    data = _add(commands, "data", _data, "prepare a data set for the workflow")
    data.add_argument("name", help="name of the data set")
    data.add_argument("--source", type=_json, help="your own data, as JSON: as in a config")
    data.add_argument("--data-dir", help="local folder with data sets")

    train = _add(commands, "train", _train, "train one run on images, without labels")
    train.add_argument("run", type=_json, help="the run as JSON (see run.json of another)")
    train.add_argument("folder", type=Path, help="folder for the files of the run")
    what = "train runs that differ only in their seed as one computation"
    together = _add(commands, "train-together", _train_together, what)
    together.add_argument("runs", type=_json, help="list of runs as JSON")
    together.add_argument("folders", type=Path, nargs="+", help="one for each run")
    for command in (train, together):
        command.add_argument("--train-images", type=Path, required=True)
        command.add_argument("--test-images", type=Path, required=True)
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--time-limit", type=float, help="seconds")
        what = "trainings that share a GPU, if the device of the run is cuda or auto"
        command.add_argument("--runs-per-gpu", type=int, default=0, help=what)
        command.add_argument("--sealed", type=_sealed, help="date and checksum of a seal")
        command.add_argument("--fresh", action="store_true", help="train again, no checkpoints")

    score = _add(commands, "score", _score, "compare the test clusters of all runs with labels")
    tables = _add(commands, "tables", _tables, "make the tables of scored runs")
    figure = _add(commands, "figure", _figure, "draw one figure")
    page = _add(commands, "page", _page, "make the page with all tables and figures")
    for command in (score, tables, figure, page):
        command.add_argument("results", type=Path, help="results folder")
    figure.add_argument("name", help="name of the figure")
    page.add_argument("--command", dest="made_by", default="", help="shown on the page")


def _add_upkeep(commands: Any) -> None:
    """Commands for people."""
    check = _add(
        commands, "check", _check, "check a config, its data and its device, and count its runs"
    )
    check.add_argument("config", type=Path)
    what = "write CONFIG.seal.json, which fixes config and seeds before anything is run"
    check.add_argument("--seal", action="store_true", help=what)

    new = _add(commands, "new", _new, "write the file of a new method or data set, to be changed")
    new.add_argument("kind", choices=("method", "dataset"))
    new.add_argument("name", help="name in configs: small letters, digits and '_'")

    what = "runs that are done, running or failed, and the estimated time left"
    status = _add(commands, "status", _status, what)
    status.add_argument(
        "results", type=Path, nargs="?", default=Path("results"), help="folder; default: results"
    )
    status.add_argument("--watch", action="store_true", help="refresh until all runs are done")

    report = _add(commands, "report", _report, "score, tables, figures and page in one process")
    report.add_argument("results", type=Path, help="results folder")
    report.add_argument(
        "--partial", action="store_true", help="finished runs only; written to RESULTS/partial"
    )

    trace = _add(commands, "trace", _trace, "show the runs behind a row of the table")
    trace.add_argument("table", type=Path, help="path of table1.csv")
    for name, kind in (("dataset", str), ("method", str), ("variant", str), ("K", int), ("M", int)):
        trace.add_argument(f"--{name}", type=kind)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is not valid JSON ({error}): {text[:60]!r}") from error


def _sealed(text: str) -> dict[str, str]:
    date, _, sha256 = text.partition(" ")
    return {"date": date, "sha256": sha256}


def _config(options: argparse.Namespace) -> str:
    from gmvae.bench.grid.config import config_from_dict, write_resolved

    return str(write_resolved(config_from_dict(options.config)))


def _data(options: argparse.Namespace) -> str:
    from gmvae.bench.data.prepare import prepare
    from gmvae.bench.data.readers import DATA_DIR_VARIABLE
    from gmvae.bench.disk.layout import DATA
    from gmvae.bench.grid.sources import data_key

    if options.data_dir is not None:
        os.environ[DATA_DIR_VARIABLE] = options.data_dir
    key = data_key(options.name, options.source)
    return prepare(options.name, options.source, DATA / options.name, key)


def _train(options: argparse.Namespace) -> str:
    job = _job(options, options.run)
    from gmvae.bench.grid.runs import Run
    from gmvae.bench.runs.train import train_run

    return _outcome(train_run(Run.from_dict(options.run), job, options.folder))


def _train_together(options: argparse.Namespace) -> str:
    job = _job(options, options.runs[0])
    from gmvae.bench.grid.runs import Run
    from gmvae.bench.runs.train import train_runs_together

    runs = [Run.from_dict(run) for run in options.runs]
    return "\n".join(map(_outcome, train_runs_together(runs, job, options.folders)))


def _job(options: argparse.Namespace, run: dict[str, Any]) -> Job:
    """Conditions of both training commands; sets threads and GPU before anything loads."""
    from gmvae.bench.grid.resources import take_gpu
    from gmvae.bench.runs.environment import keep_freed_memory, set_threads

    set_threads(options.threads)
    keep_freed_memory()
    take_gpu(run.get("parameters", {}), options.runs_per_gpu)
    from gmvae.bench.runs.train import Job

    return Job(
        options.train_images,
        options.test_images,
        threads=options.threads,
        time_limit=options.time_limit,
        fresh=options.fresh,
        sealed=options.sealed,
    )


def _outcome(record: Record) -> str:
    elbo = "" if record.elbo is None else f", ELBO {record.elbo:.2f} nats"
    reason = "" if record.reason is None else f" ({record.reason})"
    seconds = f"{record.train_seconds:.1f} s"
    return f"{record.run.path}: {record.status}{reason} in {seconds}{elbo}"


def _score(options: argparse.Namespace) -> str:
    from gmvae.bench.grid.config import read_resolved
    from gmvae.bench.grid.runs import make_runs
    from gmvae.bench.runs.score import score_runs

    return score_runs(make_runs(read_resolved(options.results)), options.results)


def _tables(options: argparse.Namespace) -> str:
    from gmvae.bench.report.build import make_tables

    make_tables(options.results)
    return f"{options.results}: tables"


def _figure(options: argparse.Namespace) -> str:
    from gmvae.bench.report.build import make_figure

    make_figure(options.results, options.name)
    return f"{options.results}: figure {options.name}"


def _page(options: argparse.Namespace) -> str:
    from gmvae.bench.report.build import make_page

    make_page(options.results, options.made_by)
    return f"{options.results}: page"


def _report(options: argparse.Namespace) -> str:
    from gmvae.bench.report.build import make_report

    return make_report(options.results, partial=options.partial)


def _check(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.check import check

    return check(options.config, seal=options.seal)


def _new(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.templates import write_new

    return write_new(options.kind, options.name)


def _status(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.progress.watch import show

    return show(options.results, watch=options.watch)


def _trace(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.trace import Cell, trace

    wanted = Cell(options.dataset, options.method, options.variant, options.K, options.M)
    return trace(options.table, wanted)


def run() -> None:
    """Entry point of the console script ``gmvae-bench``."""
    sys.exit(main())


if __name__ == "__main__":
    run()
