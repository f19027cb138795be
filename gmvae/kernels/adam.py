"""Adam in one fused pass over all parameters."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

EPSILON = 1e-8
KERNEL = "_fused_adam_"
"""Name of torch's kernel, which is not part of its public interface."""


class FusedAdam:
    """Adam (Kingma and Ba, arXiv:1412.6980) by the kernel behind ``torch.optim.Adam(fused=True)``.

    The results are the same to the last bit. The general optimizer around the kernel is left out,
    since its first use imports torch's compiler: nearly two seconds at the start of every training
    process. If this version of torch has no such kernel, or one with other arguments, that
    optimizer takes the step.

    Parameters
    ----------
    parameters : iterable of Tensor
        Those without ``requires_grad`` are left out.
    betas : tuple of float, default=(0.9, 0.999)
        Decay of the running means of the gradients and of their squares.
    """

    def __init__(self, parameters: Iterable[Tensor], betas: tuple[float, float] = (0.9, 0.999)):
        self.betas = betas
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        # All parameters have taken the same number of steps, so one tensor counts for all.
        self.n_steps = torch.zeros((), dtype=torch.float32, device=self.parameters[0].device)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the parameters along their gradients, then drop the gradients.

        Parameters
        ----------
        learning_rate : float

        Raises
        ------
        ValueError
            If a parameter has no gradient, or one with another memory layout.
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        if len(gradients) < len(self.parameters):
            raise ValueError("every parameter needs a gradient; one takes no part in the loss")
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            # The kernel walks through memory without checking this.
            if not same_layout(gradient, parameter):
                raise ValueError("a gradient and its parameter differ in their memory layout")
        try:
            self._kernel_step(gradients, learning_rate)
        except (AttributeError, TypeError):  # there is no such kernel, or its arguments differ
            self._optimizer_step(learning_rate)
        for parameter in self.parameters:
            parameter.grad = None

    def _kernel_step(self, gradients: list[Tensor], learning_rate: float) -> None:
        n_steps = self.n_steps + 1
        getattr(torch, KERNEL)(
            self.parameters,
            gradients,
            self.means,
            self.squares,
            [],
            [n_steps] * len(self.parameters),
            lr=learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        self.n_steps.copy_(n_steps)

    def _optimizer_step(self, learning_rate: float) -> None:
        """Take the same step with torch's optimizer, which works on this object's state."""
        optimizer = torch.optim.Adam(
            self.parameters, lr=learning_rate, betas=self.betas, eps=EPSILON, fused=True
        )
        counts = [self.n_steps.clone() for _ in self.parameters]
        for parameter, count, mean, square in zip(
            self.parameters, counts, self.means, self.squares, strict=True
        ):
            optimizer.state[parameter] = {"step": count, "exp_avg": mean, "exp_avg_sq": square}
        optimizer.step()
        self.n_steps.copy_(counts[0])

    def state(self) -> dict[str, Tensor]:
        """State of the optimizer by name, without the parameters themselves."""
        named = {f"means.{number}": mean for number, mean in enumerate(self.means)}
        named |= {f"squares.{number}": square for number, square in enumerate(self.squares)}
        return {**named, "n_steps": self.n_steps}

    def keep(self, parameters: list[Tensor], chosen: Tensor) -> None:
        """Continue with a selection along the first axis of all parameters.

        Parameters
        ----------
        parameters : list of Tensor
            The selected slices, in the order of the old parameters.
        chosen : Tensor of int, shape (n,)
            Selected indices.
        """
        self.parameters = parameters
        self.means = [mean[chosen] for mean in self.means]
        self.squares = [square[chosen] for square in self.squares]


def same_layout(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of the same shape have the same order in memory."""
    strides = zip(one.shape, one.stride(), other.stride(), strict=True)
    return all(size == 1 or mine == theirs for size, mine, theirs in strides)
