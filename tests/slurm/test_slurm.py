"""The smoke grid on a Slurm cluster of one node: the same bytes, whatever happens to its jobs.

``make test-slurm`` runs these tests, which take some minutes and need Slurm.
"""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time

import cluster as slurm
import pytest
from running import SMOKE, command, copy_project, products, write_config

pytestmark = pytest.mark.slurm

TABLE = "results/smoke/table1.csv"
PROFILE = (
    *("--workflow-profile", "profiles/slurm"),
    # There is no accounting database, and one node sees its files at once.
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
    *("--latency-wait", "5"),
)
RUN = "results/smoke/runs/digits/gmvae/fast-fc-K10-M1/seed0"
OTHER = "results/smoke/runs/digits/gmvae/fast-fc-K10-M1/seed1"


@pytest.fixture(scope="module")
def cluster():
    if missing := slurm.missing():
        pytest.fail(f"{', '.join(missing)} cannot be found; install {slurm.PACKAGES}")
    # Sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm.Cluster(folder) as one:
        yield one


@pytest.fixture
def start(cluster):
    """Starter of the workflow on the cluster, in a folder with the project."""
    with contextlib.ExitStack() as stack:

        def started(folder, *more, targets=(TABLE,), config=SMOKE, **variables):
            log = stack.enter_context(open(folder / "workflow.log", "w"))
            process = subprocess.Popen(
                command(*targets, *PROFILE, "--configfile", config, *more),
                cwd=folder,
                env=cluster.environment | {"PYTHONPATH": str(folder)} | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield started


def finish(process, folder):
    assert process.wait(timeout=400) == 0, (folder / "workflow.log").read_text()


def same(folder, project):
    found, expected = products(folder), products(project)
    assert len(expected) == 3 + 2 * 19
    assert list(found) == list(expected)
    return [name for name in expected if found[name] != expected[name]] == []


def without_a_run(project, folder):
    """A copy of the finished project that has to train one run again."""
    shutil.copytree(project, folder)
    shutil.rmtree(folder / RUN)
    return folder


def wait_for_checkpoints(process, folder, number):
    seen = set()
    deadline = time.monotonic() + 120
    while len(seen) < number:
        assert process.poll() is None, (folder / "workflow.log").read_text()
        assert time.monotonic() < deadline
        seen |= set((folder / RUN / "checkpoints").glob("*.safetensors"))
        time.sleep(0.01)


def submitted(folder):
    """Names of the rules whose jobs were sent to the cluster."""
    return {path.name for path in (folder / ".snakemake" / "slurm_logs").iterdir()}


def test_the_grid_gives_the_bytes_of_a_local_run(cluster, start, project, tmp_path):
    """Also: nothing but trainings is sent to the cluster."""
    folder = copy_project(tmp_path)
    more = ("--slurm-keep-successful-logs",)
    process = start(folder, *more, targets=(TABLE, "results/smoke/cost.svg"))
    requests = set()
    while process.poll() is None:
        requests |= set(cluster.run("squeue", "-h", "-o", "%C cores, %m, %l").splitlines())
        time.sleep(1)
    finish(process, folder)
    assert same(folder, project)
    assert submitted(folder) == {"rule_train"}
    assert requests == {"1 cores, 2000M, 1:00:00"}


def test_a_training_that_was_cancelled_goes_on(cluster, start, project, tmp_path):
    """Also: the one beside it is not disturbed."""
    folder = without_a_run(project, tmp_path / "cancelled")
    shutil.rmtree(folder / OTHER)
    process = start(folder, GMVAE_CHECKPOINT_SECONDS="0")
    wait_for_checkpoints(process, folder, 5)
    lines = cluster.run("squeue", "-h", "-o", "%i %k").splitlines()
    [job] = [line.split()[0] for line in lines if line.endswith("_gmvae_fast-fc-K10-M1_0")]
    cluster.run("scancel", job)
    finish(process, folder)
    records = [json.loads((folder / run / "run.json").read_text()) for run in (RUN, OTHER)]
    assert [record["resumed"] for record in records] == [1, 0]
    again = "trying again: train gmvae fast-fc-K10-M1 seed 0 on digits"
    assert again in (folder / "workflow.log").read_text()
    assert same(folder, project)


def test_a_training_whose_node_was_lost_goes_on(cluster, start, project, tmp_path):
    folder = without_a_run(project, tmp_path / "lost")
    process = start(folder, GMVAE_CHECKPOINT_SECONDS="0")
    wait_for_checkpoints(process, folder, 5)
    cluster.kill_node()
    cluster.start_node()
    cluster.hurry(process)
    finish(process, folder)
    assert json.loads((folder / RUN / "run.json").read_text())["resumed"] == 1
    assert same(folder, project)


def test_a_second_attempt_has_more_memory(start, project, tmp_path):
    """The first has too little for torch."""
    folder = without_a_run(project, tmp_path / "small")
    source = folder / "gmvae" / "bench" / "grid" / "resources.py"
    changed = source.read_text().replace("TRAINING_MB = 2000", "TRAINING_MB = 500")
    source.write_text(changed)
    # The log of a job that succeeded is deleted.
    process = start(folder, "--slurm-keep-successful-logs")
    finish(process, folder)
    logs = [path.read_text() for path in (folder / ".snakemake" / "slurm_logs").rglob("*.log")]
    assert sum("exceeded memory limit" in log for log in logs) == 1
    assert same(folder, project)


def test_a_cluster_that_keeps_no_account_is_refused(start, tmp_path):
    folder = copy_project(tmp_path)
    process = start(folder, "--slurm-status-command", "sacct")
    assert process.wait(timeout=100) != 0
    assert "add --slurm-status-command squeue" in (folder / "workflow.log").read_text()


def test_a_training_on_a_gpu_asks_for_one(cluster, start, tmp_path):
    """Also: it goes to a partition of its own. It fails there, since the GPU is not a real one."""
    folder = copy_project(tmp_path)
    methods = [{"name": "gmvae", "K": [10], "M": [1], "parameters": {"init": "random"}}]
    config = write_config(folder, methods=methods, device="cuda")
    target = "results/test/runs/digits/gmvae/fast-fc-K10-M1/seed0/train.sha256"
    more = ("--retries", "0", "--set-resources", "train_on_gpu:slurm_partition=gpu")
    process = start(folder, *more, targets=(target,), config=config)
    requests = set()
    while process.poll() is None:
        lines = cluster.run("squeue", "-ht", "PD,R", "-O", "partition:9,tres-per-job").splitlines()
        requests |= {tuple(line.replace("/", ":").split()) for line in lines}
        time.sleep(0.2)
    assert requests == {("gpu", "gres:gpu:1")}
    assert process.returncode != 0
    assert "no CUDA device is available here" in (folder / "workflow.log").read_text()
