"""The same answer whatever happens in between, on the smoke grid."""

import os
import signal
import subprocess
import time

import pytest
from running import SMOKE, command, copy_project, output, snakemake

pytestmark = pytest.mark.xdist_group("pipeline")


def products(folder):
    """Everything but times, logs and pictures, by name."""
    results = folder / "results" / "smoke"
    paths = [results / name for name in ("table1.csv", "runs.csv", "curves.csv")]
    paths += [path for name in ("test.npz", "epochs.npz") for path in results.rglob(name)]
    return {str(path.relative_to(results)): path.read_bytes() for path in sorted(paths)}


def kill_twice(folder):
    """Kill -9 the whole pipeline while it trains, each time after another number of checkpoints."""
    for number in (1, 2):
        process = subprocess.Popen(
            command("all", "--cores", "2", "--configfile", SMOKE),
            cwd=folder,
            env={**os.environ, "GMVAE_CHECKPOINT_SECONDS": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        seen = set()
        while len(seen) < 20 * number:
            assert process.poll() is None
            assert time.monotonic() < deadline
            seen |= set(folder.glob("results/smoke/runs/*/*/*/*/checkpoints/*.safetensors"))
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_one_core_two_cores_killed_and_resumed(project, tmp_path):
    one, killed = (copy_project(tmp_path / name) for name in ("one", "killed"))
    kill_twice(killed)
    others = {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    for folder, cores, variables in ((one, "1", others), (killed, "2", {"PYTHONHASHSEED": "2"})):
        result = snakemake(folder, "all", "--cores", cores, "--configfile", SMOKE, **variables)
        assert result.returncode == 0, output(result)
    resumed = [path for path in killed.rglob("run.json") if '"resumed": 0' not in path.read_text()]
    assert resumed, "no kill hit a training"
    assert not list(killed.rglob("checkpoints")), "checkpoints of complete runs are removed"
    expected = products(project)
    assert len(expected) == 3 + 2 * 18
    for folder in (one, killed):
        found = products(folder)
        assert list(found) == list(expected)
        assert [name for name in expected if found[name] != expected[name]] == []
