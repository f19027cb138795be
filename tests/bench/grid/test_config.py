"""Configurations: what passes, what is refused in which words, and the grid that comes of it."""

import copy
import dataclasses
import datetime
import json
import re
from pathlib import Path

import pytest
import yaml

from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid.config import config_from_dict, load_config, parse_config
from gmvae.bench.grid.runs import Run, make_runs, methods, summary

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


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configs_are_valid(path):
    assert make_runs(load_config(path))


def test_the_papers_grid():
    config = load_config(ROOT / "config" / "config.yaml")
    runs = [run for run in make_runs(config) if (run.dataset, run.method) == ("mnist", "gmvae")]
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
            "methods[0] (gmvae).parameters: unknown network 'fast-fd'; choose one of: dec-fc,",
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
        (method(name="gmvae\n"), "methods[0].name: should be a name of"),
        (5, "configuration: should be keys with values; found 5"),
        (changed(seeds=[]), "seeds: is empty; give at least one value"),
        (changed(datasets=[]), "datasets: is empty; give at least one value"),
        (changed(methods=[]), "methods: is empty; give at least one value"),
        (changed(results=""), "results: is empty; give at least one value"),
        (changed(results=3), "results: should be text; found 3"),
        (changed(datasets="digits"), "datasets: should be a list in square brackets; found 'digi"),
        (changed(datasets=[None]), "datasets[0]: should be text or keys with values; found None"),
        (changed(methods=["gmvae"]), "methods[0]: should be keys with values; found 'gmvae'"),
        (changed(seeds_together="yes"), "seeds_together: should be true or false; found 'yes'"),
        (changed(threads=None), "threads: should be a whole number; found None"),
        (method(parameters=[1]), "methods[0].parameters: should be keys with values; found [1]"),
        (changed(threads=float("nan")), "threads: should be finite; found nan"),
        (
            changed(seeds=[datetime.date(2020, 1, 1)]),
            "seeds[0]: should be text (in quotes), a number, true, false, a list or keys with "
            "values; found datetime.date(2020, 1, 1)",
        ),
        (
            method(parameters={"a": [{"b": {1, 2}}]}),
            "methods[0].parameters.a[0].b: should be text (in quotes), a number",
        ),
        (
            method(parameters={"a": [0.5, -float("inf")]}),
            "methods[0].parameters.a[1]: should be finite; found -inf",
        ),
        (method(parameters={"a": 2**64}), "parameters.a: should have less than 64 bits; found 184"),
        (method(parameters={"a": 10**9999}), "less than 64 bits; found <a number of 33216 bits>"),
        (method(parameters={"a": "\0"}), "parameters.a: should have no character NUL"),
        (method(parameters={"a": "\ud800"}), "no half of a surrogate pair; found '\\ud800'"),
        (
            method(parameters={"a": {1: 2}}),
            "methods[0].parameters.a: the key 1 is not text; put it in quotes",
        ),
        (changed(results=5 * ["a" * 99]), "results: should be text; found ['aaaa"),
        ({**GOOD, 1: 2, None: 3}, "configuration: the key 1 is not text; put it in quotes"),
        ({**GOOD, "x" * 999: 2}, "xxx': unknown key; valid here"),
        (changed(datasets=[{"name": "a", "npz": "x/" * 300}]), "does not exist; give the path of"),
        (changed(datasets=[{"name": "a", "npz": "x" * 300}]), "does not exist; give the path of"),
        (
            changed(seeds=list(range(20000)), methods=[{"name": "kmeans", "K": [*range(1, 20)]}]),
            "the configuration has 380,000 runs (datasets x seeds x K x M), but at most 100,000",
        ),
    ],
)
def test_refusals_name_the_culprit_and_the_remedy(raw, expected):
    message = refusal(raw)
    assert expected in message
    assert len(message.splitlines()) <= 4
    assert len(message) < 1000


def test_all_problems_are_told_at_once():
    message = refusal(changed(seedz=1, methods=[{"name": "gmvae", "K": [0]}], seeds=[]))
    assert all(place in message for place in ("seedz", "methods[0].K[0]", "seeds: is empty"))


def test_one_name_for_two_files():
    files = [{"name": "a", "npz": __file__}, {"name": "a", "npz": str(ROOT / "README.md")}]
    assert "data set 'a' is given twice; remove one of them" in refusal(changed(datasets=files))


def laughs():
    """Nine lists of ten times the list before: a few lines of YAML, a billion values."""
    value = "lol"
    for _ in range(9):
        value = [value] * 10
    return value


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def cycle():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "make",
    [
        laughs,
        cycle,
        lambda: nested(21),
        lambda: nested(900),
        lambda: ["a"] * 100_001,
        lambda: ["a" * 9999] * 101,
    ],
    ids=["laughs", "cycle", "deep", "deeper", "long", "text"],
)
@pytest.mark.parametrize("key", ["seeds", "results"])
def test_configs_that_no_memory_holds(key, make):
    message = refusal({**GOOD, key: make()})
    assert "the configuration is too large: at most 100,000 values, 20 deep" in message


def test_many_problems_are_cut_and_many_seeds_compared_in_no_time():
    message = refusal(changed(seeds=[*range(20_000), *map(str, range(20_000))]))
    assert message.endswith("... and 19,980 problems more")
    assert len(message.splitlines()) == 22


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"results: \xff", "cannot be read as YAML: 'utf-8' codec can't decode byte 0xff"),
        (b"results: a\0b", r"cannot be read as YAML.*special characters are not allowed"),
        (b"seeds: " + b"[" * 5000, "cannot be read as YAML: it is nested too deeply"),
        (b"results: !!python/object:os.system x", r"tag.*python/object.*remove tags that begin"),
        (b"results: !mine x", r"only text, numbers.*remove tags that begin with '!'"),
        (b"seeds: [2020-99-99]", r"cannot be read as YAML: month must be in 1..12"),
        (b"seeds: [" + b"9" * 5000 + b"]", "cannot be read as YAML: Exceeds the limit"),
        (b"seeds: [!!int a]", "cannot be read as YAML: invalid literal for int"),
        (b"seeds: [!!bool a]", "cannot be read as YAML"),
        (b"seeds: [!!timestamp a]", "cannot be read as YAML"),
        (b"seeds: [2020-01-01]", r"seeds\[0\]: should be text .in quotes.*datetime.date"),
        (b"seeds: !!set {1, 2}", r"seeds: should be text .in quotes"),
        (b"seeds: [.nan]", r"seeds\[0\]: should be finite; found nan"),
        (b"1: x", "the key 1 is not text; put it in quotes"),
        (b"? [a]\n: x", "unhashable key"),
        (b"#" * (1 << 21), "is no config: it has more than 1,048,576 bytes"),
        (b"", "should hold keys with values"),
    ],
)
def test_files_that_are_no_config(tmp_path, content, message):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.compile(message, re.DOTALL)) as caught:
        load_config(path)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("merge", [False, True])
def test_billion_laughs(tmp_path, merge):
    """Also by merge keys, which PyYAML multiplies before anything can be counted."""
    lines = ["a0: &a0 {k: 1}" if merge else "a0: &a0 [lol]"]
    for n in range(1, 10):
        aliases = ", ".join([f"*a{n - 1}"] * 10)
        lines.append(f"a{n}: &a{n} " + (f"{{<<: [{aliases}]}}" if merge else f"[{aliases}]"))
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"too large: at most|more than 100,000 keys are merged"):
        load_config(path)


def test_merge_keys_of_yaml_work(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "methods:\n- &first {name: kmeans, K: [2]}\n- {<<: *first, K: [3]}\ndatasets: [digits]\n"
    )
    assert [spec.K for spec in load_config(path).methods] == [(2,), (3,)]


def test_keys_that_a_file_does_not_have_are_those_of_the_papers_config(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("datasets: [digits]")
    assert load_config(path).seeds == (0, 1, 2, 3, 4)
    assert load_config(path).datasets[0].name == "digits"


def test_unreadable_files(tmp_path):
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match="does not exist; give the path of a config"):
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


def test_a_config_of_a_version_before_entries_had_data_sets_is_read():
    values = dataclasses.asdict(parse_config(GOOD))
    for entry in values["methods"]:
        del entry["datasets"], entry["seeds"]
    assert config_from_dict(json.loads(json.dumps(values))) == parse_config(GOOD)
