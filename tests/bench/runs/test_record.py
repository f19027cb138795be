"""run.json and metrics.json: valid files, and the messages about files that are not."""

import copy
import dataclasses
import json

import pytest
from made_up import METRICS, RECORD

from gmvae.bench.disk.errors import DataError
from gmvae.bench.runs.record import FORMAT, STATUSES, Record, Scores

NAMES = {Record: "run.json", Scores: "metrics.json"}


def write(cls, folder, value):
    (folder / NAMES[cls]).write_text(json.dumps(value))
    return folder


def without(value, key):
    return {name: content for name, content in value.items() if name != key}


def refusal(cls, folder):
    with pytest.raises(DataError) as caught:
        cls.read(folder)
    message = str(caught.value)
    assert str(folder / NAMES[cls]) in message
    assert "run the command" in message or "run the same command again" in message
    assert len(message) < 800
    return message


@pytest.mark.parametrize("status", STATUSES)
def test_valid_files(tmp_path, status):
    record = {**RECORD, "status": status, "reason": "why"}
    read = Record.read(write(Record, tmp_path, {**record, "more": [1]}))
    assert read.as_dict() == record
    assert (read.run.K, read.run.M, read.precision) == (10, 1, "float32")
    metrics = {**METRICS, "status": status, "final": None}
    assert vars(Scores.read(write(Scores, tmp_path, metrics))) == metrics


def test_written_files_are_read_as_they_were(tmp_path):
    record = Record.read(write(Record, tmp_path, RECORD))
    scores = Scores.read(write(Scores, tmp_path, METRICS))
    other = tmp_path / "other"
    record.write(other)
    scores.write(other)
    assert json.loads((other / "run.json").read_text()) == RECORD
    assert (Record.read(other), Scores.read(other)) == (record, scores)
    text = (other / "run.json").read_text()
    assert text.count('"K"') == text.count('"M"') == text.count('"parameters"') == 1
    assert "n_clusters" not in text


def test_an_invalid_record_is_not_written(tmp_path):
    record = Record.read(write(Record, tmp_path, RECORD))
    bad = dataclasses.replace(record, status="diverged", reason=None)
    with pytest.raises(DataError, match="reason: should be text; found None"):
        bad.write(tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize("cls", NAMES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (b'{"status": "finis', "is not valid JSON"),
        (b'{"elbo": NaN}', "is not valid JSON (NaN is not a number in JSON)"),
        (b'{"elbo": -Infinity}', "is not valid JSON (-Infinity is not a number in JSON)"),
        (b'{"elbo": 1e999}', "is not valid JSON (the number 1e999 is too large)"),
        (b"9" * 5000, "is not valid JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[1]", "is damaged or incomplete: the file: should be keys with values; found [1]"),
    ],
)
def test_files_that_are_no_record(tmp_path, cls, content, message):
    path = tmp_path / NAMES[cls]
    path.write_bytes(content)
    assert f"{path} {message}" in refusal(cls, tmp_path)


@pytest.mark.parametrize("cls", NAMES)
def test_files_that_are_not_there(tmp_path, cls):
    assert "does not exist; run the command" in refusal(cls, tmp_path)
    (tmp_path / NAMES[cls]).mkdir()
    assert "cannot be read" in refusal(cls, tmp_path)


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
        ({"sources_sha256": 1}, "sources_sha256: should be text; found 1"),
        ({"seeds_together": ["0"]}, "seeds_together[0]: should be a whole number; found '0'"),
        ({"format": 2}, "format: should be one of run-4; found 2"),
        ({"format": "run-1"}, "another version of this project (its format is 'run-1', this one"),
    ],
)
def test_records_that_are_damaged(tmp_path, changes, message):
    assert message in refusal(Record, write(Record, tmp_path, {**RECORD, **changes}))


@pytest.mark.parametrize("key", [key for key in RECORD if key != "format"])
def test_no_key_of_a_record_may_be_missing(tmp_path, key):
    message = refusal(Record, write(Record, tmp_path, without(RECORD, key)))
    assert f"damaged or incomplete: {key}: is missing; delete the file" in message


def test_record_of_an_older_version(tmp_path):
    path = write(Record, tmp_path, without(RECORD, "format")) / "run.json"
    assert refusal(Record, tmp_path) == (
        f"{path} was written by another version of this project (its format is not named, this "
        "one reads 'run-4'); delete the file and run the same command again"
    )
    assert "format: is missing" in refusal(Record, write(Record, tmp_path, {"a": 1}))


def test_three_problems_are_told_and_the_others_counted(tmp_path):
    message = refusal(Record, write(Record, tmp_path, {"format": FORMAT}))
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
        ({"run": 1}, "run: should be text; found 1"),
        ({"made_from": {"labels": 1}}, "made_from.labels: should be text; found 1"),
    ],
)
def test_metrics_that_are_damaged(tmp_path, changes, message):
    metrics = {**copy.deepcopy(METRICS), **changes}
    assert message in refusal(Scores, write(Scores, tmp_path, metrics))
