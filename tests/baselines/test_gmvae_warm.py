"""The warm start of GMVAE: mixture, jitter and failures."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from baselines import gmvae_warm
from baselines.shared.jitter import AffineJitter
from gmvae import GMVAE
from gmvae.model.architectures import ImageShape, architecture
from gmvae.start import gmvae_from_mixture
from gmvae.start.autoencoder import set_posterior_noise
from gmvae.start.gmvae_from_mixture import set_components
from gmvae.start.mixture_of_codes import Mixture, mixture_of_codes
from gmvae.training.loop import DivergenceError

K, X, Y, B = 4, 3, 9, 50
PAPER_FC = architecture("paper-fc")


def test_warm_start_begins_at_the_mixture(small_model):
    model = small_model(n_clusters=K, x_dim=X)
    random = np.random.default_rng(0)
    mixture = Mixture(np.full(K, 1 / K), random.random((K, X)), 0.5 + random.random((K, X)))
    w = torch.zeros(1, model.w_dim, dtype=torch.float64)
    with torch.no_grad():
        model.beta[0].bias.zero_()  # tanh(0): the components at w = 0 are the biases
    set_components(model, mixture)
    components = model.p_x_given_wz(w)
    np.testing.assert_allclose(components.mean[0].detach(), mixture.means, rtol=1e-6)
    np.testing.assert_allclose(components.log_var[0].exp().detach(), mixture.variances, rtol=1e-6)
    codes = random.standard_normal((200, X)) * [1, 2, 3]
    set_posterior_noise(model.head, codes)
    q_x = model.q_xw_given_y(torch.rand(5, model.y_dim, dtype=torch.float64)).q_x
    expected = np.broadcast_to(0.05 * codes.var(axis=0), (5, X))
    np.testing.assert_allclose(q_x.log_var.exp().detach(), expected, rtol=1e-5)


def test_mixture_of_codes_finds_a_mixture():
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [100, 200, 300])
    means, stds = np.array([[0, 0], [9, 0], [0, 9]]), np.array([[1, 0.5], [0.5, 1], [1, 1]])
    codes = means[labels] + stds[labels] * random.standard_normal((600, 2))
    found = mixture_of_codes(codes.astype(np.float32), 3, seed=0)
    order = np.argsort(found.weights)
    np.testing.assert_allclose(found.weights[order], [1 / 6, 1 / 3, 1 / 2], atol=0.01)
    np.testing.assert_allclose(found.means[order], means, atol=0.3)
    np.testing.assert_allclose(found.variances[order], stds**2, rtol=0.3)


def test_jitter_moves_images_as_scipy_does():
    side, noise = 12, torch.tensor([[[0.1, -0.2, 0.3], [0.15, -0.05, -0.2]]])
    image = torch.zeros(side, side)
    image[3:9, 4:8] = torch.rand(6, 4)
    jitter = AffineJitter(1.0, ImageShape(side, side))
    moved = jitter(image.reshape(1, -1), noise).reshape(side, side)
    # In half widths and (x, y) there; in pixels and (row, column) here.
    matrix = np.eye(2) + noise[0, :, :2].numpy()[::-1, ::-1]
    middle = (side - 1) / 2
    shift = noise[0, :, 2].numpy()[::-1] * side / 2
    offset = middle - matrix @ [middle, middle] + shift
    expected = scipy.ndimage.affine_transform(image.numpy(), matrix, offset, order=1)
    np.testing.assert_allclose(moved.numpy(), expected, atol=1e-5)
    still = jitter(image.reshape(1, -1), torch.zeros(1, 2, 3))
    torch.testing.assert_close(still.reshape(side, side), image, atol=1e-5, rtol=0)


def test_jitter_fades_and_ends_before_the_training_does():
    model, plain_model = gmvae_warm.WarmGMVAE(3, jitter=0.1, epochs=12), gmvae_warm.GMVAE(3)
    for one in (model, plain_model):
        one._begin(torch.rand(B, Y).numpy())
    objective = model._objective()
    network = gmvae_warm.GMVAEModel(PAPER_FC, y_dim=Y, n_clusters=3, observation="bernoulli").eval()
    plain = plain_model._objective()
    noise = objective.draw_noise(network, B, torch.Generator().manual_seed(1))
    y = torch.rand(B, Y)
    with torch.no_grad():
        losses = [float(objective(network, y, noise, e)["loss"]) for e in (0.0, 4.0, 8.0, 11.0)]
        without = float(plain(network, y, noise.plain, 0.0)["loss"])
    assert losses[0] != pytest.approx(without, abs=1e-4)
    assert losses[2] == losses[3] == without


@pytest.mark.parametrize("shape", [(50, 7), (50, 9)])
def test_jitter_is_refused_where_there_are_no_images(shape):
    samples = 3 * np.random.default_rng(0).standard_normal(shape)
    with pytest.raises(ValueError, match=r"jitter=0\.1 is for images with values from 0 to 1"):
        gmvae_warm.WarmGMVAE(3, jitter=0.1, epochs=1).fit(samples)


def test_a_start_that_fails_costs_one_restart_alone(blobs, monkeypatch):
    settings = {"network": "paper-fc", "pretrain_epochs": 1, "epochs": 2, "random_state": 0}
    asked = []

    def once(codes, n_clusters, seed):
        asked.append(seed)
        if len(asked) == 1:
            raise DivergenceError("no mixture fits")
        return mixture_of_codes(codes, n_clusters, seed)

    monkeypatch.setattr(gmvae_from_mixture, "mixture_of_codes", once)
    with pytest.warns(UserWarning, match="restart 1 of 2 left out: no mixture fits"):
        model = gmvae_warm.WarmGMVAE(3, n_init=2, **settings).fit(blobs[0])
    assert model.best_init_ == 1
    # One epoch of the autoencoder and two of the joint training.
    np.testing.assert_array_equal(model.history_["epoch"], [1, 2, 3])
    assert np.isnan(model.history_["elbo"]).tolist() == [True, False, False]
    asked.clear()
    with pytest.raises(DivergenceError, match="no mixture fits"):
        gmvae_warm.WarmGMVAE(3, **settings).fit(blobs[0])


def test_a_warm_started_model_is_saved_and_read_as_what_it_is(blobs, tmp_path):
    settings = {"network": "paper-fc", "epochs": 1, "random_state": 0}
    warm = gmvae_warm.WarmGMVAE(3, pretrain_epochs=1, **settings).fit(blobs[0])
    warm.save(tmp_path / "warm.safetensors")
    again = gmvae_warm.WarmGMVAE.load(tmp_path / "warm.safetensors")
    np.testing.assert_array_equal(again.predict(blobs[0]), warm.labels_)
    with pytest.raises(ValueError, match=r"holds a WarmGMVAE; read it with WarmGMVAE\.load"):
        GMVAE.load(tmp_path / "warm.safetensors")
    GMVAE(3, **settings).fit(blobs[0]).save(tmp_path / "cold.safetensors")
    with pytest.raises(ValueError, match="holds a GMVAE"):
        gmvae_warm.WarmGMVAE.load(tmp_path / "cold.safetensors")
