"""run.json and metrics.json: what passes, and what is said of one that does not."""

import copy
import json

import pytest
from made_up import METRICS, RECORD

from gmvae.bench.disk.errors import DataError
from gmvae.bench.runs.record import FORMAT, STATUSES, read_metrics, read_record


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def without(value, key):
    return {name: content for name, content in value.items() if name != key}


def refusal(read, path):
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message
    assert "run the command" in message or "run the same command again" in message
    assert len(message) < 800
    return message


@pytest.mark.parametrize("status", STATUSES)
def test_valid_files(tmp_path, status):
    record = {**RECORD, "status": status, "reason": "why", "more": [1]}
    assert read_record(write(tmp_path / "run.json", record)) == record
    metrics = {**METRICS, "status": status, "final": None}
    assert read_metrics(write(tmp_path / "metrics.json", metrics)) == metrics
    assert read_metrics(write(tmp_path / "b.json", without(METRICS, "labels_sha256")))


@pytest.mark.parametrize("read", [read_record, read_metrics])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (b'{"status": "finis', "is not valid JSON"),
        (b'{"elbo": NaN}', "is not valid JSON (NaN is no number of JSON)"),
        (b'{"elbo": -Infinity}', "is not valid JSON (-Infinity is no number of JSON)"),
        (b'{"elbo": 1e999}', "is not valid JSON (the number 1e999 is too large)"),
        (b"9" * 5000, "is not valid JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[1]", "is damaged or incomplete: the file: should be keys with values; found [1]"),
    ],
)
def test_files_that_are_no_record(tmp_path, read, content, message):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert f"{path} {message}" in refusal(read, path)


@pytest.mark.parametrize("read", [read_record, read_metrics])
def test_files_that_are_not_there(tmp_path, read):
    assert "does not exist; run the command" in refusal(read, tmp_path / "no.json")
    assert "cannot be read" in refusal(read, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "done"}, "status: should be one of finished, diverged, collapsed, timed_out;"),
        ({"status": "diverged"}, "reason: should be text; found None"),
        ({"reason": 1}, "reason: should be text or nothing (null); found 1"),
        ({"train_seconds": "1"}, "train_seconds: should be a number; found '1'"),
        ({"train_seconds": -1}, "train_seconds: should be at least 0; found -1"),
        ({"elbo": True}, "elbo: should be a number or nothing (null); found True"),
        ({"n_parameters": 1.0}, "n_parameters: should be a whole number or nothing (null); found"),
        ({"resumed": -1}, "resumed: should be at least 0; found -1"),
        ({"resumed": False}, "resumed: should be a whole number; found False"),
        ({"threads": 0}, "threads: should be at least 1; found 0"),
        ({"run": []}, "run: should be keys with values; found []"),
        ({"run": {**RECORD["run"], "seed": "0"}}, "run.seed: should be a whole number; found '0'"),
        ({"run": without(RECORD["run"], "method")}, "run.method: is missing"),
        ({"data_sha256": {"a": "0"}}, "data_sha256.a: should be a SHA-256 of 64 hexadecimal digi"),
        ({"data_sha256": {"a": "0" * 64 + "\n"}}, "data_sha256.a: should be a SHA-256 of 64 hexa"),
        ({"config": 1}, "config: should be keys with values or nothing (null); found 1"),
        ({"format": 2}, "format: should be one of run-2; found 2"),
        ({"format": "run-1"}, "another version of this project (its format is 'run-1', this one"),
    ],
)
def test_records_that_are_damaged(tmp_path, changes, message):
    assert message in refusal(read_record, write(tmp_path / "run.json", {**RECORD, **changes}))


@pytest.mark.parametrize("key", [key for key in RECORD if key != "format"])
def test_no_key_of_a_record_may_be_missing(tmp_path, key):
    path = write(tmp_path / "run.json", without(RECORD, key))
    assert f"damaged or incomplete: {key}: is missing; delete the file" in refusal(
        read_record, path
    )


def test_record_of_an_older_version(tmp_path):
    path = write(tmp_path / "run.json", without(RECORD, "format"))
    assert refusal(read_record, path) == (
        f"{path} was written by another version of this project (its format is not named, this "
        "one reads 'run-2'); delete the file and run the same command again"
    )
    path = write(tmp_path / "b.json", {"a": 1})
    assert "format: is missing" in refusal(read_record, path)


def test_three_problems_are_told_and_the_others_counted(tmp_path):
    message = refusal(read_record, write(tmp_path / "run.json", {"format": FORMAT}))
    assert message.count("is missing") == 3
    assert f"(and {len(RECORD) - 4} more)" in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": None}, "status: should be one of finished, diverged, collapsed, timed_out"),
        ({"final": 1}, "final: should be keys with values or nothing (null); found 1"),
        ({"final": {"nmi": "1"}}, "final.nmi: should be a number or nothing (null); found '1'"),
        ({"epochs": None}, "epochs: should be keys with values; found None"),
        ({"epochs": {"nmi": 1}}, "epochs.nmi: should be a list in square brackets; found 1"),
        ({"epochs": {"nmi": [[]]}}, "epochs.nmi[0]: should be a number or nothing (null)"),
        ({"labels_sha256": 1}, "labels_sha256: should be text or nothing (null); found 1"),
    ],
)
def test_metrics_that_are_damaged(tmp_path, changes, message):
    metrics = {**copy.deepcopy(METRICS), **changes}
    assert message in refusal(read_metrics, write(tmp_path / "metrics.json", metrics))
