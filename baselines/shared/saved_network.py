"""Files of fitted methods with a network, and the type of their codes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from torch import nn

from gmvae.training.devices import resolve_device, seeded

from .saving import Arrays, Saved


def in_type_of(Y: Any, codes: NDArray[np.float32]) -> NDArray[np.floating]:
    """Codes in the type that scikit-learn's transformers return for samples `Y`: the same."""
    return codes.astype(np.float64) if getattr(Y, "dtype", None) == np.float64 else codes


class SavedNetwork(Saved):
    """`save` and `load` for a method with a network."""

    model_: Any

    @abstractmethod
    def _build_model(self) -> nn.Module:
        """Make an untrained network for this estimator's parameters and data."""

    def _network(self) -> Arrays:
        return {name: value.cpu().numpy() for name, value in self.model_.state_dict().items()}

    def _set_network(self, arrays: Arrays) -> None:
        device = resolve_device(self.device)  # type: ignore[attr-defined]
        with seeded(0, device):  # the first weights are drawn, and then replaced
            model = self._build_model()
        model.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()})
        self.model_ = model.to(device).eval()


class SavedEmbedding(SavedNetwork, TransformerMixin):
    """`SavedNetwork` for a class whose base has a `transform`, which keeps the type of samples."""

    def transform(self, Y: ArrayLike) -> NDArray[np.floating]:
        """Codes, the space that is clustered, shape (n_samples, x_dim)."""
        return in_type_of(Y, super().transform(Y))
