"""Files and lists of checksums."""

import os
import shutil
import subprocess

import pytest

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import damaged, read_key, read_manifest, write_manifest
from gmvae.bench.disk.errors import StorageError


def test_no_space_left_wherever_it_happens(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    expected = r"run\.json cannot be written: No space left on device; free some space and run"
    with pytest.raises(StorageError, match=expected):
        files.write_json(tmp_path / "run.json", {})
    assert list(tmp_path.iterdir()) == [], "no half of it stays"


def test_lists_of_checksums_are_those_of_sha256sum(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    manifest = tmp_path / "logs" / "job.sha256"
    write_manifest(manifest, [tmp_path / "a", tmp_path / "b"])
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "job.sha256"]
        subprocess.run(command, cwd=manifest.parent, check=True, capture_output=True)
    assert damaged(manifest) == damaged(manifest, thorough=True) == []
    written = (tmp_path / "a").stat()
    (tmp_path / "a").write_text("x")
    assert [path.resolve() for path in damaged(manifest)] == [tmp_path / "a"]
    os.utime(tmp_path / "a", ns=(written.st_atime_ns, written.st_mtime_ns))
    assert damaged(manifest) == [], "what was not written to since is not read again"
    assert len(damaged(manifest, thorough=True)) == 1
    (tmp_path / "a").unlink()
    assert damaged(manifest, thorough=True) == [], "what is missing is no damage"
    assert read_manifest(tmp_path / "none") == {}
    assert read_key(manifest) is None


def test_the_key_of_a_list_is_a_comment_to_sha256sum(tmp_path):
    (tmp_path / "a").write_text("a")
    manifest = tmp_path / "job.sha256"
    write_manifest(manifest, [tmp_path / "a"], made_from="f" * 64)
    assert read_key(manifest) == "f" * 64
    assert list(read_manifest(manifest)) == [tmp_path / "a"]
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "job.sha256"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
