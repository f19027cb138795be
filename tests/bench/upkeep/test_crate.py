"""Crates: their content, how damage is found, and what a validator of the profile says."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rocrate
from rocrate.rocrate import ROCrate

from gmvae.bench.__main__ import main
from gmvae.bench.disk import files
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.upkeep.archives.archive import archive
from gmvae.bench.upkeep.archives.crate import crate, opened
from gmvae.bench.upkeep.verify import verify

CRATE = Path("grid.zip")
CONTEXT = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
VALIDATE = Path(__file__).with_name("validate_crate.py")


@pytest.fixture
def made(whole):
    assert main(["crate", "results", "grid.zip", "--command", "make smoke"]) == 0
    return CRATE


def graph_of(path):
    with opened(path) as folder:
        values = json.loads((folder / "ro-crate-metadata.json").read_text())
    return {one["@id"]: one for one in values["@graph"]}


def rewritten(path, target, **changes):
    """A copy of a crate with some files changed by functions of their bytes."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = changes.get(name.partition(".")[0], bytes)(old.read(name))
            if content:
                new.writestr(name, content)
    return target


def test_a_crate_tells_each_run_with_its_parameters(made, capsys):
    graph = graph_of(made)
    actions = [one for one in graph.values() if one["@type"] == "CreateAction"]
    assert len(actions) == 5, "four runs and the workflow"
    record = json.loads(Path("results/runs/digits/gmvae/fast-fc-K3-M1/seed1/run.json").read_text())
    action = graph["#runs/digits/gmvae/fast-fc-K3-M1/seed1"]
    values = {graph[one["@id"]]["name"]: graph[one["@id"]].get("value") for one in action["object"]}
    assert values["seed"] == "1"
    assert values["K"] == "3"
    assert values["n_init"] == str(record["run"]["parameters"]["n_init"])
    assert (action["startTime"], action["endTime"]) == (record["started"], record["finished"])
    sums = [graph[one["@id"]]["value"] for one in graph["#data/digits"]["identifier"]]
    assert sorted(sums) == sorted(record["data_sha256"].values())
    assert graph["#execution"]["description"] == "make smoke"
    assert graph["./"]["license"]["@id"].endswith("MIT")
    with zipfile.ZipFile(made) as file:
        assert {"workflow/Snakefile", "LICENSE", "CITATION.cff"} <= set(file.namelist())
    assert ROCrate(made).mainEntity.id == "workflow/Snakefile", "another program can read it"


def test_a_crate_is_verified_and_the_same_each_time(made):
    assert verify(made) == "grid.zip: 4 runs and all tables recomputed, no differences"
    archive(Path("results"), Path("small"), command="make smoke")
    crate(Path("small"), Path("again.zip"), command="make smoke")
    with zipfile.ZipFile(made) as one, zipfile.ZipFile("again.zip") as other:
        assert one.namelist() == other.namelist()
        different = [name for name in one.namelist() if one.read(name) != other.read(name)]
    # The pictures of an archive are reduced again, and its text names its folder.
    assert all(name.endswith((".png", "README.md", "metadata.json")) for name in different)


def test_a_flipped_bit_is_found(made):
    content = bytearray(made.read_bytes())
    with zipfile.ZipFile(made) as file:
        content[file.getinfo("assignments.npz").header_offset + 300] ^= 1
    Path("flipped.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"flipped\.zip cannot be read .*assignments\.npz"):
        verify(Path("flipped.zip"))

    def flip(content):
        return content[:-200] + bytes([content[-200] ^ 1]) + content[-199:]

    with pytest.raises(DataError, match=r"assignments\.npz does not have the content that"):
        verify(rewritten(made, Path("again.zip"), assignments=flip))


def test_a_change_that_has_been_covered_up_is_found(made):
    """The checksums are those of the changed file, but the scores are not."""
    arrays = None
    with opened(made) as folder:
        arrays = files.read_arrays(folder / "assignments.npz")
    name = "runs/digits/kmeans/K4/seed1/clusters"
    arrays[name][0] = (arrays[name][0] + 1) % 4
    np.savez("changed.npz", **arrays)
    content = Path("changed.npz").read_bytes()

    def covered(metadata):
        values = json.loads(metadata)
        for one in values["@graph"]:
            if one["@id"] == "assignments.npz":
                one["sha256"] = files.sha256(Path("changed.npz"))
        return json.dumps(values).encode()

    changes = {"assignments": lambda _: content, "ro-crate-metadata": covered}
    path = rewritten(made, Path("covered.zip"), **changes)
    with pytest.raises(DataError, match=r"kmeans/K4/seed1: final\.accuracy_\w+ is "):
        verify(path)


def test_other_files_and_missing_ones_are_named(made):
    with pytest.raises(DataError, match=r"table1\.csv is missing, but described by"):
        verify(rewritten(made, Path("less.zip"), table1=lambda _: b""))
    with zipfile.ZipFile(made, "a") as file:
        file.writestr("more.txt", "more")
    with pytest.raises(DataError, match=r"more\.txt is not described by"):
        verify(made)
    Path("text.zip").write_text("no ZIP file")
    with pytest.raises(DataError, match="cannot be read as a ZIP file"):
        verify(Path("text.zip"))
    with pytest.raises(ConfigError, match=r"should end with \.zip"):
        crate(Path("results"), Path("grid.tar"))


def test_a_validator_of_the_profile_finds_nothing(made, tmp_path):
    python = tmp_path / "validator/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "validator"], check=True)
    install = ["-m", "pip", "install", "--quiet", "roc-validator==0.13.0"]
    result = subprocess.run([python, *install], capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("roc-validator cannot be installed here")
    with zipfile.ZipFile(made) as file:
        file.extractall("unpacked")
    command = [python, VALIDATE, "unpacked", CONTEXT]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""
    metadata = Path("unpacked/ro-crate-metadata.json")
    values = json.loads(metadata.read_text())
    del next(one for one in values["@graph"] if one["@type"] == "ControlAction")["instrument"]
    metadata.write_text(json.dumps(values))
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ControlAction" in result.stdout, "the validator does look"
