"""AAE: losses and the turns of the players, against independent references."""

import math

import pytest
import torch
from torch import distributions as reference
from torch.nn import functional

from baselines import aae
from baselines.shared.adversarial import BETAS, GameStep
from gmvae.model.architectures import architecture
from gmvae.training.step import TrainingSettings

K, X, Y, B = 4, 3, 9, 50
PAPER_FC = architecture("paper-fc")


def aae_model(**changes):
    sizes = {"y_dim": Y, "x_dim": X, "n_clusters": K, "observation": "bernoulli", "sharpness": 5.0}
    return aae._AAEModel(PAPER_FC, **{**sizes, **changes})


def test_aae_losses_are_cross_entropies():
    real, fake = torch.randn(B, 1), torch.randn(B, 1)
    ones, zeros = torch.ones(B, 1), torch.zeros(B, 1)
    cross_entropy = functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        aae.detection(real, fake), cross_entropy(real, ones) + cross_entropy(fake, zeros)
    )
    torch.testing.assert_close(aae.deception(fake), cross_entropy(fake, ones))
    assert float(aae.detection(zeros, zeros)) == pytest.approx(2 * math.log(2))


def test_aae_reconstructs_from_cluster_and_style():
    model = aae_model().eval()
    y = torch.rand(B, Y).round()
    z, x = model.encode(y)
    assert z.shape == (B, K)
    torch.testing.assert_close(z.sum(1), torch.ones(B))
    logits = model.p_y_given_zx.decoder(torch.cat([z, x], dim=1))
    expected = reference.Bernoulli(logits=logits).log_prob(y).sum(1)
    torch.testing.assert_close(model.log_likelihood(y, z, x), expected)


def test_aae_normalised_logits_use_all_clusters_alike():
    """The mean logit of every cluster is zero over a batch, whatever the head has learnt."""
    model = aae_model().train()
    with torch.no_grad():
        model.head.bias[0] = 100.0
    y = torch.rand(B, Y)
    assert int(model.encode(y)[0].argmax(1).bincount(minlength=K).count_nonzero()) > 1
    plain = aae_model(sharpness=None).train()
    with torch.no_grad():
        plain.head.bias[0] = 100.0
    assert (plain.encode(y)[0].argmax(1) == 0).all()


def test_players_take_turns_as_in_a_textbook():
    """Three steps of Adam for each of three players, written out with torch's own optimizers."""
    ours = aae_model(sharpness=None)
    torch.manual_seed(3)
    theirs = aae_model(sharpness=None)
    samples = torch.rand(32, Y)
    settings = TrainingSettings(epochs=1, batch_size=32, learning_rate=1e-3)
    parts = {
        "autoencoder": ("trunk", "head", "p_y_given_zx"),
        "adversary_z": ("adversary_z",),
        "adversary_x": ("adversary_x",),
    }
    players = {n: [getattr(ours, part) for part in p] for n, p in parts.items()}
    game = aae._AAEGame(0.3, 10.0)
    step = GameStep(
        ours, samples, settings, torch.Generator().manual_seed(1), game=game, players=players
    )
    optimizers = [
        torch.optim.Adam(
            [q for part in p for q in getattr(theirs, part).parameters()], 1e-3, betas=BETAS
        )
        for p in parts.values()
    ]
    generator = torch.Generator().manual_seed(1)
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
    cross_entropy = functional.binary_cross_entropy_with_logits
    for _ in range(3):
        values = step(torch.arange(32), 0.0)
        noise = game.draw_noise(theirs, 32, generator)

        def codes(seen=samples + 0.3 * noise.y):
            logits, x = theirs.head(theirs.trunk(seen)).split([K, X], dim=1)
            return logits.softmax(1), x

        z, x = codes()
        logits = theirs.p_y_given_zx.decoder(torch.cat([z, x], 1))
        reconstruction = -cross_entropy(logits, samples, reduction="none").sum(1).mean()
        deception = cross_entropy(theirs.adversary_z(z), ones) + cross_entropy(
            theirs.adversary_x(x), ones
        )
        losses = [10 * deception - reconstruction]
        z, x = z.detach(), x.detach()
        for adversary, prior, code in (
            (theirs.adversary_z, noise.z, z),
            (theirs.adversary_x, noise.x, x),
        ):
            losses.append(
                cross_entropy(adversary(prior), ones) + cross_entropy(adversary(code), zeros)
            )
        for loss, optimizer in zip(losses, optimizers, strict=True):
            parameters = optimizer.param_groups[0]["params"]
            for parameter, gradient in zip(
                parameters, torch.autograd.grad(loss, parameters), strict=True
            ):
                parameter.grad = gradient
        for optimizer in optimizers:
            optimizer.step()
        torch.testing.assert_close(values["loss"], losses[0].detach())
        torch.testing.assert_close(values["adversary_z_loss"], losses[1].detach())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)


def test_aae_learns_scale_and_shift_of_logits_and_style():
    model = aae_model(learnt_scale=True).train()
    assert model.norm.weight.tolist() == [5.0] * K + [1.0] * X
    y = torch.rand(B, Y)
    with torch.no_grad():
        model.norm.bias.normal_()
        z, x = model.encode(y)
        codes = model.head(model.trunk(model.p_y_given_zx.standardise(y)))
        # Without running means, which the first call has moved.
        expected = functional.batch_norm(
            codes, None, None, model.norm.weight, model.norm.bias, training=True
        )
    torch.testing.assert_close(z, expected[:, :K].softmax(1))
    torch.testing.assert_close(x, expected[:, K:])


def test_aae_hides_values_from_the_encoder_alone():
    model, game = aae_model().eval(), aae._AAEGame(0.3, 10.0, dropout=0.25)
    y = torch.rand(400, Y)
    noise = game.draw_noise(model, 400, torch.Generator().manual_seed(0))
    assert noise.kept.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float((noise.kept == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    values = next(iter(game(model, y, noise, 0.0)))
    z, x = model.encode_seen((model.p_y_given_zx.standardise(y) + 0.3 * noise.y) * noise.kept)
    expected = model.log_likelihood(y, z, x).mean()
    torch.testing.assert_close(values["reconstruction"], expected)


def test_slow_adversaries_take_smaller_steps():
    def moved(speed):
        torch.manual_seed(0)
        model = aae_model(sharpness=None)
        parts = {
            "autoencoder": [model.trunk, model.head, model.p_y_given_zx],
            "adversary_z": [model.adversary_z],
            "adversary_x": [model.adversary_x],
        }
        before = {
            name: next(iter(part[0].parameters())).detach().clone() for name, part in parts.items()
        }
        settings = TrainingSettings(epochs=1, batch_size=32, learning_rate=1e-3)
        step = GameStep(
            model,
            torch.rand(32, Y),
            settings,
            torch.Generator().manual_seed(1),
            game=aae._AAEGame(0.3, 10.0),
            players=parts,
            speeds={"adversary_z": speed, "adversary_x": speed},
        )
        step(torch.arange(32), 0.0)
        return {
            name: next(iter(part[0].parameters())).detach() - before[name]
            for name, part in parts.items()
        }

    full, slow = moved(1.0), moved(0.1)
    torch.testing.assert_close(slow["autoencoder"], full["autoencoder"])
    torch.testing.assert_close(slow["adversary_x"], 0.1 * full["adversary_x"], atol=1e-7, rtol=1e-3)
