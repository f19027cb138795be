"""Command line of the benchmark, ``python -m gmvae.bench COMMAND``, which the pipeline calls.

Imports stand inside the functions, since the number of threads has to be set before NumPy and torch
load, and so that no command waits for libraries that it does not use.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae.bench.disk.errors import UserError
from gmvae.bench.runs.environment import (
    CONFIG_VARIABLE,
    DEBUG_VARIABLE,
    keep_freed_memory,
    set_threads,
)

if TYPE_CHECKING:
    from gmvae.bench.runs.train import Job

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        print(options.command(options), flush=True)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        with open(options.log, "w") if options.log else contextlib.nullcontext(sys.stderr) as log:
            print(f"error: {error}", file=log)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gmvae.bench", description="Steps of the benchmark."
    )
    parser.add_argument("--log", help="file for the message of an error, instead of the terminal")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="put a data set where the pipeline expects it")
    data.add_argument("name", help="name of the data set")
    data.add_argument("folder", type=Path, help="where its four arrays go")
    data.add_argument("--npz", help="path of your own .npz file")
    data.set_defaults(command=_data)

    train = commands.add_parser("train", help="train one run on images, without labels")
    train.add_argument("run", type=_json, help="the run as JSON (see run.json of another)")
    train.add_argument("folder", type=Path, help="where the files of the run go")
    train.set_defaults(command=_train)
    together = commands.add_parser(
        "train-together", help="train runs that differ in their seed alone as one computation"
    )
    together.add_argument("runs", type=_json, help="list of runs as JSON")
    together.add_argument("folders", type=Path, nargs="+", help="one for each run")
    together.set_defaults(command=_train_together)
    for command in (train, together):
        command.add_argument("--train-images", type=Path, required=True)
        command.add_argument("--test-images", type=Path, required=True)
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--time-limit", type=float, help="seconds")
        command.add_argument("--fresh", action="store_true", help="without any checkpoints")
        command.add_argument("--config", type=Path, help="resolved config, copied into run.json")
        command.add_argument("--quiet", action="store_true", help="no progress on standard error")

    score = commands.add_parser("score", help="compare the test clusters of a run with labels")
    score.add_argument("folder", type=Path, help="of the run")
    score.add_argument("--labels", type=Path, required=True)
    score.set_defaults(command=_score)

    check = commands.add_parser("check", help="check a config and count its runs")
    check.add_argument("config", type=Path)
    check.set_defaults(command=_check)

    status = commands.add_parser("status", help="how far a grid is, and the time left")
    status.add_argument(
        "results", type=Path, nargs="?", default=Path("results"), help="folder; default: results"
    )
    status.add_argument("--watch", action="store_true", help="again and again until all are done")
    status.set_defaults(command=_status)

    trace = commands.add_parser("trace", help="show the runs behind a row of the table")
    trace.add_argument("table", type=Path, help="path of table1.csv")
    for name, kind in (("dataset", str), ("method", str), ("variant", str), ("K", int), ("M", int)):
        trace.add_argument(f"--{name}", type=kind)
    trace.set_defaults(command=_trace)

    verify = commands.add_parser(
        "verify", help="recompute all metrics and tables from the stored assignments"
    )
    verify.add_argument("results", type=Path, help="results folder")
    verify.add_argument("--data", type=Path, default=Path("data"), help="folder of the labels")
    verify.set_defaults(command=_verify)
    return parser


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is not valid JSON ({error}): {text[:60]!r}") from error


def _data(options: argparse.Namespace) -> str:
    from gmvae.bench.data.prepare import prepare

    return prepare(options.name, options.npz, options.folder)


def _train(options: argparse.Namespace) -> str:
    job = _job(options)
    from gmvae.bench.grid.runs import Run
    from gmvae.bench.runs.train import train_run

    return _outcome(train_run(Run.from_dict(options.run), job, options.folder))


def _train_together(options: argparse.Namespace) -> str:
    job = _job(options)
    from gmvae.bench.grid.runs import Run
    from gmvae.bench.runs.train import train_runs_together

    runs = [Run.from_dict(run) for run in options.runs]
    return "\n".join(map(_outcome, train_runs_together(runs, job, options.folders)))


def _job(options: argparse.Namespace) -> Job:
    """What both training commands are told; sets the threads before anything loads."""
    set_threads(options.threads)
    keep_freed_memory()
    from gmvae.bench.disk.files import read_json
    from gmvae.bench.runs.train import Job

    named = options.config or os.environ.get(CONFIG_VARIABLE)
    config = None if named is None else read_json(named)
    limit = options.time_limit
    if limit is None and config is not None:
        limit = config.get("time_limit")
    return Job(
        options.train_images,
        options.test_images,
        threads=options.threads,
        verbose=not options.quiet,
        time_limit=limit,
        config=config,
        fresh=options.fresh,
    )


def _outcome(record: dict[str, Any]) -> str:
    from gmvae.bench.grid.runs import Run

    elbo = "" if record["elbo"] is None else f", ELBO {record['elbo']:.2f} nats"
    reason = "" if record["reason"] is None else f" ({record['reason']})"
    path = Run.from_dict(record["run"]).path
    return f"{path}: {record['status']}{reason} in {record['train_seconds']:.1f} s{elbo}"


def _score(options: argparse.Namespace) -> str:
    from gmvae.bench.runs.score import write_scores

    write_scores(options.folder, options.labels)
    return f"{options.folder}: scored"


def _check(options: argparse.Namespace) -> str:
    from gmvae.bench.grid.config import load_config
    from gmvae.bench.grid.runs import make_runs, summary

    config = load_config(options.config)
    return summary(make_runs(config), Path(config.results))


def _status(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.watch import show

    return show(options.results, watch=options.watch)


def _trace(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.trace import Cell, trace

    names = ("dataset", "method", "variant", "K", "M")
    return trace(options.table, Cell(**{name: getattr(options, name) for name in names}))


def _verify(options: argparse.Namespace) -> str:
    from gmvae.bench.upkeep.verify import verify

    return verify(options.results, options.data)


def run() -> None:
    """Entry point of the console script ``gmvae-bench``."""
    sys.exit(main())


if __name__ == "__main__":
    run()
