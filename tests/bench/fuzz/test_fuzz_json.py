"""Damaged and random configs and records: a valid result or a declared error."""

from __future__ import annotations

import copy
import datetime
import json

import pytest
import yaml
from fuzzing import changed, changes, fuzz, tried, unchanged_too
from hypothesis import given
from hypothesis import strategies as st
from made_up import METRICS, RECORD

from gmvae.bench.grid.config import Config, load_config, parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.runs.record import STATUSES, Record, Scores

KEYS = [
    *("datasets", "seeds", "methods", "results", "mark", "precision", "device", "threads"),
    *("name", "npz", "class", "variant", "K", "M", "parameters", "epochs", "learning_rate"),
]


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 10, -1, 2**32, 2**64, 10**400, 0.5, float("nan"), float("inf")]),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from(["gmvae", "kmeans", "digits", "arcs", "float32", "cpu", "\0", "\ud800", "a\n"]),
    st.sampled_from([b"x", datetime.date(2020, 1, 1), (1, 2), frozenset([1]), 1j, object]),
)


ODD_KEYS = st.one_of(st.sampled_from(KEYS), st.text(max_size=5), st.sampled_from([1, None, True]))


structures = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(ODD_KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


GOOD_CONFIG = {
    "results": "results/x",
    "mark": None,
    "datasets": ["digits", {"name": "mine", "npz": __file__}],
    "seeds": [0, 1],
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "methods": [
        {"name": "gmvae", "K": [10], "M": [1, 10], "parameters": {"epochs": 1}, "variant": "a"},
        {"name": "kmeans", "K": [2, 3]},
        {"name": "b", "class": "sklearn.cluster.Birch", "K": [2], "parameters": {"threshold": 1.5}},
    ],
}


def places(value):
    """Every container of a nested value with one of its keys."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        found.append((value, key))
        if isinstance(child, dict | list):
            found += places(child)
    return found


steps_of_values = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "delete", "add", "copy"]), st.integers(0, 999), structures
    ),
    max_size=3,
)


def rebuilt(value, steps):
    """A copy of a nested value with some of its parts replaced, removed, added or doubled."""
    value = copy.deepcopy(value)
    for kind, number, new in steps:
        found = places(value)
        if not found:
            break
        container, key = found[number % len(found)]
        if kind == "set":
            container[key] = new
        elif kind == "delete":
            del container[key]
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]) if kind == "copy" else new)
        else:
            container[KEYS[number % len(KEYS)]] = container[key] if kind == "copy" else new
    return value


def runs_of(raw):
    return make_runs(parse_config(raw))


@given(raw=st.one_of(structures, st.dictionaries(ODD_KEYS, structures)))
@fuzz
def test_config_of_random_structures(raw):
    tried("config random", runs_of, raw)


@given(steps=steps_of_values)
@fuzz
def test_config_mutated(steps):
    runs = tried("config mutated", runs_of, rebuilt(GOOD_CONFIG, steps))
    if runs is not None:
        assert json.dumps([run.as_dict() for run in runs], allow_nan=False).isascii()
    if not steps:
        assert len(runs) == 20


PIECES = [
    *("&a ", "*a", "<<: *a", "!!int ", "!!python/object:os.system ", "!!binary ", "!!set {a}"),
    *("[", "]", "{", "}", ": ", "- ", "? ", "|", ">", "\n", "\t", "#", "'", '"', "%", "@", "\0"),
    *(".nan", ".inf", "-.inf", "2020-01-01", "2020-99-01", "1:99:99", "0x", "~", "yes", "=", "---"),
    *("!!bool x", "!!float x", "!!timestamp x", "!!int ''", "9" * 5000, "[" * 3000, "\ufeff"),
]


@given(
    start=st.sampled_from([yaml.safe_dump(GOOD_CONFIG), ""]),
    pieces=st.lists(st.tuples(st.integers(0, 999), st.sampled_from(PIECES)), max_size=6),
    text=st.one_of(st.just(b""), st.text(max_size=60).map(str.encode), st.binary(max_size=60)),
    steps=changes,
)
@fuzz
def test_config_files(folder, start, pieces, text, steps):
    for place, piece in pieces:
        at = place % (len(start) + 1)
        start = start[:at] + piece + start[at:]
    path = folder / "config.yaml"
    path.write_bytes(changed(start.encode() + text, steps))
    config = tried("config file", load_config, path)
    assert config is None or isinstance(config, Config)


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from([*STATUSES, "run-2", "run-4", 1e308, 10**400]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from([*RECORD, *METRICS, *RECORD["run"]]), inner, max_size=6),
    ),
    max_leaves=12,
)


READERS = {
    "record": (Record.read, "run.json", RECORD, Record.as_dict),
    "metrics": (Scores.read, "metrics.json", METRICS, vars),
}


@pytest.mark.parametrize("kind", READERS)
@given(
    changed_values=st.lists(
        st.tuples(st.sampled_from(["set", "delete", "copy"]), st.integers(0, 999), json_values),
        max_size=2,
    ),
    steps=unchanged_too,
)
@fuzz
def test_record_mutated(folder, kind, changed_values, steps):
    read, name, good, as_dict = READERS[kind]
    path = folder / name
    text = json.dumps(rebuilt(good, changed_values))
    path.write_bytes(changed(text.encode(), steps))
    found = tried(f"{kind} mutated", read, folder)
    if found is not None:
        assert found.status in STATUSES
        json.dumps(as_dict(found), allow_nan=False)
    if not changed_values and not steps:
        assert as_dict(found) == good


@pytest.mark.parametrize("kind", READERS)
@given(
    content=st.one_of(
        st.binary(max_size=100),
        json_values.map(lambda value: json.dumps(value).encode()),
        st.integers(1, 5000).map(lambda depth: b'{"run":' * depth),
    )
)
@fuzz
def test_record_random(folder, kind, content):
    read, name, *_ = READERS[kind]
    (folder / name).write_bytes(content)
    tried(f"{kind} random", read, folder)
