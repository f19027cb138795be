"""Adam in one fused pass, against torch's optimizer."""

import pytest
import torch

from gmvae.kernels import adam
from gmvae.kernels.adam import FusedAdam


@pytest.fixture(params=["_fused_adam_", "_no_such_kernel", "zeros_like"])
def kernel(request, monkeypatch):
    """The kernel of torch, none, or one with other arguments: then torch's optimizer does it."""
    monkeypatch.setattr(adam, "KERNEL", request.param)


def test_optimizer_is_torchs_adam_to_the_last_bit(kernel):
    torch.manual_seed(0)
    theirs = [torch.randn(5, 7, requires_grad=True), torch.randn(9, requires_grad=True)]
    ours = [value.detach().clone().requires_grad_() for value in theirs]
    reference = torch.optim.Adam(theirs, fused=True)
    optimizer = FusedAdam(ours)
    for step in range(20):
        for parameters in (theirs, ours):
            sum((value**3).sum() for value in parameters).backward()
        reference.param_groups[0]["lr"] = 1e-3 * (1 + step)
        reference.step()
        reference.zero_grad()
        optimizer.step(1e-3 * (1 + step))
    for expected, actual in zip(theirs, ours, strict=True):
        assert torch.equal(expected, actual)
    assert all(parameter.grad is None for parameter in ours)
    state = reference.state[theirs[1]]
    assert torch.equal(optimizer.state()["means.1"], state["exp_avg"])
    assert torch.equal(optimizer.state()["squares.1"], state["exp_avg_sq"])
    assert optimizer.n_steps == state["step"] == 20


def test_optimizer_refuses_a_parameter_without_gradient():
    with pytest.raises(ValueError, match="every parameter needs a gradient"):
        FusedAdam([torch.zeros(1, requires_grad=True)]).step(0.1)
