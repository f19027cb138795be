"""The workflow on a machine with GPUs, of which only the names are there."""

import datetime
import json
import re

from running import copy_project, output, snakemake, write_config

PLAN = ("-n", "--workflow-profile", "none")
NETWORK = {"network": "fast-fc", "init": "random", "epochs": 30}


def spans(folder, method):
    """Seconds between which each training of a method was at work."""
    for path in sorted((folder / "results/test/runs/digits" / method).rglob("progress.jsonl")):
        events = [json.loads(line) for line in path.read_text().splitlines()]
        times = [datetime.datetime.fromisoformat(event["time"]).timestamp() for event in events]
        yield times[0], times[-1]


def most_at_a_time(intervals):
    return max(sum(start <= at < end for start, end in intervals) for at, _ in intervals)


def test_trainings_share_gpus_and_the_others_fill_the_cores(tmp_path):
    """Two GPUs for one training each, and six cores."""
    folder = copy_project(tmp_path)
    methods = [
        {"name": "gmvae", "K": [10], "M": [1], "parameters": NETWORK},
        {"name": "kmeans", "K": [10]},
    ]
    # torch sees no GPU, so that "auto" trains on the CPU.
    write_config(folder, methods=methods, seeds=[0, 1, 2, 3], device="auto", runs_per_gpu=1)
    target = "results/test/logs/score.sha256"
    arguments = (target, "--cores", "6", "--configfile", "test.yaml")
    plan = output(snakemake(folder, *arguments, *PLAN, CUDA_VISIBLE_DEVICES="4,7"))
    assert re.search(r"^train_on_gpu +4$", plan, re.MULTILINE)
    assert re.search(r"^train +4$", plan, re.MULTILINE)
    result = snakemake(folder, *arguments, CUDA_VISIBLE_DEVICES="4,7")
    assert result.returncode == 0, output(result)
    assert most_at_a_time(list(spans(folder, "gmvae"))) == 2
    assert len(list(spans(folder, "kmeans"))) == 4
    logs = [path.read_text() for path in folder.rglob("train.log")]
    assert not any("shares" in log for log in logs), "none had to wait with a core in its hands"


def test_a_cpu_config_asks_for_no_gpu(tmp_path):
    folder = copy_project(tmp_path)
    methods = [{"name": "gmvae", "K": [10], "M": [1], "parameters": NETWORK}]
    write_config(folder, methods=methods)
    arguments = ("all", *PLAN, "--configfile", "test.yaml")
    plan = output(snakemake(folder, *arguments, CUDA_VISIBLE_DEVICES="0"))
    assert "train gmvae" in plan
    assert "gpu" not in plan
