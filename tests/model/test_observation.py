"""p(y | x) in the units of the data."""

import numpy as np
import pytest
import torch

from gmvae import GMVAE
from gmvae.model.architectures import architecture
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.observation import (
    INITIAL_LOG_VAR,
    INITIAL_LOG_VAR_OF_X,
    MIN_LOG_VAR,
    ObservationModel,
)


def gaussian(samples):
    torch.manual_seed(0)
    model = ObservationModel(architecture("paper-fc"), 2, samples.shape[1], "gaussian").double()
    model.set_units(samples)
    return model


def test_density_changes_with_the_units_as_it_must():
    """In other units of y, log p(y) changes by the log of the factor and nothing else."""
    torch.manual_seed(1)
    samples, x = torch.randn(50, 3, dtype=torch.float64), torch.randn(50, 2, dtype=torch.float64)
    factor, shift = torch.tensor([1000.0, 1e-3, 7.0]), torch.tensor([5.0, -2.0, 300.0])
    scaled = samples * factor + shift
    expected = gaussian(samples)(x).log_prob(samples) - factor.double().log().sum()
    torch.testing.assert_close(gaussian(scaled)(x).log_prob(scaled), expected)


def test_standardised_samples_have_mean_0_and_variance_1():
    samples = 1e4 + 30 * torch.randn(1000, 3, dtype=torch.float64)
    inside = gaussian(samples).standardise(samples)
    torch.testing.assert_close(
        inside.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(inside.std(0, correction=0), torch.ones(3, dtype=torch.float64))


def test_a_constant_value_has_a_finite_density():
    samples = torch.randn(200, 3, dtype=torch.float64)
    samples[:, 1] = 1e5
    model = gaussian(samples)
    assert model.scale[1] == 1
    with torch.no_grad():
        model.decoder.dense[-1].bias[3:] = -1000.0  # the smallest variance possible
        density = model(torch.zeros(1, 2, dtype=torch.float64))
    torch.testing.assert_close(
        density.log_var - 2 * model.scale.log(),
        torch.full((1, 3), MIN_LOG_VAR, dtype=torch.float64),
    )


def test_clusters_do_not_depend_on_the_units(blobs):
    points, _ = blobs
    parameters = {"n_clusters": 3, "network": "paper-fc", "epochs": 2, "random_state": 0}
    small = GMVAE(**parameters).fit(points)
    large = GMVAE(**parameters).fit(1024 * points)
    np.testing.assert_array_equal(small.labels_, large.labels_)
    assert np.isclose(small.elbo_ - 4 * np.log(1024), large.elbo_, atol=1e-3)


def test_images_are_taken_as_they_are():
    model = ObservationModel(architecture("paper-fc"), 2, 4, "bernoulli")
    samples = torch.rand(9, 4)
    model.set_units(samples)
    assert torch.equal(model.standardise(samples), samples)
    assert not any(name in ("mean", "scale") for name, _ in model.named_parameters())


def test_bytes_are_the_same_gaussian_vectors_as_scaled_floats():
    pixels = np.random.default_rng(0).integers(0, 256, (100, 6), dtype=np.uint8)
    parameters = {"n_clusters": 2, "network": "paper-fc", "epochs": 2, "random_state": 0}
    parameters["observation"] = "gaussian"
    from_bytes = GMVAE(**parameters).fit(pixels)
    from_floats = GMVAE(**parameters).fit(pixels / np.float32(255))
    assert from_bytes.elbo_ == from_floats.elbo_
    np.testing.assert_array_equal(from_bytes.labels_, from_floats.labels_)


@pytest.mark.filterwarnings("ignore:Y holds whole numbers")
def test_bytes_at_prediction_are_not_pixels_if_training_had_numbers():
    numbers = np.random.default_rng(0).integers(0, 200, (100, 6))
    model = GMVAE(2, network="paper-fc", epochs=2, random_state=0).fit(numbers.astype(float))
    assert model.observation_ == "gaussian"
    expected = model.predict_proba(numbers.astype(float))
    np.testing.assert_array_equal(model.predict_proba(numbers.astype(np.uint8)), expected)


@pytest.mark.parametrize(("network", "y_dim"), [("paper-fc", 3), ("fast-conv", 64)])
def test_a_gaussian_starts_with_a_small_variance_in_the_units_of_the_data(network, y_dim):
    torch.manual_seed(0)
    samples = 5 + 2 * torch.randn(500, y_dim)
    model = ObservationModel(architecture(network), 2, y_dim, "gaussian").eval()
    model.set_units(samples)
    with torch.no_grad():
        p_y = model(torch.randn(1, 200, 2))
    ratio = p_y.log_var - 2 * torch.log(samples.std(0, correction=0))
    assert ratio.mean().item() == pytest.approx(INITIAL_LOG_VAR, abs=0.5)


@pytest.mark.parametrize(
    ("observation", "mean"), [("gaussian", INITIAL_LOG_VAR_OF_X), ("bernoulli", 0)]
)
def test_the_posterior_of_real_vectors_starts_narrow(observation, mean):
    torch.manual_seed(0)
    model = GMVAEModel(
        architecture("fast-fc"), y_dim=6, n_clusters=3, observation=observation
    ).eval()
    with torch.no_grad():
        posterior = model.q_xw_given_y(torch.rand(200, 6))
    assert posterior.q_x.log_var.mean().item() == pytest.approx(mean, abs=0.2)
    assert posterior.q_w.log_var.mean().item() == pytest.approx(0, abs=0.2)
