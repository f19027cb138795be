"""Configurations: what passes, what is refused in which words, and the grid that comes of it."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from gmvae.bench import methods
from gmvae.bench.config import load_config, parse_config
from gmvae.bench.errors import ConfigError
from gmvae.bench.grid import Run, make_runs, summary

ROOT = Path(__file__).parents[1]
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


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configs_are_valid(path):
    assert make_runs(load_config(path))


def test_the_papers_grid():
    config = load_config(ROOT / "config" / "config.yaml")
    runs = [run for run in make_runs(config) if run.method == "gmvae"]
    assert config.datasets[0].name == "mnist"
    assert {(run.K, run.M) for run in runs} == {(K, M) for K in (10, 16, 30) for M in (1, 10)}
    assert {run.seed for run in runs} == set(range(5))
    assert {run.method for run in make_runs(config)} == set(methods.available())
    assert config.threads == 1


def test_small_configs_keep_to_their_folders():
    for name in ("quickstart", "smoke"):
        assert load_config(ROOT / "config" / f"{name}.yaml").results == f"results/{name}"
    assert load_config(ROOT / "config" / "smoke.yaml").mark == "smoke, not comparable"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (changed(seedz=[1]), "seedz: unknown key (did you mean 'seeds'?); valid here: results,"),
        (method(paramters={}), "methods[0].paramters: unknown key (did you mean 'parameters'?)"),
        (
            changed(datasets=[{"name": "a", "npz": "b", "nzp": 1}]),
            "datasets[0].nzp: unknown key (did you mean 'npz'?)",
        ),
        (
            method(parameters={"epoch": 1}),
            "methods[0] (gmvae).parameters.epoch: gmvae.estimator.GMVAE has no such argument "
            "(did you mean 'epochs'?)",
        ),
        (method(parameters={"n_clusters": 3}), "is set by the benchmark; use K, M and seeds"),
        (method(K=[0]), "methods[0].K[0]: should be at least 1; found 0"),
        (method(M=[0]), "methods[0].M[0]: should be at least 1; found 0"),
        (method(K=[10.0]), "methods[0].K[0]: should be a whole number; found 10.0"),
        (
            method(parameters={"network": "fast-fd"}),
            "methods[0] (gmvae).parameters: unknown network 'fast-fd'; choose one of: fast-conv",
        ),
        (
            method(parameters={"learning_rate": "1e-3"}),
            "learning_rate must be a finite number above 0, got '1e-3'; in YAML write it",
        ),
        (method(parameters={"epochs": 0}), "epochs must be an integer of at least 1, got 0"),
        (method(parameters={"w_dim": float("inf")}), "w_dim: should be finite; found inf"),
        (method(K=[]), "methods[0].K: is empty; give at least one value"),
        (method(K=10), "methods[0].K: should be a list in square brackets; found 10"),
        (method(K=["ten"]), "methods[0].K[0]: should be a whole number; found 'ten'"),
        (changed(seeds=[1, 1]), "seeds: holds a value twice; found [1, 1]"),
        (changed(seeds=[True]), "seeds[0]: should be a whole number; found True"),
        (changed(precision="float16"), "precision: should be one of float32, bfloat16; found"),
        (changed(datasets=["mnits"]), "unknown data set 'mnits' (did you mean 'mnist'?)"),
        (changed(datasets=["digits", "digits"]), "datasets: holds a value twice"),
        (changed(datasets=[{"name": "mnist", "npz": "x"}]), "give your .npz another name"),
        (changed(datasets=[{"name": "a", "npz": "x.npz"}]), "a: x.npz does not exist; give the"),
        ({"seeds": [0], "datasets": ["digits"]}, "methods: is missing (what is run"),
        (method(name="gmvea"), "unknown method 'gmvea' (did you mean 'gmvae'?); choose from"),
        (method(**{"class": "sklearn.nothing.X"}), "class 'sklearn.nothing.X' cannot be imported"),
        (method(**{"class": "sklearn.cluster.DBSCAN"}), "has no predict; the benchmark fits"),
        (changed(methods=[{"name": "kmeans"}]), "methods[0] (kmeans).K: is missing"),
        (changed(methods=[{"name": "gmvae", "K": [2]}]), "methods[0] (gmvae).M: is missing"),
        (
            changed(methods=[{"name": "kmeans", "K": [2], "M": [1]}]),
            "methods[0] (kmeans).M: baselines.kmeans.PixelKMeans does not take M",
        ),
        (changed(methods=2 * GOOD["methods"]), "two entries under methods give the same run"),
        (changed(methods=[{"name": "a/b", "K": [1]}]), "methods[0].name: should be a name of"),
    ],
)
def test_refusals_name_the_culprit_and_the_remedy(raw, expected):
    message = refusal(raw)
    assert expected in message
    assert len(message.splitlines()) <= 4


def test_all_problems_are_told_at_once():
    message = refusal(changed(seedz=1, methods=[{"name": "gmvae", "K": [0]}], seeds=[]))
    assert all(place in message for place in ("seedz", "methods[0].K[0]", "seeds: is empty"))


def test_keys_that_a_file_does_not_have_are_those_of_the_papers_config(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("datasets: [digits]")
    assert load_config(path).seeds == (0, 1, 2, 3, 4)
    assert load_config(path).datasets[0].name == "digits"


def test_unreadable_files(tmp_path):
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        load_config(path)
    path.write_text("a: [1")
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        load_config(path)
    path.write_text("- 1")
    with pytest.raises(ConfigError, match="should hold keys with values"):
        load_config(path)


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
        "n_samples_mc": 10,
        "n_clusters": 10,
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
    assert runs[1].parameters == {"n_components": 3}


def test_a_new_file_in_baselines_is_a_new_method(tmp_path, monkeypatch):
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "mine.py").write_text(
        "class Mine:\n    def __init__(self, n_clusters=2, *, step=0.5):\n        pass\n"
    )
    (tmp_path / "baselines" / "_helper.py").write_text("")
    monkeypatch.setattr(methods, "ROOT", tmp_path)
    assert methods.available() == ["gmvae", "mine"]
    found = methods.find("mine")
    assert found.class_path == "baselines.mine.Mine"
    assert found.arguments == {"n_clusters": 2, "step": 0.5}
    (tmp_path / "baselines" / "heir.py").write_text(
        "from .mine import Mine\nclass Heir(Mine): pass\n"
    )
    assert methods.find("heir").arguments == {"n_clusters": 2, "step": 0.5}
    assert methods.source_files("baselines.heir.Heir") == ["baselines/heir.py", "baselines/mine.py"]
    (tmp_path / "baselines" / "two.py").write_text("class A: pass\nclass B: pass\n")
    with pytest.raises(ConfigError, match=r"exactly one public class.*defines 2"):
        methods.find("two")


def test_summary_counts_what_is_there(tmp_path):
    runs = make_runs(parse_config(changed()))
    assert summary(runs, tmp_path) == "grid: 2 runs (gmvae 2); 0 there, 2 to do"
    folder = tmp_path / runs[0].path
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"run": runs[0].as_dict()}))
    assert summary(runs, tmp_path).endswith("1 there, 1 to do")
    other = {**runs[0].as_dict(), "parameters": {"epochs": 9}}
    (folder / "run.json").write_text(json.dumps({"run": other}))
    assert summary(runs, tmp_path).endswith("0 there, 2 to do"), "another result is none of ours"


def test_readme_of_the_configs_names_every_key():
    text = (ROOT / "config" / "README.md").read_text()
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    keys = {*schema["properties"], *schema["properties"]["methods"]["items"]["properties"]}
    assert not [key for key in keys if f"`{key}`" not in text]
