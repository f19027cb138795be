"""The benchmark measures what it claims to measure."""

import argparse

import bench
import pytest
import small_runs
import torch
from bound import products
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gmvae.training.step import TrainingSettings

SETTINGS = TrainingSettings(epochs=1, batch_size=8, learning_rate=1e-3)


@pytest.mark.parametrize("case", [("fast-fc", 4, 1), ("fast-conv", 4, 3), ("paper-conv", 4, 1)])
def test_the_bound_is_the_products_of_a_step_and_nothing_else(case):
    model, _, step = bench.our_step(case, SETTINGS, bench.made_up_images(16))
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    found = products(model, 8, case[2], torch.float32)
    assert len(found) == sum(isinstance(layer, kinds) for layer in model.modules())
    counted = []
    for work in (lambda: step(torch.arange(8), 0.0), lambda: [product() for product in found]):
        with FlopCounterMode(display=False) as counter:
            work()
        counted.append(counter.get_total_flops())
    assert counted[1] == pytest.approx(counted[0], rel=1e-9)


def test_a_case_is_compared_with_its_targets(monkeypatch):
    options = argparse.Namespace(rounds=1, seconds=0.01, compile=False)
    monkeypatch.setattr(bench, "peak_of_a_process", lambda case, settings: 1.0)
    monkeypatch.setitem(bench.TARGETS, ("fast-fc", 10, 1), {"ours": 1, "ours/bound": 1e9})
    result = bench.run_case(("fast-fc", 10, 1), SETTINGS, bench.made_up_images(40), options)
    assert set(result["images_per_second"]) == set(bench.CONTESTANTS)
    # In float32 the bound of fast-fc has its own target.
    assert result["targets"]["ours"] == {"least": 1, "met": True}
    assert result["targets"]["ours/bound"]["least"] == bench.BOUND_IN_FLOAT32
    assert "ours >= 1: met" in bench.line(result)


def test_small_runs_are_compared_with_their_imports(monkeypatch):
    rounds = iter([9.0, 3.0, 5.0])

    def one_round(folder):
        kmeans = next(rounds)
        programs = {"kmeans": kmeans, "import sklearn.cluster": 4.0}
        return {**programs, "network": 3.0, "import torch": 2.0}

    monkeypatch.setattr(small_runs, "_spent", lambda arguments, folder: 0.0)
    monkeypatch.setattr(small_runs, "_one_round", one_round)
    measured = small_runs.measure(rounds=3)
    assert (measured["kmeans/import"], measured["network/import"]) == (1.25, 1.5)
    kmeans, network = small_runs.report(measured).splitlines()
    assert "k-means: 5.00 s, 1.25 times" in kmeans
    assert kmeans.endswith("(<= 1.5: met)")
    assert network.endswith("(<= 1.3: not met)")
