"""The runs of a grid, and the methods that they name."""

import copy
from pathlib import Path

import pytest
from running import METHODS

from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid import methods, sources
from gmvae.bench.grid.config import as_typed, load_config, parse_config
from gmvae.bench.grid.runs import Run, make_runs, summary

ROOT = Path(__file__).parents[3]


GOOD = {
    "datasets": ["digits"],
    "seeds": [0, 1],
    "methods": [{"name": "gmvae", "K": [10], "M": [1], "parameters": {"epochs": 1}}],
}


def changed(**changes):
    return {**copy.deepcopy(GOOD), **changes}


def method(**changes):
    return changed(methods=[{**GOOD["methods"][0], **changes}])


def refusal(raw):
    with pytest.raises(ConfigError) as caught:
        make_runs(parse_config(raw))
    return str(caught.value)


def test_the_papers_grid():
    config = load_config(ROOT / "config" / "config.yaml")
    runs = [run for run in make_runs(config) if (run.dataset, run.method) == ("mnist", "gmvae")]
    assert config.datasets[0].name == "mnist"
    assert {(run.K, run.M) for run in runs} == {(K, M) for K in (10, 16, 30) for M in (1, 10)}
    seeds = {(run.variant, run.M): set() for run in runs}
    for run in runs:
        seeds[run.variant, run.M].add(run.seed)
    ten, five = set(range(10)), set(range(5))
    assert seeds == {("fast-conv", 1): ten, ("fast-conv", 10): five, ("single", 1): five}
    assert {run.method for run in make_runs(config)} == METHODS
    assert config.threads == 1


def test_runs_have_their_paths_and_parameters():
    raw = method(K=[10, 30], M=[1, 10], parameters={"network": "paper-conv"})
    runs = make_runs(parse_config({**raw, "precision": "bfloat16"}))
    assert [run.path for run in runs[:3]] == [
        "runs/digits/gmvae/paper-conv-K10-M1/seed0",
        "runs/digits/gmvae/paper-conv-K10-M1/seed1",
        "runs/digits/gmvae/paper-conv-K10-M10/seed0",
    ]
    assert runs[2].parameters == {
        "precision": "bfloat16",
        "device": "cpu",
        "network": "paper-conv",
    }
    assert len({run.path for run in runs}) == len(runs) == 8
    assert Run.from_dict(runs[0].as_dict()) == runs[0]


def test_variants_tell_entries_of_one_method_apart():
    entries = [
        GOOD["methods"][0],
        {**GOOD["methods"][0], "variant": "exact", "parameters": {"objective": "exact"}},
    ]
    runs = make_runs(parse_config(changed(methods=entries)))
    assert [run.variant for run in runs] == ["fast-fc", "fast-fc", "exact", "exact"]


def test_foreign_clusterers_by_their_dotted_path():
    entries = [
        {
            "name": "birch",
            "class": "sklearn.cluster.Birch",
            "K": [3],
            "parameters": {"threshold": 1},
        },
        {"name": "bayes", "class": "sklearn.mixture.BayesianGaussianMixture", "K": [3]},
        {"name": "shift", "class": "sklearn.cluster.MeanShift"},
    ]
    runs = make_runs(parse_config(changed(methods=entries, seeds=[0])))
    assert [run.path for run in runs] == [
        "runs/digits/birch/K3/seed0",
        "runs/digits/bayes/K3/seed0",
        "runs/digits/shift/default/seed0",
    ]
    assert [run.parameters for run in runs] == [{"threshold": 1}, {}, {}]
    assert runs[1].arguments({"n_components", "tol"}) == {"n_components": 3}
    assert runs[0].arguments({"n_clusters", "threshold"}) == {"n_clusters": 3, "threshold": 1}


def test_a_new_file_in_baselines_is_a_new_method(tmp_path, monkeypatch):
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "mine.py").write_text(
        "class Mine:\n    def __init__(self, n_clusters=2, *, step=0.5):\n        pass\n"
    )
    (tmp_path / "baselines" / "_helper.py").write_text("")
    for module in (methods, sources):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    assert methods.available() == ["gmvae", "mine"]
    found = methods.find("mine")
    assert found.class_path == "baselines.mine.Mine"
    assert found.arguments == {"n_clusters": 2, "step": 0.5}
    (tmp_path / "baselines" / "heir.py").write_text(
        "from .mine import Mine\nclass Heir(Mine): pass\n"
    )
    assert methods.find("heir").arguments == {"n_clusters": 2, "step": 0.5}
    found = [path.as_posix() for path in sources.source_files("baselines.heir")]
    assert found == ["baselines/heir.py", "baselines/mine.py"]
    (tmp_path / "baselines" / "two.py").write_text("class A: pass\nclass B: pass\n")
    with pytest.raises(ConfigError, match=r"exactly one public class.*defines 2"):
        methods.find("two")
    # A class from elsewhere may go by the name of such a file.
    birch = methods.find("two", "sklearn.cluster.Birch")
    assert birch.class_path == "sklearn.cluster.Birch"
    assert methods.find("mine", "baselines.mine.Mine") == methods.find("mine")


def test_summary_counts_what_is_there():
    runs = make_runs(parse_config(changed()))
    assert summary(runs, 0) == "grid: 2 runs (gmvae 2); 0 there, 2 to do"
    assert summary(runs, 1).endswith("1 there, 1 to do")


def test_the_rivals_are_the_same_in_the_main_config_and_alone():
    main, alone = (load_config(ROOT / "config" / f"{name}.yaml") for name in ("config", "rivals"))
    assert [spec for spec in main.methods if spec in alone.methods] == list(alone.methods)
    assert main.precision == alone.precision
    assert {spec.datasets for spec in alone.methods} == {("mnist",)}


def test_an_entry_can_have_data_sets_and_seeds_of_its_own():
    arcs = {"name": "gmvae", "datasets": ["arcs"], "seeds": [7, 8], "K": [8], "M": [1]}
    config = parse_config({**GOOD, "methods": [{"name": "kmeans", "K": [3]}, arcs]})
    found = [(run.dataset, run.method, run.seed) for run in make_runs(config)]
    assert [run for run in found if run[1] == "kmeans"] == [("digits", "kmeans", n) for n in (0, 1)]
    assert [run for run in found if run[1] == "gmvae"] == [("arcs", "gmvae", n) for n in (7, 8)]
    assert [spec.name for spec in config.datasets] == ["digits", "arcs"]
    unknown = {**arcs, "datasets": ["arsc"]}
    assert "unknown data set 'arsc' (did you mean 'arcs'?)" in refusal(changed(methods=[unknown]))


def test_seeds_of_one_setting_have_the_same_parameters():
    first = {"name": "gmvae", "seeds": [0], "K": [3], "M": [1], "parameters": {"epochs": 2}}
    second = {**first, "seeds": [1], "parameters": {"epochs": 50}}
    text = refusal(changed(methods=[first, second]))
    assert "would be seeds of one setting, but have other parameters" in text
    assert make_runs(parse_config(changed(methods=[first, {**first, "seeds": [1]}])))
    assert make_runs(parse_config(changed(methods=[first, {**second, "variant": "long"}])))


def test_numbers_within_lists_of_the_command_line_are_numbers():
    given = {"methods": [{"name": "x1", "K": ["10"], "lr": ["1.0e-3"]}], "seeds": ["0", "1"]}
    typed = {"methods": [{"name": "x1", "K": [10], "lr": [0.001]}], "seeds": [0, 1]}
    assert as_typed(given) == typed
    assert as_typed(["true", "null", "yes", "1_0", "a: b"]) == [True, None, "yes", "1_0", "a: b"]
