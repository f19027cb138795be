"""Configurations: the ones that come with the project, and the ones that cannot be used."""

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
from gmvae.bench.grid.runs import make_runs

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
        (
            method(K=10),
            "K: should be a list in square brackets or keys with values; found 10",
        ),
        (method(K=["ten"]), "methods[0].K[0]: should be a whole number; found 'ten'"),
        (changed(seeds=[1, 1]), "seeds: holds a value twice; found [1, 1]"),
        (changed(seeds=[True]), "seeds[0]: should be a whole number; found True"),
        (changed(precision="float16"), "precision: should be one of float32, bfloat16; found"),
        (changed(datasets=["mnits"]), "unknown data set 'mnits' (did you mean 'mnist'?)"),
        (changed(datasets=["digits", "digits"]), "datasets: holds a value twice"),
        (changed(datasets=[{"name": "mnist", "npz": "x"}]), "give your own another name"),
        (changed(datasets=[{"name": "a", "npz": "x.npz"}]), "a: x.npz does not exist; give the"),
        ({"seeds": [0], "datasets": ["digits"]}, "methods: is missing (what is run"),
        (method(name="gmvea"), "unknown method 'gmvea' (did you mean 'gmvae'?); choose from"),
        (method(**{"class": "sklearn.nothing.X"}), "class 'sklearn.nothing.X' cannot be imported"),
        (method(**{"class": "sklearn.decomposition.PCA"}), "has no predict; the benchmark fits"),
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
        (
            method(parameters={"a": 2**64}),
            "parameters.a: should have fewer than 64 bits; found 184",
        ),
        (method(parameters={"a": 10**9999}), "fewer than 64 bits; found <a number of 33216 bits>"),
        (method(parameters={"a": "\0"}), "parameters.a: should not contain NUL"),
        (method(parameters={"a": "\ud800"}), "half of a surrogate pair; found '\\ud800'"),
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


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, "a: give one of npz, csv, images, idx, openml; found none"),
        ({"npz": __file__, "csv": __file__}, "a: give one of npz, csv, images, idx, openml"),
        ({"csv": "no.csv"}, "a: no.csv does not exist; give the path of a .csv file"),
        ({"csv": __file__, "test": "no.csv"}, "a: no.csv does not exist"),
        ({"images": __file__}, "is not a folder; give the path of a folder"),
        ({"images": str(ROOT), "scale": "minmax"}, "a: 'scale' is for real values, not for"),
        ({"npz": __file__, "label": "x"}, "a: 'label' is for csv and openml only; remove it"),
        ({"idx": str(ROOT), "test": __file__}, "a: 'test' is for csv and images only; remove it"),
        (
            {"openml": "iris"},
            "a: OpenML may have several versions of 'iris'; give one by 'version'",
        ),
        ({"openml": 61, "version": 1}, "a: a number of OpenML stands for one version; remove"),
        ({"openml": 61, "test": __file__}, "a: 'test' is for csv and images only; remove it"),
        ({"openml": 0}, "datasets[0].openml: should be at least 1; found 0"),
        ({"csv": __file__, "transpose": True}, "a: 'transpose' is for idx only; remove it"),
        ({"csv": __file__, "scale": "log"}, "scale: should be one of none, standard, minmax"),
        ({"images": str(ROOT), "resize": [28]}, "resize: should be a list of 2 values; found [28]"),
    ],
)
def test_own_data_are_of_one_kind_with_options_of_that_kind(entry, expected):
    assert expected in refusal(changed(datasets=[{"name": "a", **entry}]))


def test_number_of_clusters_by_data_set():
    own = {"name": "mine", "csv": __file__}
    per_data = {"digits": [10, 12], "mine": [3]}
    raw = changed(datasets=["digits", own], methods=[{"name": "kmeans", "K": per_data}])
    runs = make_runs(parse_config(raw))
    assert {(run.dataset, run.K) for run in runs} == {("digits", 10), ("digits", 12), ("mine", 3)}
    per_data.pop("mine")
    assert "[0].K: has no list for the data set mine; it has: digits" in refusal(raw)
    raw["methods"][0] |= {"datasets": ["digits"], "K": {"digits": [10, 12], "digit": [3]}}
    message = "methods[0].K: digit is not a data set of this entry (did you mean 'digits'?)"
    assert message in refusal(raw)
    raw["methods"][0]["K"].pop("digit")
    assert len(make_runs(parse_config(raw))) == 4


def test_resolved_configs_are_read_again_and_those_of_earlier_versions():
    raw = changed(datasets=[{"name": "mine", "csv": __file__, "label": "x"}])
    config = parse_config(raw)
    again = json.loads(json.dumps(dataclasses.asdict(config)))
    assert config_from_dict(again) == config
    again["datasets"] = [{"name": "mine", "npz": "x.npz"}, {"name": "digits", "npz": None}]
    own, digits = config_from_dict(again).datasets
    assert (own.source, digits.source) == ({"npz": "x.npz"}, None)


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
    assert message.endswith("... and 19,980 more problems")
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
        (b"#" * (1 << 21), "is not a config: it has more than 1,048,576 bytes"),
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
    """With merge keys too, which PyYAML multiplies before anything can be counted."""
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


def test_readme_of_the_configs_names_every_key():
    text = (ROOT / "config" / "README.md").read_text()
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    keys = {*schema["properties"], *schema["properties"]["methods"]["items"]["properties"]}
    assert not [key for key in keys if f"`{key}`" not in text]


def test_a_config_of_a_version_before_entries_had_data_sets_is_read():
    values = dataclasses.asdict(parse_config(GOOD))
    for entry in values["methods"]:
        del entry["datasets"], entry["seeds"]
    assert config_from_dict(json.loads(json.dumps(values))) == parse_config(GOOD)
