"""The textbook's model is the same as ours."""

import pytest
import torch
from textbook import TextbookGMVAE

from gmvae.model.architectures import architecture
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.objective import paper_loss, terms

THRESHOLD = 0.1


def models(network, n_clusters):
    torch.manual_seed(0)
    arch = architecture(network)
    ours = GMVAEModel(
        arch,
        y_dim=784,
        n_clusters=n_clusters,
        observation="bernoulli",
    )
    theirs = TextbookGMVAE(arch, 784, n_clusters)
    theirs.copy_from(ours)
    return ours, theirs


# The textbook's loop normalises each of the M samples separately, ours all of them at once: with
# M > 1 both are the same function only if the statistics are held fixed.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-3), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("n_samples_mc", "training"), [(1, True), (3, False)])
@pytest.mark.parametrize("network", ["fast-fc", "fast-conv", "paper-conv"])
def test_same_loss_and_gradients(network, n_samples_mc, training, dtype, tolerance):
    ours, theirs = (model.to(dtype).train(training) for model in models(network, 4))
    y = torch.rand(6, 784, dtype=dtype)
    noise = ours.draw_noise(n_samples_mc, 6)
    expected = theirs.loss(y, noise, THRESHOLD)
    actual = paper_loss(terms(ours, y, noise), z_prior_threshold=THRESHOLD)
    torch.testing.assert_close(actual, expected)
    expected.backward()
    actual.backward()
    pairs = theirs.gradient_pairs(ours)
    assert sum(gradient is not None for _, gradient in pairs) >= len(list(ours.parameters()))
    for theirs_gradient, gradient in pairs:
        if gradient is not None:
            difference = (gradient - theirs_gradient).norm()
            assert difference <= tolerance * theirs_gradient.norm() + 1e-6
        elif training:
            # Ours has no bias before a batch normalisation, since its gradient is zero.
            assert theirs_gradient.abs().max() < 1e-3
