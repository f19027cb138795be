"""Results of a trained network for many samples, in batches of one fixed size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmvae.model.networks import as_batch

EVALUATION_BATCH = 500


@torch.no_grad()
def evaluate(
    function: Callable[[Tensor], tuple[Tensor, ...]],
    samples: Tensor,
    device: torch.device,
) -> list[NDArray[np.float32]]:
    """Apply `function` to all `samples` in batches of one fixed size.

    The last batch is padded to that size. So every sample goes through the same matrix products,
    and its result does not depend on how many others there are.

    Parameters
    ----------
    function : callable
        Maps (B, y_dim) to tensors whose first axis is B.
    samples : Tensor, shape (N, y_dim)
    device : torch.device

    Returns
    -------
    list of ndarray
        One array per result of `function`, first axis N.
    """
    pieces: list[tuple[NDArray[np.float32], ...]] = []
    for start in range(0, len(samples), EVALUATION_BATCH):
        rows = samples[start : start + EVALUATION_BATCH].to(device)
        n_rows = len(rows)
        if n_rows < EVALUATION_BATCH:
            rows = torch.cat([rows, rows[-1:].expand(EVALUATION_BATCH - n_rows, -1)])
        results = function(as_batch(rows))
        pieces.append(tuple(result[:n_rows].float().cpu().numpy() for result in results))
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
