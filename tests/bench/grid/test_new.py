"""New methods and data sets: files written by a command, and entry points of packages."""

import importlib
import sys

import pytest
from running import METHODS, bench, copy_project

from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid import methods
from gmvae.bench.grid.config import parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.upkeep.templates import write_new

MODULE = """
from sklearn.cluster import Birch

class Theirs(Birch):
    pass
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A maker of installed distributions that offer methods."""

    def install(name, entry_points):
        (tmp_path / f"{name}.py").write_text(MODULE)
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{method} = {path}\n" for method, path in entry_points.items()]
        (folder / "entry_points.txt").write_text("[gmvae.methods]\n" + "".join(lines))
        importlib.invalidate_caches()
        methods.installed.cache_clear()

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    methods.installed.cache_clear()
    for name in ("made_up_one", "made_up_two"):
        sys.modules.pop(name, None)


def runs_of(name):
    entry = {"name": name, "K": [3]}
    return make_runs(parse_config({"datasets": ["digits"], "seeds": [0], "methods": [entry]}))


def test_installed_packages_offer_methods(package):
    package("made_up_one", {"theirs": "made_up_one:Theirs", "kmeans": "made_up_one:Theirs"})
    assert "theirs" in methods.available()
    [run] = runs_of("theirs")
    assert (run.class_path, run.path) == ("made_up_one.Theirs", "runs/digits/theirs/K3/seed0")
    [ours] = runs_of("kmeans")
    assert ours.class_path == "baselines.kmeans.PixelKMeans", "the project's names stay its own"
    with pytest.raises(ConfigError, match=r"unknown method 'thiers' \(did you mean 'theirs'\?\)"):
        runs_of("thiers")


def test_two_packages_with_the_same_name_and_one_that_is_broken(package):
    package("made_up_one", {"theirs": "made_up_one:Theirs"})
    package("made_up_two", {"theirs": "made_up_two:Theirs", "broken": "made_up_two:Nothing"})
    with pytest.raises(ConfigError, match=r"by several installed packages: made_up_one.Theirs, ma"):
        runs_of("theirs")
    with pytest.raises(ConfigError, match=r"'made_up_two.Nothing' cannot be imported"):
        runs_of("broken")


def test_new_files_work_as_they_are(tmp_path):
    project = copy_project(tmp_path / "project")
    for kind, name in (("method", "my_means"), ("dataset", "four_blobs")):
        made = bench(project, "new", kind, name)
        assert made.returncode == 0, made.stderr
        assert len(made.stdout.splitlines()) == 3
        again = bench(project, "new", kind, name)
        assert f"there is a {kind} '{name}' already" in again.stderr
    config = project / "mine.yaml"
    config.write_text(
        "{results: results/mine, datasets: [four_blobs], seeds: [0], methods: [{name: my_means, "
        "K: [4]}]}"
    )
    checked = bench(project, "check", "mine.yaml")
    assert "grid: 1 runs (my_means 1)" in checked.stdout, checked.stderr


def test_the_template_passes_the_contract_of_all_methods(blobs, tmp_path):
    from gmvae.bench.runs.metrics import accuracy_hungarian
    from gmvae.bench.upkeep.templates.dataset import load
    from gmvae.bench.upkeep.templates.method import NewMethod

    method = NewMethod(3, random_state=0).fit(blobs[0])
    assert accuracy_hungarian(method.predict(blobs[0]), blobs[1]) == 1
    method.save(tmp_path / "fitted")
    assert (NewMethod.load(tmp_path / "fitted").centres_ == method.centres_).all()
    data = load()
    found = NewMethod(4, random_state=0).fit(data.train.images).predict(data.test.images)
    assert accuracy_hungarian(found, data.test.labels) > 0.9


def test_names_that_cannot_be_used(tmp_path):
    (tmp_path / "Snakefile").touch()
    for kind, name, problem in (
        ("method", "My-Means", r"beginning with a letter \(did you mean 'my_means'\?\)"),
        ("method", "kmeans", "there is a method 'kmeans' already"),
        ("method", "class", "a word with another meaning"),
        ("method", "shared", "a word with another meaning"),
        ("dataset", "readers", "a word with another meaning"),
        ("dataset", "digits", "there is a dataset 'digits' already"),
        ("method", "../up", r"did you mean 'up'"),
    ):
        with pytest.raises(ConfigError, match=problem):
            write_new(kind, name, tmp_path)
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines/mine.py").write_text("mine")
    with pytest.raises(ConfigError, match="exists and is not overwritten"):
        write_new("method", "mine", tmp_path)
    with pytest.raises(ConfigError, match="is not a checkout of the project"):
        write_new("method", "mine", tmp_path / "baselines")
    assert set(methods.available()) >= METHODS
