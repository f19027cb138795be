"""The package as a user installs it: what the wheel holds, needs and does."""

import importlib.metadata as metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from running import copy_project

from gmvae.bench.grid.sources import source_checksum

ROOT = Path(__file__).parents[2]
BUILD = "from setuptools import build_meta as b; print(b.build_{}({!r}))"
EXTRAS = ("pandas", "matplotlib", "seaborn", "snakemake", "yaml", "rich", "tqdm", "baselines")


def run(*command, cwd, check=True):
    result = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def build(kind, source, target):
    """Build the "sdist" or the "wheel" of a folder; returns the file."""
    run(sys.executable, "-c", BUILD.format(kind, str(target)), cwd=source)
    [made] = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The sdist, and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("dist")
    project = copy_project(folder / "project")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    sdist = build("sdist", project, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return sdist, build("wheel", folder / sdist.name.removesuffix(".tar.gz"), folder)


def needs_of(requirements):
    """Installed distributions that satisfy requirements, and those that these need in turn."""
    found, waiting = {}, [Requirement(text) for text in requirements]
    while waiting:
        one = waiting.pop()
        if one.name.lower() in found or not (
            one.marker is None or one.marker.evaluate({"extra": ""})
        ):
            continue
        found[one.name.lower()] = metadata.distribution(one.name)
        waiting += map(Requirement, found[one.name.lower()].requires or ())
    return found


@pytest.fixture(scope="module")
def environment(dist, tmp_path_factory):
    """An environment with the wheel, which sees nothing else but the packages that it names."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run(*pip, "--no-deps", "--no-index", dist[1], cwd=folder)
    [site] = (folder / "env").glob("lib/python*/site-packages")
    [installed] = metadata.distributions(name="gmvae", path=[str(site)])
    (folder / "needed").mkdir()
    for needed in needs_of(installed.requires).values():
        for name in {path.parts[0] for path in needed.files} - {"..", "__pycache__"}:
            (folder / "needed" / name).symlink_to(needed.locate_file(name))
    (site / "needed.pth").write_text(f"{folder / 'needed'}\n")
    return python


def test_the_sdist_makes_a_wheel_without_common_names(dist):
    names = set(zipfile.ZipFile(dist[1]).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if ".dist-info" not in top} == {
        "gmvae",
        "snakemake_logger_plugin_gmvae",
    }
    expected = {f"gmvae/{path.relative_to(ROOT)}" for path in (ROOT / "baselines").rglob("*.py")}
    expected |= {str(path.relative_to(ROOT)) for path in (ROOT / "gmvae").rglob("*.py")}
    for folder in ("report/page/template", "report/published"):
        files = (ROOT / "gmvae/bench" / folder).glob("*.[!p]*")
        expected |= {str(path.relative_to(ROOT)) for path in files}
    expected |= {"gmvae/py.typed", "gmvae/config/config.yaml"}
    assert expected <= names, expected - names


def test_the_library_fits_digits_with_nothing_but_what_it_names(environment, tmp_path):
    script = f"""
import importlib, importlib.util, pkgutil, sys
import torch, gmvae
from gmvae import GMVAE
from gmvae.baselines.vae_gmm import VAEGaussianMixture
from sklearn.datasets import load_digits
torch.set_num_threads(1)
Y = load_digits().data / 16
model = GMVAE(10, random_state=0, verbose=True).fit(Y)
print(len(set(model.labels_)) > 5, model.score(Y) > -30, gmvae.__version__)
print(VAEGaussianMixture(10, network="paper-fc", random_state=0).fit(Y[:500]).predict(Y[:3]).shape)
print([name for name in {EXTRAS} if importlib.util.find_spec(name)])
print("jinja2" in sys.modules)  # torch can import it for purposes of its own
for module in pkgutil.walk_packages(gmvae.__path__, "gmvae."):
    if not module.name.startswith("gmvae.bench"):
        importlib.import_module(module.name)
"""
    answer = run(environment, "-I", "-W", "error", "-c", script, cwd=tmp_path).stdout.splitlines()
    version = metadata.version("gmvae")
    assert answer == [f"True True {version}", "(3,)", "[]", "False"]


def test_the_benchmark_says_what_to_install(environment, tmp_path):
    bench = environment.with_name("gmvae-bench")
    assert run(bench, "--version", cwd=tmp_path).stdout == f"gmvae {metadata.version('gmvae')}\n"
    for arguments in (["check", "x.yaml"], ["status"], ["report", "results"]):
        result = run(bench, *arguments, cwd=tmp_path, check=False)
        assert result.returncode == 1
        assert result.stdout == ""
        [line] = result.stderr.splitlines()
        assert line.endswith("which is not installed; run: pip install 'gmvae[bench]'")


def test_an_installed_benchmark_finds_its_methods_under_the_names_of_the_project(
    environment, tmp_path
):
    """A class path, its arguments and the checksum of its sources are those of the project."""
    (tmp_path / "mine.yaml").write_text("datasets: [digits]\nmethods: [{name: dec, K: [3]}]\n")
    script = f"""
import json, sys
sys.path.append({sysconfig.get_path("purelib")!r})
from gmvae.bench.__main__ import main
from gmvae.bench.grid import methods, sources
assert main(["check", "mine.yaml"]) == 0
found = methods.find("dec")
module = methods.import_class(found.class_path).__module__
print(json.dumps([methods.available(), found.class_path, module,
                  list(found.arguments), sources.source_checksum("baselines.dec")]))
"""
    lines = run(environment, "-I", "-c", script, cwd=tmp_path).stdout.splitlines()
    assert lines[0].startswith("grid: "), lines
    from gmvae.bench.grid import methods

    assert json.loads(lines[-1]) == [
        methods.available(),
        "baselines.dec.DEC",
        "gmvae.baselines.dec",
        list(methods.find("dec").arguments),
        source_checksum("baselines.dec"),
    ]


@pytest.mark.long
def test_twine_takes_both(dist, tmp_path):
    """twine is installed for this test alone: it needs thirty packages."""
    run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    result = run(python, "-m", "pip", "install", "--quiet", "twine", cwd=tmp_path, check=False)
    if result.returncode:
        pytest.skip(f"twine could not be installed: {result.stderr.strip().splitlines()[-1]}")
    run(python, "-m", "twine", "check", "--strict", *dist, cwd=tmp_path)
