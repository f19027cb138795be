"""The files that set the project up agree with one another."""

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

import gmvae
from gmvae.bench import data as datasets
from gmvae.bench.grid.config import load_config
from gmvae.bench.report import figures

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def lock():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def requirements():
    extras = PROJECT["optional-dependencies"]
    assert "gmvae[bench,slurm]" in extras["dev"], "make install needs everything"
    listed = {*PROJECT["dependencies"], *(text for extra in extras.values() for text in extra)}
    return [Requirement(text) for text in sorted(listed) if not text.startswith("gmvae")]


def test_the_library_needs_four_packages():
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert names == {"torch", "numpy", "scikit-learn", "safetensors"}


def test_lock_pins_every_requirement_within_its_range():
    pins = lock()
    for requirement in requirements():
        name = requirement.name.lower()
        assert name in pins, f"{name} is not in requirements.lock; run make lock"
        assert requirement.specifier.contains(pins[name]), name
    assert pins["torch"] == "2.13.0"
    assert "TORCH := 2.13.0" in (ROOT / "Makefile").read_text(), "make lock would write another"


def test_conda_environment_has_the_versions_of_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    *pins, project = pip
    assert dict(entry.split("==") for entry in pins) == lock()
    assert project == "-e .", "the profile of Snakemake needs the project's logger"


def test_what_is_installed_is_what_is_locked():
    from importlib.metadata import version

    for name in ("torch", "numpy", "scipy", "scikit-learn", "snakemake", "pandas"):
        assert version(name).partition("+")[0] == lock()[name], f"{name}: run make install"


def test_the_workflow_catalogue_takes_it():
    """The conditions of its "standardized usage"; `make lint` checks rules and format."""
    words = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in words
    assert "workflow" in words
    assert (ROOT / "workflow" / "Snakefile").is_file()
    assert (ROOT / "config" / "README.md").is_file()
    assert list((ROOT / "workflow" / "rules").glob("*.smk"))
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["report"] is True
    assert "gmvae[bench]" in usage["mandatory-flags"]["desc"], "no deployment installs the package"


def test_the_citation_is_complete():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    needed = {"cff-version", "message", "title", "version", "license", "authors"}
    assert needed | {"abstract", "keywords", "references"} <= citation.keys()
    [paper] = citation["references"]
    assert len(paper["authors"]) == 7
    assert paper["url"].endswith("1611.02648")


def test_fashion_mnist_has_the_settings_of_mnist():
    """They were chosen on MNIST, and are to be judged on other data as they are."""
    digits, clothes = (
        load_config(ROOT / "config" / name) for name in ("config.yaml", "fashion_mnist.yaml")
    )
    known = {(method.name, method.variant): method.parameters for method in digits.methods}
    for method in clothes.methods:
        assert method.parameters == known[method.name, method.variant]


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert gmvae.__version__ == importlib.metadata.version("gmvae") == citation["version"]
    assert PROJECT["dynamic"] == ["version"], "pip reads it from gmvae/__init__.py"
    assert f"## {gmvae.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_imports_point_one_way():
    library = [path for path in (ROOT / "gmvae").rglob("*.py") if "bench" not in path.parts]
    assert len(library) > 20
    for path in library:
        assert not re.search(r"import baselines|from baselines|gmvae\.bench", path.read_text())
    for path in (ROOT / "baselines").rglob("*.py"):
        assert "gmvae.bench" not in path.read_text()
    for path in [*(ROOT / "gmvae").rglob("*.py"), *(ROOT / "baselines").rglob("*.py")]:
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.MULTILINE)


def test_workflow_is_not_a_package():
    assert not list((ROOT / "workflow").rglob("__init__.py"))


def test_every_folder_is_small_and_says_what_it_holds():
    bench = {path.name for path in (ROOT / "gmvae/bench").iterdir() if path.name != "__pycache__"}
    folders = {"upkeep", "report", "runs", "grid", "data", "disk"}
    assert bench == folders | {"__init__.py", "__main__.py"}
    for folder in (ROOT / "gmvae").rglob("*"):
        if folder.is_dir() and folder.name != "__pycache__":
            files = [path for path in folder.iterdir() if path.is_file()]
            assert len(files) <= 9, folder
            assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


def sources():
    folders = ("gmvae", "baselines", "tools", "snakemake_logger_plugin_gmvae")
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_no_file_and_no_function_is_long():
    for path in sources():
        text = path.read_text()
        assert len(text.splitlines()) <= 350, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 50, (path, node.name)
    for path in (ROOT / "tests").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 350, path


def test_docstrings_name_the_thing():
    for path in sources():
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                words = (ast.get_docstring(node) or "-").split()
                assert words[0] not in ("What", "Where", "How"), (path, words[:5])
        assert not re.search(r"^ +[a-z_, ]+ : .*\n +Of ", text, re.MULTILINE), path


def test_readme_is_short():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120


def test_readme_and_docs_name_what_there_is():
    text = (ROOT / "README.md").read_text()
    for command in ("make quickstart", "make test", "snakemake all --cores 2"):
        assert command in text
    text += "".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))
    for name in (*figures.available(), *datasets.available()):
        assert f"`{name}" in text or f"{name}." in text, name


def test_contributing_templates_work(tmp_path, monkeypatch, blobs):
    """The templates that CONTRIBUTING gives are run as they stand there."""
    import importlib.util

    text = (ROOT / "CONTRIBUTING.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    method_source, dataset_source = blocks[:2]
    modules = []
    for number, source in enumerate((method_source, dataset_source)):
        path = tmp_path / f"template{number}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(f"baselines.{path.stem}", path)
        modules.append(importlib.util.module_from_spec(spec))
        spec.loader.exec_module(modules[-1])
    points, _ = blobs
    [method] = [
        value
        for name, value in vars(modules[0]).items()
        if isinstance(value, type) and value.__module__ == "baselines.template0" and name[0] != "_"
    ]
    fitted = method(n_clusters=3, random_state=0).fit(points)
    assert fitted.predict_proba(points).shape == (300, 3)
    data = modules[1].load()
    assert isinstance(data, datasets.Dataset)
    assert len(data.train.images) == len(data.train.labels)
