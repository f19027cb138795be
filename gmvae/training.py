"""The training loop that GMVAE and every network baseline share.

One function each for seeding, device, precision and the loop itself. The loop knows nothing of
clusters or labels: it minimises the ``loss`` of an objective and averages whatever else that
objective returns.
"""

from __future__ import annotations

import contextlib
import math
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from gmvae.networks import as_batch
from gmvae.optimizer import FusedAdam

EVALUATION_BATCH = 500

History = dict[str, list[float]]


class Objective(Protocol):
    """What is minimised: random numbers are an argument, drawn apart from the computation."""

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Any:
        """Tensors of noise that the call below takes for a batch of `n_rows` samples."""

    def __call__(
        self, network: Any, y: Tensor, noise: Any, progress: float
    ) -> Mapping[str, Tensor]:
        """Scalar ``loss`` and scalars to log, of a batch (B, y_dim) after `progress` epochs."""


class DivergenceError(FloatingPointError):
    """Training came to values that are not finite.

    Attributes
    ----------
    history : dict of str to list of float
        Of the epochs up to there.
    """

    def __init__(self, message: str, history: History | None = None):
        super().__init__(message)
        self.history: History = history or {}


@dataclass(frozen=True)
class TrainingSettings:
    """Everything about a training run that is not the model.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        Of Adam, at the start.
    schedule : {"constant", "cosine"}
        "cosine" lowers the learning rate to zero over the run.
    precision : {"float32", "bfloat16"}
        Of matrix products and convolutions; parameters and losses stay in float32.
    device : str
        "cpu", "cuda" or "auto" (CUDA where there is one).
    verbose : bool
        Show progress: a bar on a terminal, else a line an epoch, on standard error.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "constant"
    precision: str = "float32"
    device: str = "cpu"
    verbose: bool = False

    @classmethod
    def of(cls, estimator: Any) -> TrainingSettings:
        """The settings that an estimator holds among its parameters."""
        return cls(**{field.name: getattr(estimator, field.name) for field in fields(cls)})


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into a device.

    Raises
    ------
    ValueError
        If the device is unknown or CUDA is asked for where there is none.
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
    """Seed all of torch inside the block and leave the caller's random state as it was."""
    # manual_seed reaches every CUDA device, so that the state of every one is put back.
    cuda = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if on_cuda else cuda):
        torch.manual_seed(seed)
        with repeatable_kernels() if on_cuda else contextlib.nullcontext():
            yield


def noise_generator(device: torch.device) -> torch.Generator:
    """Generator for the noise of a training, seeded from torch's global state."""
    seed = int(torch.randint(2**62, ()))
    return torch.Generator(device).manual_seed(seed)


def repeatable_kernels() -> contextlib.AbstractContextManager[None]:
    """Let cuDNN choose kernels that give the same bits each time, in full float32."""
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Context in which products run in `precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are done by the processor itself, as far as it can be asked."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def train(
    network: nn.Module,
    objective: Objective,
    samples: Tensor,
    settings: TrainingSettings,
    generator: torch.Generator,
    on_epoch: Callable[[int], None] | None = None,
) -> History:
    """Minimise an objective over `samples` with Adam.

    Parameters
    ----------
    network : Module
        Holds the parameters; left in evaluation mode.
    objective : callable
        See `Objective`.
    samples : Tensor, shape (N, y_dim)
        float32 or uint8, on the device of `network`; uint8 is scaled batch by batch.
    settings : TrainingSettings
    generator : torch.Generator
        Of the order of the samples and of the noise, on the device of `network`.
    on_epoch : callable, optional
        Called with the number of finished epochs after each, the network in evaluation mode.

    Returns
    -------
    dict of str to list of float
        One value an epoch: ``epoch``, ``seconds`` (since the start, `on_epoch` not counted) and the
        means of everything that the objective returned.

    Raises
    ------
    DivergenceError
        If the loss of an epoch is not finite.
    """
    if settings.precision == "bfloat16" and not has_native_bfloat16(samples.device):
        warnings.warn(
            "this processor has no bfloat16 of its own, which makes training slower than in "
            "precision='float32'",
            stacklevel=2,
        )
    step = TrainingStep(network, objective, samples, settings, generator)
    n_batches = len(samples) // step.batch_size
    history: History = {}
    spent = 0.0
    with progress_bar(settings) as report:
        for epoch in range(settings.epochs):
            started = time.perf_counter()
            network.train()
            order = torch.randperm(len(samples), generator=generator, device=samples.device)
            sums: dict[str, Tensor] = {}
            for number in range(n_batches):
                rows = order[number * step.batch_size : (number + 1) * step.batch_size]
                add_to(sums, step(rows, epoch + number / n_batches))
            means = {name: value.item() / n_batches for name, value in sums.items()}
            spent += time.perf_counter() - started
            record(history, {"epoch": epoch + 1, "seconds": spent, **means})
            network.eval()
            require_finite(epoch + 1, means, history)
            report(history)
            if on_epoch is not None:
                on_epoch(epoch + 1)
    return history


class TrainingStep:
    """One step of Adam on a batch; called with row numbers (B,) and the progress in epochs.

    Parameters are those of `train`. Nothing in a step waits for a result of the device.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        samples: Tensor,
        settings: TrainingSettings,
        generator: torch.Generator,
    ):
        self.network, self.objective, self.samples = network, objective, samples
        self.settings, self.generator = settings, generator
        self.batch_size = min(settings.batch_size, len(samples))
        self.optimizer = FusedAdam(network.parameters())

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows`; returns what the objective gave, detached."""
        y = as_batch(self.samples.index_select(0, rows))
        noise = self.objective.draw_noise(self.network, len(rows), self.generator)
        with autocast(self.settings.precision, y.device):
            values = self.objective(self.network, y, noise, progress)
        values["loss"].backward()
        self.optimizer.step(learning_rate_at(self.settings, progress))
        return {name: value.detach() for name, value in values.items()}


def learning_rate_at(settings: TrainingSettings, progress: float) -> float:
    """Learning rate after `progress` epochs."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress / settings.epochs))


def add_to(sums: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Accumulate `values` without waiting for the device."""
    for name, value in values.items():
        sums[name] = sums[name] + value if name in sums else value


def record(history: History, values: Mapping[str, float]) -> None:
    """Append one epoch to `history`."""
    for name, value in values.items():
        history.setdefault(name, []).append(value)


def require_finite(epoch: int, means: Mapping[str, float], history: History) -> None:
    """Raise DivergenceError if any mean of an epoch is NaN or infinite."""
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if bad:
        raise DivergenceError(
            f"training diverged in epoch {epoch}: {', '.join(bad)} not finite; "
            "a lower learning_rate usually helps",
            history,
        )


def finite_elbo(bounds: NDArray[np.floating], history: History) -> float:
    """Mean of the bounds of all training samples, which the last step may have spoilt.

    Raises
    ------
    DivergenceError
        If it is not finite.
    """
    elbo = float(bounds.mean(dtype=np.float64))
    if not math.isfinite(elbo):
        raise DivergenceError(
            "training diverged in its last step: the ELBO of the training samples is not finite; "
            "a lower learning_rate usually helps",
            history,
        )
    return elbo


@contextlib.contextmanager
def progress_bar(settings: TrainingSettings) -> Iterator[Callable[[History], None]]:
    """Yield a function that shows the last epoch of a history, as `settings.verbose` asks."""
    if not settings.verbose:
        yield lambda history: None
    elif sys.stderr.isatty():
        with tqdm(total=settings.epochs, unit="epoch") as bar:

            def advance(history: History) -> None:
                bar.set_postfix_str(last_values(history))
                bar.update()

            yield advance
    else:
        yield lambda history: print(
            f"epoch {len(history['epoch'])}/{settings.epochs}, {last_values(history)}, "
            f"{history['seconds'][-1]:.0f} s, {seconds_left(history, settings):.0f} s left",
            file=sys.stderr,
            flush=True,
        )


def last_values(history: History) -> str:
    """The logged means of the last epoch, for people."""
    shown = [name for name in history if name not in ("epoch", "seconds")]
    return ", ".join(f"{name} {history[name][-1]:.2f}" for name in shown)


def seconds_left(history: History, settings: TrainingSettings) -> float:
    """Estimate of the training time that remains."""
    done = len(history["epoch"])
    return history["seconds"][-1] / done * (settings.epochs - done)


@torch.no_grad()
def evaluate(
    function: Callable[[Tensor], tuple[Tensor, ...]],
    samples: Tensor,
    device: torch.device,
) -> list[NDArray[np.float32]]:
    """Apply `function` to all `samples` in batches of one fixed size.

    The last batch is filled up, so that a sample's result does not depend on how many others it
    comes with: the same products are run for it each time.

    Parameters
    ----------
    function : callable
        Maps (B, y_dim) to tensors whose first axis is B.
    samples : Tensor, shape (N, y_dim)
    device : torch.device

    Returns
    -------
    list of ndarray
        One array a result of `function`, first axis N.
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
