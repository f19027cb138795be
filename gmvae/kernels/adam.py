"""Adam in one fused pass over all parameters."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class FusedAdam:
    """Adam (Kingma and Ba, arXiv:1412.6980) by the kernel behind ``torch.optim.Adam(fused=True)``.

    It does the same arithmetic to the last bit, which a test holds. What it leaves out is the
    general optimizer around the kernel, whose first use imports torch's compiler: nearly two
    seconds at the start of every training process.

    Parameters
    ----------
    parameters : iterable of Tensor
    betas : tuple of float, default=(0.9, 0.999)
        Decay of the running means of the gradients and of their squares.
    """

    EPSILON = 1e-8

    def __init__(self, parameters: Iterable[Tensor], betas: tuple[float, float] = (0.9, 0.999)):
        self.betas = betas
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        # All parameters have seen the same number of steps, and share the tensor that says so.
        self.n_steps = torch.zeros((), dtype=torch.float32, device=self.parameters[0].device)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the parameters along their gradients, then forget the gradients.

        Parameters
        ----------
        learning_rate : float
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        if len(gradients) < len(self.parameters):
            raise ValueError("every parameter needs a gradient; one has no part in the loss")
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            # The kernel goes through memory and does not look.
            if not same_layout(gradient, parameter):
                raise ValueError("a gradient and its parameter differ in their memory layout")
        self.n_steps += 1
        torch._fused_adam_(
            self.parameters,
            gradients,
            self.means,
            self.squares,
            [],
            [self.n_steps] * len(self.parameters),
            lr=learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.EPSILON,
            amsgrad=False,
            maximize=False,
        )
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Everything but the parameters themselves, by name."""
        named = {f"means.{number}": mean for number, mean in enumerate(self.means)}
        named |= {f"squares.{number}": square for number, square in enumerate(self.squares)}
        return {**named, "n_steps": self.n_steps}

    def keep(self, parameters: list[Tensor], chosen: Tensor) -> None:
        """Go on with a selection along the first axis of all parameters.

        Parameters
        ----------
        parameters : list of Tensor
            The selected parts, in the old order.
        chosen : Tensor of int, shape (n,)
        """
        self.parameters = parameters
        self.means = [mean[chosen] for mean in self.means]
        self.squares = [square[chosen] for square in self.squares]


def same_layout(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of one shape lie in memory in the same order."""
    strides = zip(one.shape, one.stride(), other.stride(), strict=True)
    return all(size == 1 or mine == theirs for size, mine, theirs in strides)
