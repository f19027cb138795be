"""Running the real workflow in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PARTS = [
    "gmvae",
    "baselines",
    "workflow",
    "config",
    "profiles",
    "snakemake_logger_plugin_gmvae",
    "Snakefile",
    "environment.yml",
]
METHODS = {"gmvae"} | set(
    re.findall(r"^\| `(\w+)` \|", (ROOT / "baselines" / "README.md").read_text(), re.MULTILINE)
)
"""Methods of the project; a user can have more."""
SMOKE = "config/smoke.yaml"


def copy_project(target):
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(
                source, target / part, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True
            )
        else:
            shutil.copy(source, target / part)
    return target


def command(*arguments):
    return [sys.executable, "-m", "snakemake", *arguments]


def snakemake(folder, *arguments, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "GMVAE_DATA_DIR"} | variables
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def bench(folder, *arguments):
    """Run a command of the benchmark with the code of a copied project."""
    return subprocess.run(
        [sys.executable, "-m", "gmvae.bench", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def output(result):
    return result.stdout + result.stderr


def write_config(folder, name="test.yaml", **changes):
    """A small config that replaces the default one as a whole."""
    raw = {
        "results": "results/test",
        "datasets": ["digits"],
        "seeds": [0],
        "methods": [{"name": "kmeans", "K": [10]}],
        **changes,
    }
    (folder / name).write_text(yaml.safe_dump(raw))
    return name


def part_of_smoke(path, *methods):
    """Write a config with some of the methods of the smoke grid."""
    raw = yaml.safe_load((ROOT / SMOKE).read_text())
    raw["methods"] = [method for method in raw["methods"] if method["name"] in methods]
    path.write_text(yaml.safe_dump(raw))


def lines_elsewhere(folder, project):
    """Lines of the tables of a part of the smoke grid that are not in those of the whole."""
    names = [f"results/smoke/{name}" for name in ("table1.csv", "runs.csv", "curves.csv")]
    whole = {name: (project / name).read_text().splitlines() for name in names}
    lines = [(name, line) for name in names for line in (folder / name).read_text().splitlines()]
    assert len(lines) > len(names)
    return [line for name, line in lines if line not in whole[name]]


def products(folder):
    """Everything but times, logs and pictures, by name."""
    results = folder / "results" / "smoke"
    paths = [results / name for name in ("table1.csv", "runs.csv", "curves.csv")]
    paths += [path for name in ("test.npz", "epochs.npz") for path in results.rglob(name)]
    return {str(path.relative_to(results)): path.read_bytes() for path in sorted(paths)}
