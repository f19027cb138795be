"""Data sets of OpenML, read from a cache like the one that scikit-learn makes; no network."""

import gzip
import hashlib
import json
import socket

import numpy as np
import pytest

from gmvae.bench import data as datasets
from gmvae.bench.disk.errors import DataError

KINDS = np.array(["disc", "square"])[np.arange(40) % 2]
VALUES = np.random.default_rng(0).standard_normal((40, 2)).round(3)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache for scikit-learn, and no network."""

    def refuse(*address):
        raise OSError("there is no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    return tmp_path / "openml" / "openml.org"


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))


def publish(cache, columns, targets, number=7):
    """Write a data set into the cache: columns as (name, type in ARFF, values)."""
    lines = ["@RELATION shapes"]
    lines += [f"@ATTRIBUTE {name} {kind}" for name, kind, _ in columns]
    lines += ["@DATA", *(",".join(map(str, row)) for row in zip(*[c[2] for c in columns]))]  # noqa: B905
    arff = "\n".join(lines).encode()
    put(cache / f"data/v1/download/{number}.gz", arff)
    types = {"NUMERIC": "numeric"}
    features = [
        {
            "index": str(index),
            "name": name,
            "data_type": types.get(kind, "nominal"),
            "number_of_missing_values": str(list(values).count("?")),
            "is_target": str(name in targets).lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
        }
        for index, (name, kind, values) in enumerate(columns)
    ]
    description = {
        "id": str(number),
        "name": "shapes",
        "version": "2",
        "status": "active",
        "format": "ARFF",
        "description": "made by a test",
        "default_target_attribute": ",".join(targets),
        "url": f"https://api.openml.org/data/v1/download/{number}",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    qualities = [{"name": "NumberOfInstances", "value": str(len(columns[0][2]))}]
    listed = {"data": {"dataset": [{"did": number, "name": "shapes", "version": 2}]}}
    answers = {
        f"{number}": {"data_set_description": description},
        f"features/{number}": {"data_features": {"feature": features}},
        f"qualities/{number}": {"data_qualities": {"quality": qualities}},
        "list/data_name/shapes/limit/2/data_version/2": listed,
    }
    for name, answer in answers.items():
        put(cache / f"api/v1/json/data/{name}.gz", json.dumps(answer).encode())


A, B = (("ab"[i], "NUMERIC", VALUES[:, i]) for i in range(2))
KIND = ("kind", "{disc,square}", KINDS)
TURN = ("turn", "{0,1,2}", np.arange(40) % 3)


@pytest.mark.parametrize("source", [{"openml": 7}, {"openml": "Shapes", "version": 2}])
def test_a_data_set_by_number_or_name_with_its_default_target(cache, source):
    publish(cache, [A, KIND, B], ["kind"])
    data = datasets.load("mine", source)
    assert data.train.images.shape == (32, 2)
    assert data.train.images.dtype == np.float32
    assert list(data.class_names) == ["disc", "square"]
    rows = {tuple(row): kind for row, kind in zip(VALUES.astype("f4"), KINDS, strict=True)}
    for split in (data.train, data.test):
        for sample, label in zip(split.images, split.labels, strict=True):
            assert rows[tuple(sample)] == data.class_names[label]


def test_another_column_as_label_and_scaling(cache):
    publish(cache, [A, B, TURN, KIND], ["kind"])
    data = datasets.load("mine", {"openml": 7, "label": "turn", "scale": "standard"})
    assert data.train.images.shape == (32, 2), "the default target tells no more of the classes"
    assert list(data.class_names) == ["0", "1", "2"]
    np.testing.assert_allclose(data.train.images.mean(axis=0), 0, atol=1e-6)


def test_numbers_as_classes_and_no_target(cache):
    publish(cache, [A, B, ("count", "NUMERIC", np.arange(40) % 2)], ["count"])
    assert list(datasets.load("mine", {"openml": 7}).class_names) == ["0", "1"]
    publish(cache, [A, B], [], number=8)
    assert datasets.load("mine", {"openml": 8}).train.labels is None


@pytest.mark.parametrize(
    ("columns", "targets", "label", "message"),
    [
        (
            [A, B, KIND],
            ["kind"],
            "knd",
            r"no column 'knd' \(did you mean 'kind'\?\); its columns are 'a', 'b', 'kind'",
        ),
        ([A, KIND, TURN], ["turn"], None, r"should hold numbers, but 'kind' do not .*for 'csv'"),
        ([A, KIND, TURN], ["kind", "turn"], None, "has 2 targets; name the one with the classes"),
        ([A, B], ["b"], None, "'b' holds real numbers, like .*name their column by 'label'"),
        ([(*A[:2], ["?", *range(39)]), KIND], ["kind"], None, "row 1, column 'a', is missing"),
        ([B, (*KIND[:2], ["?", *KINDS[1:]])], ["kind"], None, "class in row 1 is missing"),
    ],
)
def test_data_sets_that_cannot_be_used(cache, columns, targets, label, message):
    publish(cache, columns, targets)
    with pytest.raises(DataError, match=message):
        datasets.load("mine", {"openml": 7} | ({"label": label} if label else {}))


def test_without_network_and_cache(cache):
    with pytest.raises(DataError, match="OpenML data set 7 cannot be read") as caught:
        datasets.load("mine", {"openml": 7})
    message = str(caught.value)
    assert f"looked in the cache, {cache.parent}" in message
    assert len(message.splitlines()) == 3


def test_damage_in_the_cache_is_downloaded_again(cache):
    publish(cache, [A, B, KIND], ["kind"])
    put(cache / "data/v1/download/7.gz", b"@RELATION other")
    with pytest.raises(DataError, match=r"OpenML data set 7 cannot be read: .*there is no network"):
        datasets.load("mine", {"openml": 7})
