"""Hand-derived gradients, against finite differences."""

import torch

from gmvae.kernels.bernoulli import bernoulli_log_prob
from gmvae.kernels.distances import scaled_distances


def test_gradients_of_the_shared_passes():
    torch.manual_seed(0)
    shapes = [(2, 3, 2), (3, 2), (3, 2), (2, 3, 4, 2), (2, 3, 4, 2)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(scaled_distances, inputs)


def test_gradients_of_the_bernoulli_log_probability():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    value = torch.rand(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(bernoulli_log_prob, (logits, value))
