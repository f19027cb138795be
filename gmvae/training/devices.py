"""Device, precision and seeding of a computation, one function each."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator

import torch


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into a device.

    Raises
    ------
    ValueError
        If the device is unknown, or if it is a CUDA device and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"device must be one of cpu, cuda, auto; got {name!r}")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device={name!r} was asked for, but no CUDA device is available here")
    return torch.device(name)


@contextlib.contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block and restore the caller's random state after it."""
    # manual_seed seeds every CUDA device, so the state of each is restored.
    cuda = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if on_cuda else cuda):
        torch.manual_seed(seed)
        with repeatable_kernels() if on_cuda else contextlib.nullcontext():
            yield


class RandomStream:
    """torch's random numbers in one fit, which go on from block to block.

    Parameters
    ----------
    seed : int
    device : torch.device
    """

    def __init__(self, seed: int, device: torch.device):
        self._seed, self._device = seed, device
        self._state: torch.Tensor | None = None

    @contextlib.contextmanager
    def seeded(self) -> Iterator[None]:
        """Go on with the stream inside the block and restore the caller's random state after it."""
        with seeded(self._seed, self._device):
            if self._state is not None:
                torch.set_rng_state(self._state)
            try:
                yield
            finally:
                self._state = torch.get_rng_state()


def noise_generator(device: torch.device) -> torch.Generator:
    """Random generator for the noise of a training, seeded from torch's global state."""
    seed = int(torch.randint(2**62, ()))
    return torch.Generator(device).manual_seed(seed)


def repeatable_kernels() -> contextlib.AbstractContextManager[None]:
    """Context in which cuDNN uses kernels that give the same bits each time, in full float32."""
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Context in which matrix products and convolutions run in `precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 natively, as far as torch knows."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    # torch has no public functions for this.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
