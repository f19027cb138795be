# Validation, the grid, and every path that a rule uses.
import json
import os
import re
import shlex
import sys
from collections import defaultdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(workflow.basedir))

from gmvae.bench.report import figures as bench_figures
from gmvae.bench.grid.config import parse_config
from gmvae.bench.runs.environment import prepare_jobs
from gmvae.bench.disk.errors import UserError
from gmvae.bench.grid.runs import make_runs, summary
from gmvae.bench.grid.methods import BUILT_IN, source_files
from gmvae.bench.disk.layout import METRICS, RESOLVED_CONFIG, RUN_PRODUCTS
from gmvae.bench.upkeep.repair import begin, find_damage

# Options with which Snakemake runs no job.
LOOKING = (
    "--archive --cleanup-metadata --cleanup-shadow --containerize --d3dag --dag --detailed-summary"
    " --export-cwl --filegraph --generate-unit-tests --help --lint --list-changes --list-input-changes"
    " --list-params-changes --list-rules --list-target-rules --list-untracked --report --rulegraph"
    " --summary --unlock --version -D -S -l"
).split()

TARGETS = ("all", "tables", "synthetic", "generation")


def only_looks(results):
    """Whether this call runs no job, or the one alone that disturbs no other."""
    words = [word.split("=")[0] for word in sys.argv[1:]]
    # Snakemake takes the beginning of a long option for the whole, but "--" alone is none.
    begun = tuple(word for word in words if word.startswith("--") and len(word) > 3)
    if any(option in words or option.startswith(begun) for option in LOOKING):
        return True
    others = [word for word in words if word in TARGETS]
    others += [word for word in words if word.startswith((f"{results}/", "data/"))]
    return "partial" in words and not others


try:
    CONFIG = parse_config(config)
    RUNS = {run.path: run for run in make_runs(CONFIG)}
    RESULTS = CONFIG.results
    RUN_PATHS = [f"{RESULTS}/{path}" for path in RUNS]
    prepare_jobs(CONFIG.data_dir, f"{RESULTS}/{RESOLVED_CONFIG}")
    if not workflow.is_main_process or only_looks(RESULTS):
        pass
    elif workflow.output_settings.dryrun:
        for path, reason in find_damage(CONFIG, map(Path, RUN_PATHS)):
            print(f"{path} {reason}; a real run sets it aside", file=sys.stderr)
    else:
        for line in begin(CONFIG, RUNS.values()):
            print(line, file=sys.stderr)
except UserError as error:
    raise WorkflowError(str(error)) from None

NPZ = {spec.name: spec.npz for spec in CONFIG.datasets}
PRODUCTS_OF_RUNS = [
    f"{path}/{name}" for path in RUN_PATHS for name in (*RUN_PRODUCTS, METRICS)
]
TABLES = [
    f"{RESULTS}/{name}"
    for name in ("table1.csv", "table1.md", "runs.csv", "curves.csv", "times.csv")
]
FIGURE_NAMES = [
    name
    for name in bench_figures.available()
    if bench_figures.shown_runs(name, RUNS.values())
]

# Runs in {results}/runs/{dataset}/{method}/{setting}/seed{seed}.
SETTING = f"{RESULTS}/runs/{{dataset}}/{{method}}/{{setting}}"
RUN = f"{SETTING}/seed{{seed}}"

# Settings of which all seeds are trained in one process.
SEEDS_OF = defaultdict(set)
for run in RUNS.values():
    SEEDS_OF[f"{run.dataset}/{run.method}/{run.setting}"].add(run.seed)
TOGETHER = sorted(
    {
        f"{run.dataset}/{run.method}/{run.setting}"
        for run in RUNS.values()
        if CONFIG.seeds_together and run.class_path == BUILT_IN["gmvae"]
    }
)
TOGETHER = [name for name in TOGETHER if SEEDS_OF[name] == set(CONFIG.seeds)]
TRAINED_TOGETHER = "|".join(map(re.escape, TOGETHER)) or "(?!)"


wildcard_constraints:
    dataset="[^/]+",
    method="[^/]+",
    setting="[^/]+",
    seed="[0-9]+",
    split="train|test",


def run_file(name):
    """Path of one file of a run, with wildcards."""
    return f"{RUN}/{name}"


def run_of(wildcards):
    """The run that the wildcards of a training rule stand for."""
    return run_at(
        "runs/{0.dataset}/{0.method}/{0.setting}/seed{0.seed}".format(wildcards)
    )


def run_at(path):
    """The run whose results go to a folder below those of the config."""
    if path not in RUNS:
        raise WorkflowError(f"{RESULTS}/{path} is not in the grid of this config")
    return RUNS[path]


def files_of_seeds(name):
    """Path of one file of the runs of all seeds of a setting, with wildcards."""
    return expand(run_file(name), seed=CONFIG.seeds, allow_missing=True)


def runs_of_setting(wildcards):
    """The runs of all seeds that the wildcards of a setting stand for."""
    prefix = "runs/{0.dataset}/{0.method}/{0.setting}".format(wildcards)
    return [run_at(f"{prefix}/seed{seed}") for seed in CONFIG.seeds]


def figure_files(name):
    """Paths of the files of a figure."""
    return [f"{RESULTS}/{name}.{ending}" for ending in bench_figures.endings(name)]


def figure_runs(name):
    """Paths of the runs that a figure shows."""
    return [
        f"{RESULTS}/{run.path}" for run in bench_figures.shown_runs(name, RUNS.values())
    ]


def figure_inputs(name):
    """What a figure is drawn from: the scores of its runs, what these left, the test split."""
    products = ["metrics.json", "test.npz"]
    if name in bench_figures.OF_MODELS:
        products += ["history.csv", "model.safetensors"]
    datasets = {run.dataset for run in bench_figures.shown_runs(name, RUNS.values())}
    return [
        f"{path}/{product}" for path in figure_runs(name) for product in products
    ] + [
        f"data/{dataset}/test-{kind}.npy"
        for dataset in sorted(datasets)
        for kind in ("images", "labels")
    ]


def training_sources(run):
    """Files of which a change makes the runs of a method, and no others, out of date."""
    return source_files(run.class_path) + [
        "gmvae/bench/runs/train.py",
        "gmvae/bench/runs/products.py",
        "gmvae/bench/runs/assignments.py",
    ]


FIGURES = [path for name in FIGURE_NAMES for path in figure_files(name)]
REPORT = f"{RESULTS}/report/index.html"
PAGE_FILES = [f"gmvae/bench/report/page/page.{ending}" for ending in ("html", "css", "js")]
COMMAND = " ".join(
    ["snakemake all --cores all"]
    + [
        f"--configfile {shlex.quote(os.path.relpath(path))}"
        for path in workflow.overwrite_configfiles
    ]
    + (["--config"] if workflow.config_settings.config else [])
    + [shlex.quote(f"{k}={v}") for k, v in workflow.config_settings.config.items()]
)

# Asked for by name, which an input function could only refuse with a traceback.
for name in ("synthetic", "generation"):
    if name in sys.argv[1:] and name not in FIGURE_NAMES:
        raise WorkflowError(
            f"the target {name!r} needs GMVAE runs on "
            f"{'arcs' if name == 'synthetic' else 'images'}, and this config has none; "
            "config/config.yaml and config/quickstart.yaml have"
        )

if workflow.is_main_process:
    print(summary(RUNS.values(), Path(RESULTS)), file=sys.stderr)
