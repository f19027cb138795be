"""``make bench``: our training step beside a textbook's and beside what the hardware allows.

The three are measured in turn, in one process on one core, so that a machine that slows down
slows all of them down; the median of several rounds counts. The textbook computes in float32, as
textbooks do, ours and the bound in the precision of the config. Peak memory is that of a separate
process that takes three of our steps. The overhead of a process and the cost of small runs follow.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import overhead
import small_runs
import torch
import yaml
from bound import products
from textbook import TextbookGMVAE, TextbookTraining

from gmvae.bench.runs import environment
from gmvae.model.architectures import architecture
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.objective import GMVAEObjective
from gmvae.training.step import TrainingSettings, TrainingStep

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
NETWORKS = ("fast-fc", "fast-conv")
SIZES = ((10, 1), (10, 10), (30, 10))
CASES = [
    *((network, *K_and_M) for network, K_and_M in itertools.product(NETWORKS, SIZES)),
    ("paper-conv", 10, 1),
]
TARGETS: dict[tuple[str, int, int], dict[str, float]] = {
    ("fast-fc", 10, 1): {"ours/textbook": 4, "ours/bound": 0.5},
    ("fast-fc", 30, 10): {"ours/textbook": 8},
    ("fast-conv", 10, 1): {"ours": 8600, "ours/bound": 0.5},
}
"""Smallest ratios and images per second that the project aims at."""
BOUND_IN_FLOAT32 = 0.8
MOST_SECONDS = 4
MOST_MB = 900
CONTESTANTS = ("ours", "textbook", "bound")


class Compiled:
    """Our objective after torch.compile, which needs a C++ compiler and half a minute per case."""

    def __init__(self, objective: GMVAEObjective):
        self.draw_noise = objective.draw_noise
        self._compiled = torch.compile(objective.__call__)

    def __call__(self, *arguments: Any) -> dict[str, torch.Tensor]:
        return self._compiled(*arguments)


def make_steps(
    case: tuple[str, int, int], settings: TrainingSettings, samples: torch.Tensor, compiled: bool
) -> dict[str, Callable[[], Any]]:
    """One function per contestant, which takes one step."""
    network, K, M = case
    model, objective, _ = our_step(case, settings, samples)
    order = torch.randperm(len(samples)).split(settings.batch_size)[:-1]

    def training(objective: Any) -> Callable[[], Any]:
        network = copy.deepcopy(model).train()
        step = TrainingStep(network, objective, samples, settings, torch.Generator())
        batches = itertools.cycle(order)
        return lambda: step(next(batches), 0.0)

    textbook = TextbookGMVAE(architecture(network), 784, K)
    textbook.copy_from(model)
    dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
    bound = products(model, settings.batch_size, M, dtype)

    def one_bound() -> None:
        for product in bound:
            product()

    return {
        "ours": training(objective),
        "textbook": TextbookTraining(textbook, M, samples, settings.batch_size),
        "bound": one_bound,
        **({"compiled": training(Compiled(objective))} if compiled else {}),
    }


def measure(steps: dict[str, Callable[[], Any]], rounds: int, seconds: float) -> dict[str, float]:
    """Seconds per step of each contestant, median over rounds."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    numbers: dict[str, int] = {}
    for name, step in steps.items():
        step()
        started = time.perf_counter()
        step()
        numbers[name] = max(1, round(seconds / (time.perf_counter() - started)))
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            for _ in range(numbers[name]):
                step()
            times[name].append((time.perf_counter() - started) / numbers[name])
    return {name: statistics.median(values) for name, values in times.items()}


def made_up_images(n: int) -> torch.Tensor:
    """Images (n, 784) with as much ink as MNIST; the time does not depend on their content."""
    generator = torch.Generator().manual_seed(0)
    return ((torch.rand((n, 784), generator=generator) < 0.2) * 255).to(torch.uint8)


def our_step(
    case: tuple[str, int, int], settings: TrainingSettings, samples: torch.Tensor
) -> tuple[GMVAEModel, GMVAEObjective, TrainingStep]:
    """The model of a case, its objective and its training step."""
    network, K, M = case
    torch.manual_seed(0)
    model = GMVAEModel(
        architecture(network),
        y_dim=784,
        n_clusters=K,
        observation="bernoulli",
    ).train()
    objective = GMVAEObjective("paper", M, z_prior_threshold=0.5, z_prior_warmup_epochs=0)
    return model, objective, TrainingStep(model, objective, samples, settings, torch.Generator())


def peak_of_three_steps(case: tuple[str, int, int], settings: TrainingSettings) -> float:
    """Peak memory of this process in MB, after three steps on as many images as MNIST has."""
    step = our_step(case, settings, torch.zeros((60_000, 784), dtype=torch.uint8))[2]
    for _ in range(3):
        step(torch.arange(settings.batch_size), 0.0)
    return round(environment.peak_memory_mb(), 1)


def peak_of_a_process(case: tuple[str, int, int], settings: TrainingSettings) -> float:
    """Peak memory in MB of a new process that takes these three steps."""
    options = ["--precision", settings.precision, "--peak-of", json.dumps(case)]
    result = subprocess.run(
        [sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(result.stdout)


def run_case(
    case: tuple[str, int, int], settings: TrainingSettings, samples: torch.Tensor,
    options: argparse.Namespace,
) -> dict[str, Any]:  # fmt: skip
    """Measure one case and compare it with its targets."""
    network, K, M = case
    steps = make_steps(case, settings, samples, options.compile)
    measured = measure(steps, options.rounds, options.seconds)
    rates = {name: round(settings.batch_size / spent) for name, spent in measured.items()}
    values = {
        **rates,
        "ours/textbook": round(rates["ours"] / rates["textbook"], 2),
        "ours/bound": round(rates["ours"] / rates["bound"], 2),
    }
    targets = dict(TARGETS.get(case, {}))
    if "ours/bound" in targets and network == "fast-fc" and settings.precision == "float32":
        targets["ours/bound"] = BOUND_IN_FLOAT32
    return {
        "network": network,
        "K": K,
        "M": M,
        "images_per_second": rates,
        "ours/textbook": values["ours/textbook"],
        "ours/bound": values["ours/bound"],
        "peak_mb": peak_of_a_process(case, settings),
        "targets": {
            name: {"least": least, "met": values[name] >= least} for name, least in targets.items()
        },
    }


def line(result: dict[str, Any]) -> str:
    """One row of the printed table."""
    rates = result["images_per_second"]
    verdicts = ", ".join(
        f"{name} >= {target['least']:g}: {verdict(target['met'])}"
        for name, target in result["targets"].items()
    )
    return (
        f"{result['network']:<11}{result['K']:>3}{result['M']:>4}"
        + "".join(f"{rates[name]:>10,}" for name in CONTESTANTS)
        + f"{result['ours/textbook']:>10.2f}{result['ours/bound']:>8.2f}"
        + f"{result['peak_mb']:>9.0f}"
        + (f"  compiled {rates['compiled']:,}" if "compiled" in rates else "")
        + f"  {verdicts}"
    )


def verdict(met: bool) -> str:
    """Words for a target that is met or not."""
    return "met" if met else "not met"


def options_and_settings() -> tuple[argparse.Namespace, TrainingSettings]:
    """Read the command line and the config."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    gmvae = next(method for method in config["methods"] if method["name"] == "gmvae")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("results/bench.json"))
    parser.add_argument("--precision", default=config["precision"], choices=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8, help="per contestant and round")
    parser.add_argument("--peak-of", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--compile", action="store_true", help="add ours with torch.compile")
    parser.add_argument(
        "--only",
        choices=sorted({case[0] for case in CASES}),
        help="measure this network alone; without it, all networks, the overhead and small runs",
    )
    options = parser.parse_args()
    batch_size = gmvae["parameters"].get("batch_size", 128)
    return options, TrainingSettings(1, batch_size, 1e-3, precision=options.precision)


def run_cases(options: argparse.Namespace, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Measure all cases and print their table."""
    samples = made_up_images(6_000)
    print(
        f"images/s on one core, batch {settings.batch_size}; textbook in float32, the others in "
        f"{settings.precision}; on {environment.machine()['processor']}"
    )
    print(
        f"{'network':<11}{'K':>3}{'M':>4}"
        + "".join(f"{name:>10}" for name in CONTESTANTS)
        + f"{'/textbook':>10}{'/bound':>8}{'peak MB':>9}"
    )
    results = []
    for case in CASES:
        if options.only in (None, case[0]):
            results.append(run_case(case, settings, samples, options))
            print(line(results[-1]), flush=True)
    return results


def run_processes(precision: str) -> dict[str, Any]:
    """Measure whole processes, print how they compare with their targets, and return both."""
    start = overhead.measure(precision)
    seconds, peak_mb = start["seconds_to_first_step"], start["peak_mb"]
    print(
        f"process start to first step {seconds:.1f} s (< {MOST_SECONDS}: "
        f"{verdict(seconds < MOST_SECONDS)}), peak memory of a fast-fc run on 60,000 images "
        f"{peak_mb:.0f} MB (< {MOST_MB}: {verdict(peak_mb < MOST_MB)})"
    )
    small = small_runs.measure()
    print(small_runs.report(small))
    return {
        "overhead": start,
        "overhead_targets": {"seconds_to_first_step": MOST_SECONDS, "peak_mb": MOST_MB},
        "small_runs": small,
        "small_runs_targets": small_runs.TARGETS,
    }


def main() -> None:
    """Print the tables and write the JSON file."""
    options, settings = options_and_settings()
    torch.set_num_threads(1)
    environment.keep_freed_memory()
    if options.peak_of is not None:
        print(peak_of_three_steps(tuple(options.peak_of), settings))
        return
    record = {
        "precision": settings.precision,
        "batch_size": settings.batch_size,
        "cases": run_cases(options, settings),
        **({} if options.only else run_processes(options.precision)),
        "program": environment.program(),
        "libraries": environment.libraries(),
        "machine": environment.machine(),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
