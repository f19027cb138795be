"""What `make test-slurm` says where there is no Slurm."""

import os
import sys
from pathlib import Path

import cluster


def test_what_is_missing_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cluster, "SBIN", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["cluster.py", "true"])
    assert cluster.main() == cluster.CANNOT_BE_USED
    told = capsys.readouterr().err
    assert "slurmctld" in told
    assert "apt-get install slurm-wlm munge" in told
    (Path(tmp_path) / "munged").touch(mode=0o755)
    assert "munged" not in cluster.missing()
    assert os.environ["PATH"] == str(tmp_path)
