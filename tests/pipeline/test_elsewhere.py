"""The workflow as a module of another workflow, and by its other Snakefile.

From another folder, with `--directory`, it runs in test_interrupted.py.
"""

import json
import re
import subprocess

import pytest
import yaml
from running import ROOT, copy_project, lines_elsewhere, output, part_of_smoke, snakemake

KMEANS = {
    "results": "results/here",
    "datasets": ["digits"],
    "seeds": [0],
    "methods": [{"name": "kmeans", "K": [10]}],
}
AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
MODULE = """
configfile: "mine.yaml"

module benchmark:
    snakefile:
        "{snakefile}"
    config:
        config

use rule * from benchmark as benchmark_*

rule all:
    input:
        rules.benchmark_all.input,
    default_target: True
"""


def test_a_module_gives_the_tables_of_the_project(project, tmp_path):
    sources = copy_project(tmp_path / "project")
    other = tmp_path / "other"
    other.mkdir()
    part_of_smoke(other / "mine.yaml", "gmvae_warm", "dec", "kmeans")
    (other / "Snakefile").write_text(MODULE.format(snakefile=sources / "Snakefile"))
    result = snakemake(other, "--cores", "2")
    assert result.returncode == 0, output(result)
    assert lines_elsewhere(other, project) == []


def test_the_code_beside_the_snakefile_is_the_one_that_runs(tmp_path):
    """And not that of a package which is installed, too."""
    project = copy_project(tmp_path / "project")
    init = project / "gmvae" / "__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', '__version__ = "99.0"', init.read_text()))
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.yaml").write_text(yaml.safe_dump(KMEANS))
    run = "results/here/runs/digits/kmeans/K10/seed0"
    arguments = ("--snakefile", str(project / "Snakefile"), "--configfile", "mine.yaml")
    result = snakemake(other, f"{run}/train.sha256", "--cores", "1", *arguments)
    assert result.returncode == 0, output(result)
    assert json.loads((other / run / "run.json").read_text())["program"]["version"] == "99.0"


def test_a_module_from_a_git_repository(tmp_path):
    """As the workflow catalogue deploys it: rules from the repository, the package installed."""
    repository = copy_project(tmp_path / "repository")
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*AUTHOR, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.yaml").write_text(yaml.safe_dump(KMEANS))
    source = f'gitfile("{repository}", path="workflow/Snakefile", ref="main")'
    text = MODULE.replace('"{snakefile}"', source)
    (other / "Snakefile").write_text(text)
    result = snakemake(other, "--cores", "1", PYTHONPATH=str(ROOT))
    assert result.returncode == 0, output(result)
    assert "kmeans" in (other / "results/here/table1.csv").read_text()


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_both_snakefiles_plan_the_same(tmp_path, snakefile):
    project = copy_project(tmp_path / "project")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(KMEANS))
    arguments = ("-n", "--snakefile", str(project / snakefile), "--configfile", "mine.yaml")
    result = snakemake(tmp_path, *arguments)
    assert result.returncode == 0, output(result)
    assert "train kmeans K10 seed 0" in output(result)
