"""Adam in one fused pass, against torch's optimizer."""

import pytest
import torch

from gmvae.kernels import adam
from gmvae.kernels.adam import FusedAdam


@pytest.fixture(params=["_fused_adam_", "_no_such_kernel", "zeros_like"])
def steps_of_the_fallback(request, monkeypatch):
    """Run with torch's kernel, with none, and with one that takes other arguments.

    Returns the list of fallback steps, and the number expected out of 20.
    """
    monkeypatch.setattr(adam, "KERNEL", request.param)
    fallback, taken = FusedAdam._optimizer_step, []

    def noted(self, learning_rate):
        taken.append(learning_rate)
        fallback(self, learning_rate)

    monkeypatch.setattr(FusedAdam, "_optimizer_step", noted)
    return taken, 0 if request.param == "_fused_adam_" else 20


def test_optimizer_is_torchs_adam_to_the_last_bit(steps_of_the_fallback):
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
    taken, expected_number = steps_of_the_fallback
    assert len(taken) == expected_number


def test_selected_networks_take_the_same_steps_as_before(steps_of_the_fallback):
    """After `keep`, each remaining slice moves as if nothing had been removed."""
    torch.manual_seed(0)
    whole = torch.randn(3, 4, requires_grad=True)
    part = whole.detach().clone().requires_grad_()
    optimizers = FusedAdam([whole]), FusedAdam([part])
    chosen = torch.tensor([2, 0])
    for step in range(6):
        if step == 3:
            part = part.detach()[chosen].requires_grad_()
            optimizers[1].keep([part], chosen)
        for parameter, optimizer in zip((whole, part), optimizers, strict=True):
            (parameter**3).sum().backward()
            optimizer.step(1e-2)
    assert torch.equal(whole.detach()[chosen], part.detach())


def test_optimizer_refuses_a_parameter_without_gradient():
    with pytest.raises(ValueError, match="every parameter needs a gradient"):
        FusedAdam([torch.zeros(1, requires_grad=True)]).step(0.1)


def test_optimizer_refuses_a_gradient_with_another_memory_layout():
    parameter = torch.zeros(2, 3, requires_grad=True)
    parameter.grad = torch.zeros(3, 2).t()
    with pytest.raises(ValueError, match="differ in their memory layout"):
        FusedAdam([parameter]).step(0.1)
