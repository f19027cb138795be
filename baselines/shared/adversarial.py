"""Training of several players in turn, for methods with adversaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gmvae.clusterer.base import ProbabilisticClusterer
from gmvae.clusterer.parameters import BatchSize, OnlyAgreement, Positive
from gmvae.kernels.adam import FusedAdam
from gmvae.model.networks import as_batch
from gmvae.training.devices import autocast, noise_generator
from gmvae.training.restarts import Phase
from gmvae.training.step import TrainingSettings, TrainingStep, named, parameters_of

from .saved_network import SavedNetwork

BETAS = (0.5, 0.999)
"""Decay rates of Adam against an adversary (Radford et al., arXiv:1511.06434, section 4)."""
Players = Mapping[str, Sequence[nn.Module]]
"""The parts of a network that each player trains, in the order of their turns."""


class Game(Protocol):
    """Losses of players who take turns in each step."""

    def draw_noise(self, network: Any, n_rows: int, generator: torch.Generator) -> Any:
        """Draw the random tensors of one batch of `n_rows` samples."""

    def __call__(
        self, network: Any, y: Tensor, noise: Any, progress: float
    ) -> Iterator[Mapping[str, Tensor]]:
        """Yield each player's scalar ``loss`` and scalars to log, in turn.

        A player takes its step before the next loss is asked for.
        """


class GameStep(TrainingStep):
    """One step of Adam for each player, on one batch.

    In the history, the first player's loss is ``loss``; the others are named after their players.

    Parameters
    ----------
    network, samples, settings, generator
        As for `gmvae.training.step.TrainingStep`.
    game : Game
    players : Players
    speeds : mapping of str to float
        Factor of the learning rate by player; 1 for those that are not named.

    Raises
    ------
    ValueError
        If `speeds` names an unknown player.
    """

    def __init__(
        self,
        network: nn.Module,
        samples: Tensor,
        settings: TrainingSettings,
        generator: torch.Generator,
        *,
        game: Game,
        players: Players,
        speeds: Mapping[str, float] | None = None,
    ):
        self.speeds = speeds or {}
        if unknown := self.speeds.keys() - players.keys():
            raise ValueError(f"speeds names {sorted(unknown)}; the players are {list(players)}")
        self.network, self.game, self.samples = network, game, samples
        self.settings, self.generator = settings, generator
        self.batch_size = min(settings.batch_size, len(samples))
        self.optimizers = {
            player: FusedAdam(parameters_of(parts), BETAS) for player, parts in players.items()
        }

    def state(self) -> dict[str, Tensor]:
        """The tensors that a step changes, by name; not copies."""
        tensors = named("network", self.network.state_dict())
        for player, optimizer in self.optimizers.items():
            tensors |= named(f"optimizer.{player}", optimizer.state())
        return tensors

    def draw_noise(self, rows: Tensor) -> Any:
        """Draw the noise of the game for the samples numbered `rows`."""
        return self.game.draw_noise(self.network, len(rows), self.generator)

    def __call__(self, rows: Tensor, progress: float) -> dict[str, Tensor]:
        """Train on the samples numbered `rows`; returns the values of the game, detached."""
        y = as_batch(self.samples.index_select(0, rows))
        noise = self.draw_noise(rows)
        learning_rate = self.settings.learning_rate_at(progress)
        logged: dict[str, Tensor] = {}
        rounds = self.game(self.network, y, noise, progress)
        for player, optimizer in self.optimizers.items():
            with autocast(self.settings.precision, y.device):
                values = dict(next(rounds))
            loss = values.pop("loss")
            torch.autograd.backward(loss, inputs=optimizer.parameters)
            optimizer.step(learning_rate * self.speeds.get(player, 1.0))
            logged |= {f"{player}_loss" if logged else "loss": loss, **values}
        return {name: value.detach() for name, value in logged.items()}


@dataclass(kw_only=True, eq=False, repr=False)
class AdversarialClusterer(SavedNetwork, ProbabilisticClusterer):
    """A clusterer whose network learns in a game of several players."""

    batch_size: BatchSize = 256
    learning_rate: Positive = 2e-3
    select_by: OnlyAgreement = "agreement"

    def _game_phase(
        self,
        game: Game,
        players: Players,
        samples: Tensor,
        speeds: Mapping[str, float] | None = None,
    ) -> Phase:
        settings, generator = TrainingSettings.of(self), noise_generator(samples.device)
        step = GameStep(
            self.model_, samples, settings, generator, game=game, players=players, speeds=speeds
        )
        return Phase("training", step)
