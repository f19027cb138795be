"""The training loop without any of the models."""

import numpy as np
import pytest
import torch
from torch import nn

from gmvae.clusterer import evaluation
from gmvae.training import devices
from gmvae.training import loop as training
from gmvae.training import step as steps
from gmvae.training.schedule import enough_epochs


def settings(**changes):
    values = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01}
    return steps.TrainingSettings(**{**values, **changes})


class Mean(nn.Module):
    """Learns the mean of the samples."""

    def __init__(self, dim):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(dim))
        self.batches = []

    def draw_noise(self, network, n_rows, generator):
        return None

    def __call__(self, network, y, noise, progress):
        self.batches.append((progress, y.clone()))
        return {"loss": (y - self.mean).square().sum(1).mean()}


def train(model, samples, settings):
    generator = torch.Generator().manual_seed(0)
    step = steps.TrainingStep(model, model, samples, settings, generator)
    run = training.Training(step, settings)
    run.run(settings.epochs)
    return run.history


def test_training_does_not_import_what_it_does_not_use():
    """Importing torch's compiler and sympy would cost each process nearly three seconds."""
    import subprocess
    import sys

    program = (
        "import sys, numpy; from gmvae import GMVAE;"
        "GMVAE(2, network='paper-fc', epochs=1).fit(numpy.random.rand(20, 3));"
        "assert not {'torch._dynamo', 'sympy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_epoch_sees_each_sample_at_most_once_in_a_new_order():
    samples = torch.arange(10.0)[:, None]
    model = Mean(1)
    train(model, samples, settings())
    assert len(model.batches) == 3 * 2
    epochs = [torch.cat([y for p, y in model.batches if int(p) == e]).flatten() for e in range(3)]
    for seen in epochs:
        assert len(seen.unique()) == 8
    assert not torch.equal(epochs[0], epochs[1])


def test_bytes_are_scaled_on_the_way():
    model = Mean(1)
    train(model, torch.full((8, 1), 51, dtype=torch.uint8), settings())
    torch.testing.assert_close(model.batches[0][1], torch.full((4, 1), 0.2))


def test_history_averages_over_batches():
    model = Mean(2)
    samples = torch.ones(8, 2)
    history = train(model, samples, settings(learning_rate=1e-12))
    assert history["epoch"] == [1, 2, 3]
    assert history["loss"] == pytest.approx([2.0, 2.0, 2.0])
    assert history["seconds"] == sorted(history["seconds"])


def test_cosine_schedule_goes_from_the_learning_rate_to_zero():
    cosine = settings(schedule="cosine", epochs=4)
    rates = [cosine.learning_rate_at(progress) for progress in (0, 1, 2, 3, 4)]
    expected = 0.005 * (1 + np.cos(np.pi * np.arange(5) / 4))
    np.testing.assert_allclose(rates, expected, atol=1e-12)
    assert settings().learning_rate_at(2.5) == 0.01


def test_divergence_names_epoch_and_value():
    class Diverging(Mean):
        def __call__(self, network, y, noise, progress):
            value = super().__call__(network, y, noise, progress)
            return {"loss": value["loss"] * (float("nan") if progress >= 1 else 1.0)}

    with pytest.raises(training.DivergenceError, match=r"diverged in epoch 2: loss not finite"):
        train(Diverging(1), torch.ones(8, 1), settings())


def test_emulated_bfloat16_is_a_warning(monkeypatch):
    monkeypatch.setattr(training, "has_native_bfloat16", lambda device: False)
    model = Mean(1)
    with pytest.warns(UserWarning, match="slower than in precision='float32'"):
        train(model, torch.ones(8, 1), settings(precision="bfloat16"))


def test_evaluation_fills_up_and_cuts_off_the_last_batch(monkeypatch):
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", 4)
    sizes = []

    def function(y):
        sizes.append(len(y))
        return y * 2, y.sum(1)

    samples = torch.arange(20.0).reshape(10, 2)
    doubled, sums = evaluation.evaluate(function, samples, torch.device("cpu"))
    assert sizes == [4, 4, 4]
    np.testing.assert_array_equal(doubled, 2 * samples)
    np.testing.assert_array_equal(sums, samples.sum(1))


def test_seeded_restores_the_state():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with devices.seeded(9, torch.device("cpu")):
        torch.rand(100)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "epochs"),
    [(60_000, 128, 20), (178, 128, 200), (100, 128, 200), (569, 128, 50), (1280, 128, 20)],
)
def test_epochs_are_enough_for_few_samples(n_samples, batch_size, epochs):
    assert enough_epochs(20, n_samples, batch_size) == epochs
