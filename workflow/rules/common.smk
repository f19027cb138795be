# The grid and every path. Rules call commands of gmvae-bench; nothing is done while this is read.
import dataclasses
import json
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The folder of the project. A module from a git host has none: its package is an installed one.
FOLDERS = []
if isinstance(workflow.current_basedir, (str, os.PathLike)):
    FOLDERS = [os.path.realpath(os.path.join(workflow.current_basedir, "..", ".."))]
# A user's own method is a file in the folder that the workflow runs in.
sys.path[:0] = [*FOLDERS, os.getcwd()]
try:
    import gmvae.bench
except ModuleNotFoundError as error:
    raise WorkflowError(
        f"{error}; install the package in the environment of Snakemake: "
        "pip install 'gmvae[bench] @ git+ADDRESS@TAG', with the address of the repository and the tag of the rules"
    ) from None

from gmvae.bench.disk.errors import UserError
from gmvae.bench.disk.layout import (
    DATA,
    DATA_LIST,
    LOGS,
    RESOLVED_CONFIG,
    SCORES,
    TRAIN_LIST,
)
from gmvae.bench.grid.checks import check_devices, check_runs, remarks
from gmvae.bench.grid.config import as_typed, parse_config
from gmvae.bench.grid import resources as needs
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.grid.seal import find_seal
from gmvae.bench.report import figures
from gmvae.bench.report.build import PAGE_NAME, TABLE_NAMES, shown_figures
from gmvae.bench.upkeep.outdated import Outdated, find_outdated
from gmvae.bench.upkeep.recovery import begin
from gmvae.bench.upkeep.progress.watch import narrate

# The command that makes the results again, for the page.
WORDS = ["snakemake", "all", "--cores", "all"]
for path in workflow.overwrite_configfiles:
    WORDS += ["--configfile", os.path.relpath(path)]
if given := workflow.config_settings.config:
    WORDS += ["--config", *(f"{key}={value}" for key, value in given.items())]
    # Snakemake leaves the numbers within lists as text.
    config.update({key: as_typed(config[key]) for key in given})
COMMAND = shlex.join(WORDS)

try:
    CONFIG = parse_config(config)
    SEAL = find_seal(
        CONFIG, map(Path, workflow.overwrite_configfiles or workflow.configfiles)
    )
    RUNS = {run.path: run for run in make_runs(CONFIG)}
    # A job of a cluster reads all this again, and is to be done whatever else is there.
    OUTDATED = Outdated()
    TO_DO = []
    if workflow.is_main_process:
        OUTDATED = find_outdated(CONFIG, RUNS.values(), COMMAND)
        TO_DO = OUTDATED.to_do(Path(CONFIG.results), RUNS.values())
        check_runs(CONFIG, TO_DO)
except UserError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
# A user's own data, as words of a command.
SOURCES = {
    spec.name: json.dumps(spec.source) for spec in CONFIG.datasets if spec.source
}
TRAININGS = [f"{RESULTS}/{path}/{TRAIN_LIST}" for path in RUNS]
ALL_SCORES = f"{RESULTS}/{SCORES}"
ALL_DATA = [f"{DATA}/{spec.name}/{DATA_LIST}" for spec in CONFIG.datasets]
TABLES = [f"{RESULTS}/{name}" for name in TABLE_NAMES]
PAGE = f"{RESULTS}/{PAGE_NAME}"
FIGURE_NAMES = shown_figures(RUNS.values())

RESOLVED = f"{RESULTS}/{RESOLVED_CONFIG}"
# A cluster counts its GPUs itself.
GPUS = ()
if workflow.local_exec and any(map(needs.may_use_gpu, RUNS.values())):
    GPUS = needs.gpus_here()
if GPUS and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", len(GPUS) * CONFIG.runs_per_gpu)

# Jobs run under this interpreter, unless conda gives them one of their own.
PYTHON = (
    "python"
    if "conda" in map(str, workflow.deployment_settings.deployment_method)
    else shlex.quote(sys.executable)
)
# The results folder, as a word of a command.
FOLDER = shlex.quote(RESULTS)
PATHS = ":".join(map(shlex.quote, FOLDERS))
BENCH = f"PYTHONPATH={PATHS}:${{{{PYTHONPATH:-}}}} {PYTHON} -m gmvae.bench"


wildcard_constraints:
    dataset="[^/]+",
    method="[^/]+",
    setting="[^/]+",
    seed="[0-9]+",


def job_list(name):
    """Path of the list of checksums of a job of the report."""
    return f"{RESULTS}/{LOGS}/{name}.sha256"


def figure_files(name):
    """Paths of the files of a figure."""
    return [f"{RESULTS}/{name}.{ending}" for ending in figures.endings(name)]


def shown(paths, category, **labels):
    """Products that stand in the report of Snakemake itself."""
    return report(
        paths, caption="../report/caption.rst", category=category, labels=labels
    )


def option(name, value):
    """An option of a command, if it has a value."""
    return f"--{name} {shlex.quote(str(value))}" if value else ""


def one_of(words):
    """Regular expression of any of these words; without a word, nothing matches."""
    return "|".join(map(re.escape, words)) or "(?!)"


def name_of(run):
    """Data set, method and setting of a run, as in its path."""
    return f"{run.dataset}/{run.method}/{run.setting}"


def in_settings(names):
    """Constraint of the wildcard `dataset` by which a rule is for these settings alone."""
    return f"(?=(?:{one_of(names)})/)[^/]+"


def inputs(job, *paths):
    """Input files of a job, which is named by its list of checksums.

    If the job is up to date by content, they are ancient: their time does not count, and one that is
    gone is not made for it. If not, the temporary folder of this call, which is newer than any
    product, makes Snakemake do it again.
    """
    if OUTDATED.is_up_to_date(Path(job)):
        return [ancient(path) for path in paths if os.path.exists(path)]
    return [*paths, str(workflow.snakemake_tmp_dir)]


def run_of(wildcards):
    """The run of a training rule's wildcards."""
    path = "runs/{0.dataset}/{0.method}/{0.setting}/seed{0.seed}".format(wildcards)
    if path not in RUNS:
        raise WorkflowError(f"{RESULTS}/{path} is not in the grid of this config")
    return RUNS[path]


FIGURES = [path for name in FIGURE_NAMES for path in figure_files(name)]


onstart:
    try:
        if (
            workflow.local_exec
        ):  # a cluster may have the GPU that this machine lacks
            check_devices(TO_DO)
        needs.check_accounting(workflow.executor_settings)
        for line in [
            *begin(CONFIG, RUNS.values(), OUTDATED),
            *remarks(CONFIG, TO_DO),
        ]:
            print(line, file=sys.stderr)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    narrate(Path(RESULTS))


onsuccess:
    if os.path.exists(PAGE):
        print(f"finished; the page with all results is {PAGE}", file=sys.stderr)
