"""GMVAE, a deep generative clusterer, with the benchmark that is built around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.7.0"
__all__ = ["GMVAE", "DivergenceError"]

if TYPE_CHECKING:
    from gmvae.estimator import GMVAE
    from gmvae.training.loop import DivergenceError


def __getattr__(name: str) -> Any:
    # torch takes a second to import, which scoring and plotting never need.
    if name == "GMVAE":
        from gmvae.estimator import GMVAE

        return GMVAE
    if name == "DivergenceError":
        from gmvae.training.loop import DivergenceError

        return DivergenceError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
