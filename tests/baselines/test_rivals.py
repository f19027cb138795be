"""The mathematics of the other deep methods, each against an independent reference."""

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from sklearn.exceptions import NotFittedError
from torch import distributions as reference
from torch.nn import functional

from baselines import aae, catgan, dec, gmvae_warm, vade
from baselines.shared.adversarial import BETAS, GameStep, Player
from baselines.shared.autoencoder import AffineJitter, Masking
from baselines.shared.codes import Mixture, mixture_of_codes, set_posterior_noise
from gmvae import GMVAE
from gmvae.bench.runs.metrics import accuracy_hungarian
from gmvae.clusterer.base import joined
from gmvae.model.architectures import architecture
from gmvae.training.loop import DivergenceError
from gmvae.training.step import TrainingSettings

K, X, Y, B = 4, 3, 9, 50
PAPER_FC = architecture("paper-fc")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


@pytest.fixture
def pixels():
    return torch.rand(B, Y, dtype=torch.float64)


def vade_model():
    model = vade._VaDEModel(
        PAPER_FC, y_dim=Y, x_dim=X, observation="bernoulli", n_clusters=K
    ).double()
    with torch.no_grad():
        for prior in (model.weight_logits, model.means, model.log_vars):
            prior.normal_()
        model.head.bias.normal_()
    return model.eval()


def aae_model(**changes):
    sizes = {"y_dim": Y, "x_dim": X, "n_clusters": K, "observation": "bernoulli", "sharpness": 5.0}
    return aae._AAEModel(PAPER_FC, **{**sizes, **changes})


def mixture_of(model):
    """The prior of VaDE as torch's own distribution."""
    components = reference.Normal(model.means, torch.exp(0.5 * model.log_vars))
    return reference.MixtureSameFamily(
        reference.Categorical(logits=model.weight_logits), reference.Independent(components, 1)
    )


# DEC


def test_dec_assigns_by_students_t():
    codes, means = torch.randn(B, X, dtype=torch.float64), torch.randn(K, X, dtype=torch.float64)
    q = dec.log_soft_assignment(codes, means).exp().numpy()
    distances = np.linalg.norm(codes.numpy()[:, None] - means.numpy()[None], axis=-1)
    kernel = scipy.stats.t(df=1).pdf(distances)  # proportional to 1 / (1 + d^2)
    np.testing.assert_allclose(q, kernel / kernel.sum(1, keepdims=True), rtol=1e-10)


def test_dec_sharpens_towards_its_targets():
    q = torch.softmax(torch.randn(B, K, dtype=torch.float64), dim=1)
    p = dec.target_distribution(q)
    totals = [sum(float(q[i, k]) for i in range(B)) for k in range(K)]
    for i in range(B):
        weights = [float(q[i, k]) ** 2 / totals[k] for k in range(K)]
        expected = [weight / sum(weights) for weight in weights]
        np.testing.assert_allclose(p[i].numpy(), expected, rtol=1e-10)
    balanced = torch.full((B, K), 1 / K, dtype=torch.float64)
    torch.testing.assert_close(dec.target_distribution(balanced), balanced)


def test_dec_minimises_the_kl_from_its_targets(pixels):
    model = dec._DECModel(PAPER_FC, Y, X, K).double()
    model.means.data.normal_()
    targets = torch.softmax(torch.randn(B, K, dtype=torch.float64), dim=1)
    loss = dec._Clustering()(model, pixels, targets, 0.0)["loss"]
    expected = reference.kl_divergence(
        reference.Categorical(probs=targets), reference.Categorical(logits=model.log_q(pixels))
    )
    torch.testing.assert_close(loss, expected.mean())


def test_dec_scales_samples_to_a_mean_squared_length_of_their_dimension():
    samples = torch.randint(0, 256, (B, Y), dtype=torch.uint8)
    model = dec._DECModel(PAPER_FC, Y, X, K)
    model.set_units(samples, pixels=True)
    seen = model.in_units(samples.float() / 255)
    assert float(seen.square().sum(1).mean()) == pytest.approx(Y, rel=1e-5)
    vectors = 3 + 7 * torch.randn(B, Y)
    model.set_units(vectors, pixels=False)
    torch.testing.assert_close(model.in_units(vectors).mean(0), torch.zeros(Y), atol=1e-5, rtol=0)
    assert float(model.in_units(vectors).square().sum(1).mean()) == pytest.approx(Y, rel=1e-5)


def test_dec_ends_when_hardly_any_sample_changes_its_cluster(blobs):
    settings = {"network": "paper-fc", "pretrain_epochs": 30, "epochs": 40, "random_state": 0}
    early = dec.DEC(3, tolerance=0.02, **settings).fit(blobs[0])
    late = dec.DEC(3, tolerance=0.0, **settings).fit(blobs[0])
    assert len(late.history_["epoch"]) == 70
    assert len(early.history_["epoch"]) < 70
    np.testing.assert_array_equal(
        early.history_["epoch"], 1 + np.arange(len(early.history_["epoch"]))
    )
    assert np.isnan(early.history_["kl"][:30]).all()
    assert np.isfinite(early.history_["kl"][30:]).all()
    assert early.converged_
    assert not late.converged_
    changed = early.history_["changed"][30:]
    assert changed[-1] < 0.02
    assert (changed[:-1] >= 0.02).all()


# VaDE


def test_vade_densities_are_those_of_torch():
    model = vade_model()
    x = torch.randn(B, X, dtype=torch.float64)
    prior = mixture_of(model)
    torch.testing.assert_close(torch.logsumexp(model.log_p_xz(x), dim=-1), prior.log_prob(x))
    for k in range(K):
        component = reference.Normal(model.means[k], torch.exp(0.5 * model.log_vars[k]))
        expected = component.log_prob(x).sum(-1) + torch.log_softmax(model.weight_logits, 0)[k]
        torch.testing.assert_close(model.log_p_xz(x)[:, k], expected)


def test_vade_divergences_are_those_of_torch(pixels):
    model = vade_model()
    q_x = model.q_x_given_y(pixels)
    ours = model.kl_to_components(q_x)
    q = reference.Normal(q_x.mean, torch.exp(0.5 * q_x.log_var))
    for k in range(K):
        component = reference.Normal(model.means[k], torch.exp(0.5 * model.log_vars[k]))
        expected = reference.kl_divergence(q, component.expand(q.batch_shape)).sum(-1)
        torch.testing.assert_close(ours[:, k], expected)


def test_vade_bound_is_equation_9_of_the_paper(pixels):
    """Written as in the paper, one factor after the other."""
    model = vade_model()
    noise = model.draw_noise(B).double()
    terms = model.bound(pixels, noise)
    with torch.no_grad():
        q_x = model.q_x_given_y(pixels)
        x = q_x.mean + noise * torch.exp(0.5 * q_x.log_var)
        mu_y = torch.sigmoid(model.p_y_given_x.decoder(x))
        pi, var = torch.softmax(model.weight_logits, 0), model.log_vars.exp()
        for i in range(5):
            densities = torch.stack(
                [
                    pi[k]
                    * torch.prod(
                        torch.exp(-((x[i] - model.means[k]) ** 2) / (2 * var[k]))
                        / torch.sqrt(2 * math.pi * var[k])
                    )
                    for k in range(K)
                ]
            )
            gamma = densities / densities.sum()
            bound = (pixels[i] * mu_y[i].log() + (1 - pixels[i]) * (1 - mu_y[i]).log()).sum()
            for k in range(K):
                inner = (
                    var[k].log()
                    + (q_x.log_var[i].exp() + (q_x.mean[i] - model.means[k]) ** 2) / var[k]
                )
                bound = bound - 0.5 * gamma[k] * inner.sum()
                bound = bound + gamma[k] * (pi[k] / gamma[k]).log()
            bound = bound + 0.5 * (1 + q_x.log_var[i]).sum()
            ours = terms.reconstruction[i] - terms.prior[i] - terms.cluster_prior[i]
            torch.testing.assert_close(ours, bound)


def test_vade_elbo_against_monte_carlo_and_above_the_papers_bound(pixels):
    model, n = vade_model(), 4000
    y = pixels[:1]
    with torch.no_grad():
        noise = torch.randn(n, X, dtype=torch.float64)
        ours = model.elbo(y.expand(n, Y), noise)
        q_x = model.q_x_given_y(y)
        q = reference.Independent(reference.Normal(q_x.mean[0], torch.exp(0.5 * q_x.log_var[0])), 1)
        x = q.sample((n,))
        logits = model.p_y_given_x.decoder(x)
        log_p_y = reference.Independent(
            reference.Bernoulli(logits=logits, validate_args=False), 1
        ).log_prob(y.expand(n, Y))
        draws = log_p_y + mixture_of(model).log_prob(x) - q.log_prob(x)
        bound = model.bound(y.expand(n, Y), noise)
        papers = bound.reconstruction - bound.prior - bound.cluster_prior
    error = math.hypot(float(ours.std()), float(draws.std())) / math.sqrt(n)
    assert abs(float(ours.mean() - draws.mean())) < 4 * error
    assert float((ours - papers).mean()) > -4 * float((ours - papers).std()) / math.sqrt(n)


# AAE


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
    players = [Player(n, tuple(getattr(ours, part) for part in p)) for n, p in parts.items()]
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


# CatGAN


def test_catgan_entropies_are_those_of_torch():
    log_p = torch.log_softmax(torch.randn(B, K, dtype=torch.float64), dim=1)
    each = reference.Categorical(logits=log_p).entropy()
    torch.testing.assert_close(catgan.conditional_entropy(log_p), each.mean())
    mean = reference.Categorical(probs=log_p.exp().mean(0)).entropy()
    torch.testing.assert_close(catgan.marginal_entropy(log_p), mean)
    sure = torch.full((K, K), -200.0).fill_diagonal_(0.0)
    assert float(catgan.conditional_entropy(sure)) == pytest.approx(0)
    assert float(catgan.marginal_entropy(sure)) == pytest.approx(math.log(K))


def test_catgan_losses_are_equation_7_of_the_paper():
    model = catgan._CatGANModel(
        PAPER_FC, y_dim=Y, code_dim=X, observation="bernoulli", n_clusters=K
    ).eval()
    y = torch.rand(B, Y)
    game = catgan._CatGANGame(0.5)
    noise = game.draw_noise(model, B, torch.Generator().manual_seed(1))
    discriminator, generator = list(game(model, y, noise, 0.0))
    real = (model.head(model.trunk(y + noise.real))).softmax(1)
    images = torch.sigmoid(model.generator.decoder(noise.code))
    made = (model.head(model.trunk(images + noise.made))).softmax(1)

    def entropy(p):
        return -(p * p.log()).sum(-1)

    expected = -entropy(real.mean(0)) + entropy(real).mean() - entropy(made).mean()
    torch.testing.assert_close(discriminator["loss"], expected)
    # The mutual information of sample and cluster, from their joint distribution.
    joint = real / B
    independent = joint.sum(0, keepdim=True) * joint.sum(1, keepdim=True)
    information = (joint * (joint / independent).log()).sum()
    torch.testing.assert_close(discriminator["information"], information)
    torch.testing.assert_close(generator["loss"], -entropy(made.mean(0)) + entropy(made).mean())


def test_catgan_remembers_the_statistics_of_real_samples_alone():
    arch = architecture("fast-fc")
    model = catgan._CatGANModel(arch, y_dim=Y, code_dim=X, observation="bernoulli", n_clusters=K)
    model.train()
    y = torch.rand(B, Y)
    game = catgan._CatGANGame(0.5)
    noise = game.draw_noise(model, B, torch.Generator().manual_seed(1))
    seen = model.trunk.dense[0](y + noise.real).detach()
    list(game(model, y, noise, 0.0))
    torch.testing.assert_close(model.trunk.dense[1].running_mean, 0.1 * seen.mean(0))
    assert model.trunk.dense[1].momentum == 0.1


# The warm start


def test_warm_start_begins_at_the_mixture(small_model):
    model = small_model(n_clusters=K, x_dim=X)
    random = np.random.default_rng(0)
    mixture = Mixture(np.full(K, 1 / K), random.random((K, X)), 0.5 + random.random((K, X)))
    w = torch.zeros(1, model.w_dim, dtype=torch.float64)
    with torch.no_grad():
        model.beta[0].bias.zero_()  # tanh(0): the components at w = 0 are the biases
    gmvae_warm.start_from(model, mixture)
    components = model.p_x_given_wz(w)
    np.testing.assert_allclose(components.mean[0].detach(), mixture.means, rtol=1e-6)
    np.testing.assert_allclose(components.log_var[0].exp().detach(), mixture.variances, rtol=1e-6)
    codes = random.standard_normal((200, X)) * [1, 2, 3]
    set_posterior_noise(model.head, codes)
    q_x = model.q_xw_given_y(torch.rand(5, model.y_dim, dtype=torch.float64)).q_x
    expected = np.broadcast_to(0.05 * codes.var(axis=0), (5, X))
    np.testing.assert_allclose(q_x.log_var.exp().detach(), expected, rtol=1e-5)


def test_mixture_of_codes_finds_a_mixture():
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [100, 200, 300])
    means, stds = np.array([[0, 0], [9, 0], [0, 9]]), np.array([[1, 0.5], [0.5, 1], [1, 1]])
    codes = means[labels] + stds[labels] * random.standard_normal((600, 2))
    found = mixture_of_codes(codes.astype(np.float32), 3, seed=0)
    order = np.argsort(found.weights)
    np.testing.assert_allclose(found.weights[order], [1 / 6, 1 / 3, 1 / 2], atol=0.01)
    np.testing.assert_allclose(found.means[order], means, atol=0.3)
    np.testing.assert_allclose(found.variances[order], stds**2, rtol=0.3)


def test_jitter_moves_images_as_scipy_does():
    side, noise = 12, torch.tensor([[[0.1, -0.2, 0.3], [0.15, -0.05, -0.2]]])
    image = torch.zeros(side, side)
    image[3:9, 4:8] = torch.rand(6, 4)
    moved = AffineJitter(1.0)(image.reshape(1, -1), noise).reshape(side, side)
    # In half widths and (x, y) there; in pixels and (row, column) here.
    matrix = np.eye(2) + noise[0, :, :2].numpy()[::-1, ::-1]
    middle = (side - 1) / 2
    shift = noise[0, :, 2].numpy()[::-1] * side / 2
    offset = middle - matrix @ [middle, middle] + shift
    expected = scipy.ndimage.affine_transform(image.numpy(), matrix, offset, order=1)
    np.testing.assert_allclose(moved.numpy(), expected, atol=1e-5)
    still = AffineJitter(1.0)(image.reshape(1, -1), torch.zeros(1, 2, 3))
    torch.testing.assert_close(still.reshape(side, side), image, atol=1e-5, rtol=0)


def test_jitter_fades_and_ends_before_the_training_does():
    model = gmvae_warm.WarmGMVAE(3, jitter=0.1, epochs=12)
    objective = model._objective()
    network = gmvae_warm.GMVAEModel(PAPER_FC, y_dim=Y, n_clusters=3, observation="bernoulli").eval()
    plain = gmvae_warm.GMVAE(3)._objective()
    noise = objective.draw_noise(network, B, torch.Generator().manual_seed(1))
    y = torch.rand(B, Y)
    with torch.no_grad():
        losses = [float(objective(network, y, noise, e)["loss"]) for e in (0.0, 4.0, 8.0, 11.0)]
        without = float(plain(network, y, noise.plain, 0.0)["loss"])
    assert losses[0] != pytest.approx(without, abs=1e-4)
    assert losses[2] == losses[3] == without


@pytest.mark.parametrize("shape", [(50, 7), (50, 9)])
def test_jitter_is_refused_where_there_are_no_images(shape):
    samples = 3 * np.random.default_rng(0).standard_normal(shape)
    with pytest.raises(
        ValueError, match=r"jitter=0\.1 is for square images with values from 0 to 1"
    ):
        gmvae_warm.WarmGMVAE(3, jitter=0.1, epochs=1).fit(samples)


def test_a_start_that_fails_costs_one_restart_alone(blobs, monkeypatch):
    settings = {"network": "paper-fc", "pretrain_epochs": 1, "epochs": 2, "random_state": 0}
    asked = []

    def once(codes, n_clusters, seed):
        asked.append(seed)
        if len(asked) == 1:
            raise DivergenceError("no mixture fits")
        return mixture_of_codes(codes, n_clusters, seed)

    monkeypatch.setattr(gmvae_warm, "mixture_of_codes", once)
    with pytest.warns(UserWarning, match="restart 1 of 2 left out: no mixture fits"):
        model = gmvae_warm.WarmGMVAE(3, n_init=2, **settings).fit(blobs[0])
    assert model.best_init_ == 1
    assert len(model.history_["epoch"]) == 2
    asked.clear()
    with pytest.raises(DivergenceError, match="no mixture fits"):
        gmvae_warm.WarmGMVAE(3, **settings).fit(blobs[0])


def test_a_warm_started_model_is_saved_and_read_as_what_it_is(blobs, tmp_path):
    settings = {"network": "paper-fc", "epochs": 1, "random_state": 0}
    warm = gmvae_warm.WarmGMVAE(3, pretrain_epochs=1, **settings).fit(blobs[0])
    warm.save(tmp_path / "warm.safetensors")
    again = gmvae_warm.WarmGMVAE.load(tmp_path / "warm.safetensors")
    np.testing.assert_array_equal(again.predict(blobs[0]), warm.labels_)
    with pytest.raises(ValueError, match=r"holds a WarmGMVAE; read it with WarmGMVAE\.load"):
        GMVAE.load(tmp_path / "warm.safetensors")
    GMVAE(3, **settings).fit(blobs[0]).save(tmp_path / "cold.safetensors")
    with pytest.raises(ValueError, match="holds a GMVAE"):
        gmvae_warm.WarmGMVAE.load(tmp_path / "cold.safetensors")


def test_masking_hides_the_share_that_it_should():
    masking = Masking(0.2, torch.zeros(500))
    y = torch.ones(100, 500)
    seen = masking(y, masking.draw((100, 500), torch.Generator().manual_seed(1)))
    assert set(seen.unique().tolist()) == {0.0, 1.0}
    assert float(seen.mean()) == pytest.approx(0.8, abs=4 * 0.4 / math.sqrt(50_000))


# What they share


def test_histories_of_several_trainings_are_joined():
    one = {"epoch": [1, 2], "seconds": [0.5, 1.0], "loss": [3.0, 2.0], "reconstruction": [1.0, 2.0]}
    two = {"epoch": [1], "seconds": [0.25], "loss": [9.0], "kl": [4.0]}
    both = joined(joined({}, one), two)
    np.testing.assert_array_equal(both["epoch"], [1, 2, 3])
    np.testing.assert_array_equal(both["seconds"], [0.5, 1.0, 1.25])
    np.testing.assert_array_equal(both["loss"], [3, 2, 9])
    np.testing.assert_array_equal(both["kl"], [np.nan, np.nan, 4])
    np.testing.assert_array_equal(both["reconstruction"], [1, 2, np.nan])


SHORT = {"network": "paper-fc", "epochs": 2, "random_state": 0}
FIRST = {**SHORT, "pretrain_epochs": 3}


@pytest.mark.parametrize("cls", [dec.DEC, vade.VaDE])
def test_where_real_values_lie_does_not_matter(cls, blobs):
    settings = {**FIRST, "pretrain_epochs": 60, "batch_size": 32, "observation": "gaussian"}
    clusters = cls(3, **settings).fit(blobs[0] + 1000).labels_
    assert accuracy_hungarian(clusters, blobs[1]) > 0.95


def test_a_training_that_ends_in_numbers_that_are_none_has_diverged(blobs):
    for method in (aae.AAE(3, **SHORT), catgan.CatGAN(3, **SHORT), dec.DEC(3, **FIRST)):
        # One batch an epoch: the values of the only step are finite, what it leaves is not.
        method.set_params(learning_rate=1e30, batch_size=300, epochs=1)
        with pytest.raises(DivergenceError, match="diverged") as caught:
            method.fit(blobs[0])
        assert caught.value.history["epoch"] == list(range(1, len(method.history_["epoch"]) + 1))
        assert len(caught.value.history["epoch"]) >= 1
    with pytest.raises(DivergenceError, match=r"autoencoder diverged in epoch \d: .*pretrain_lear"):
        vade.VaDE(3, pretrain_learning_rate=1e30, batch_size=64, **FIRST).fit(blobs[0])
    for method in (vade.VaDE(3, **FIRST), dec.DEC(3, **FIRST)):
        method.set_params(pretrain_learning_rate=1e30, batch_size=300, pretrain_epochs=1)
        with pytest.raises(DivergenceError, match="autoencoder diverged in its last step"):
            method.fit(blobs[0])
        assert len(method.history_["epoch"]) == 1


def test_what_was_noted_survives_an_end_before_the_end(blobs):
    class StopError(Exception):
        pass

    def note(model, epoch):
        seen.append((epoch, len(model.history_["epoch"])))
        if len(seen) == 2:
            raise StopError
        return {"clusters": model.predict(blobs[0])}

    for method, before in ((aae.AAE(3, **SHORT), 0), (dec.DEC(3, tolerance=0.0, **FIRST), 3)):
        seen = []
        with pytest.raises(StopError):
            method.fit(blobs[0], on_epoch=note)
        assert seen == [(before + 1, before + 1), (before + 2, before + 2)]
        assert len(method.records_) == 1
        assert not method.model_.training


def test_nothing_of_an_earlier_fit_is_left(blobs):
    method = dec.DEC(3, **FIRST).fit(blobs[0])
    method.set_params(pretrain_learning_rate=1e30, batch_size=300)
    with pytest.raises(DivergenceError):
        method.fit(blobs[0])
    assert not hasattr(method, "labels_")


def test_vade_elbo_does_not_depend_on_who_looks_on(blobs):
    alone = vade.VaDE(3, **FIRST).fit(blobs[0]).elbo_
    watched = vade.VaDE(3, **FIRST).fit(
        blobs[0], on_epoch=lambda *_: torch.rand(7).tolist() and None
    )
    assert watched.elbo_ == alone


def test_saving_asks_for_a_fit(tmp_path):
    with pytest.raises(NotFittedError):
        aae.AAE().save(tmp_path / "a")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: dec.DEC(masked=1.0),
            "masked must be a number from 0 to below 1, like 0.2; got 1.0",
        ),
        (lambda: dec.DEC(tolerance=-1), "tolerance must be a number from 0 to below 1"),
        (lambda: dec.DEC(tolerance=2), "tolerance must be a number from 0 to below 1"),
        (lambda: vade.VaDE(pretrain_epochs=0), "pretrain_epochs must be an integer of at least 1"),
        (lambda: aae.AAE(sharpness=0.0), "sharpness must be a finite number above 0"),
        (lambda: aae.AAE(sharpness="none"), r"got 'none'; null \(None\) is possible, too"),
        (lambda: aae.AAE(x_dim=0), "x_dim must be an integer of at least 1"),
        (lambda: catgan.CatGAN(input_noise="a"), "input_noise must be a finite number"),
        (lambda: catgan.CatGAN(code_dim=0), "code_dim must be an integer of at least 1"),
        (lambda: gmvae_warm.WarmGMVAE(jitter=-0.1), "jitter must be a finite number of at least 0"),
    ],
)
def test_wrong_parameters_are_told(make, message, blobs):
    with pytest.raises(ValueError, match=message):
        make().fit(blobs[0])
