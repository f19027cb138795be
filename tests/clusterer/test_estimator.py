"""GMVAE as a scikit-learn clusterer."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from baselines.dec import DEC
from baselines.gmvae_warm import WarmGMVAE
from gmvae import GMVAE

SEPARATING = {"epochs": 200, "batch_size": 32, "learning_rate": 3e-3, "random_state": 0}


SHORT = {"network": "paper-fc", "epochs": 2, "n_clusters": 3, "random_state": 0}
FAST = {**SHORT, "init": "random"}


@parametrize_with_checks(
    [
        GMVAE(3, init=init, network="paper-fc", epochs=60, batch_size=16, learning_rate=3e-3)
        for init in ("random", "auto")
    ]
)
def test_scikit_learn_contract(estimator, check):
    """All of scikit-learn's checks, none left out."""
    check(estimator)


@pytest.fixture(scope="module")
def pixels():
    random = np.random.default_rng(0)
    return random.integers(0, 256, size=(200, 64), dtype=np.uint8)


@pytest.fixture(scope="module")
def fitted(pixels):
    return GMVAE(**FAST).fit(pixels)


def test_finds_blobs(blobs):
    points, labels = blobs
    model = GMVAE(3, init="random", network="paper-fc", **SEPARATING)
    clusters = model.fit_predict(points)
    pairs = set(zip(clusters, labels, strict=True))
    assert len(pairs) == 3, "each blob should be a cluster of its own"


@pytest.mark.parametrize("init", ["random", "auto"])
def test_same_seed_same_bits(pixels, init):
    one, again, other = (
        GMVAE(**{**FAST, "init": init, "random_state": seed}).fit(pixels) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(again.predict_proba(pixels), one.predict_proba(pixels))
    assert again.elbo_ == one.elbo_
    assert not np.array_equal(other.predict_proba(pixels), one.predict_proba(pixels))


def test_leaves_the_global_random_state_alone(pixels):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    GMVAE(**FAST).fit(pixels)
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002


def test_bytes_and_scaled_floats_are_the_same_samples(pixels, fitted):
    scaled = pixels.astype(np.float32) / np.float32(255)
    assert fitted.observation_ == "bernoulli"
    np.testing.assert_array_equal(fitted.predict_proba(scaled), fitted.predict_proba(pixels))
    assert GMVAE(**FAST).fit(scaled).elbo_ == fitted.elbo_


def test_results_do_not_depend_on_the_company(pixels, fitted):
    together = fitted.predict_proba(pixels)
    alone = np.concatenate([fitted.predict_proba(pixels[i : i + 1]) for i in range(5)])
    np.testing.assert_array_equal(alone, together[:5])


def test_probabilities_labels_and_latent_agree(pixels, fitted):
    probabilities = fitted.predict_proba(pixels)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(fitted.predict(pixels), probabilities.argmax(1))
    np.testing.assert_array_equal(fitted.labels_, fitted.predict(pixels))
    assert fitted.transform(pixels).shape == (200, 2)


def test_probabilities_are_the_posterior_at_the_posterior_means(pixels, fitted):
    model = fitted.model_
    with torch.no_grad():
        q_x, q_w = model.q_xw_given_y(torch.from_numpy(pixels / np.float32(255)))
        p_x = model.p_x_given_wz(q_w.mean)
        density = torch.distributions.Normal(p_x.mean, (0.5 * p_x.log_var).exp())
        log_p = density.log_prob(q_x.mean[:, None]).sum(-1)
    expected = torch.softmax(log_p, -1).numpy()
    np.testing.assert_allclose(fitted.predict_proba(pixels), expected, rtol=1e-4, atol=1e-6)


def test_score_is_the_mean_elbo_and_repeatable(pixels, fitted):
    bounds = fitted.elbo(pixels)
    assert bounds.shape == (200,)
    assert fitted.score(pixels) == pytest.approx(bounds.mean())
    assert fitted.score(pixels) == fitted.score(pixels) == pytest.approx(fitted.elbo_)
    many = fitted.elbo(pixels, n_samples_mc=200).mean()
    assert many == pytest.approx(fitted.elbo_, abs=1.0)


def test_history_has_one_value_an_epoch(fitted):
    names = {"epoch", "seconds", "loss", "elbo"}
    names |= {"reconstruction", "conditional_prior", "w_prior", "z_prior"}
    assert set(fitted.history_) == names
    assert all(values.shape == (2,) for values in fitted.history_.values())


def test_restarts_keep_the_best_training_elbo(pixels):
    parameters = {**FAST, "epochs": 1}
    random = np.random.RandomState(0)
    seeds = [int(random.randint(np.iinfo(np.int32).max)) for _ in range(3)]
    best = GMVAE(**parameters, n_init=3, select_by="elbo").fit(pixels)
    single = {}
    for number, seed in enumerate(seeds):
        one = GMVAE(**parameters, n_init=number + 1)
        restart = one._restarts(one._begin(pixels))[-1]
        restart.run(1, lambda restart, epoch: None)
        single[seed] = restart.history["elbo"][-1]
    assert len(set(single.values())) == 3
    assert best.history_["elbo"][-1] == max(single.values())
    assert best.seed_ == max(single, key=single.get)
    assert seeds[best.best_init_] == best.seed_
    np.testing.assert_array_equal(best.labels_, best.predict(pixels))


def test_restarts_compared_early_train_only_the_best_to_the_end(pixels):
    parameters = {**FAST, "epochs": 4, "n_init": 3, "select_by": "elbo"}
    epochs = []
    early = GMVAE(**parameters, init_epochs=2).fit(
        pixels, on_epoch=lambda model, epoch: epochs.append((model.best_init_, epoch))
    )
    best = early.best_init_
    assert epochs == [(n, e) for n in range(3) for e in (1, 2)] + [(best, 3), (best, 4)]
    whole = {}
    GMVAE(**parameters).fit(
        pixels, on_epoch=lambda m, epoch: whole.update({(m.best_init_, epoch): dict(m.history_)})
    )
    assert whole[best, 2]["elbo"][-1] == max(whole[n, 2]["elbo"][-1] for n in range(3))
    np.testing.assert_array_equal(early.history_["loss"], whole[best, 4]["loss"])


def test_few_samples_are_trained_for_more_epochs_unless_a_number_is_given(blobs, monkeypatch):
    monkeypatch.setattr("gmvae.training.schedule.LEAST_STEPS", 60)
    settings = {"network": "paper-fc", "batch_size": 150, "random_state": 0}
    by_default = GMVAE(3, init="random", **settings).fit(blobs[0])
    assert by_default.epochs_ == len(by_default.history_["epoch"]) == 30, "two steps each"
    assert by_default.epochs is None
    given = GMVAE(3, init="random", **settings, epochs=2).fit(blobs[0])
    assert given.epochs_ == len(given.history_["epoch"]) == 2
    two = GMVAE(3, init="random", **settings, n_init=2, init_epochs=1).fit(blobs[0])
    assert two.epochs_ == len(two.history_["epoch"]) == 30


def test_fewer_samples_are_for_comparisons_before_the_end_only(pixels):
    settings = {**FAST, "epochs": 3, "n_samples_mc": 4, "init_n_samples_mc": 2}
    with pytest.raises(ValueError, match=r"init_n_samples_mc=2 needs restarts .*set init_epochs"):
        GMVAE(**settings, n_init=2).fit(pixels)
    alone = GMVAE(**settings).fit(pixels)
    plain = GMVAE(**{**settings, "init_n_samples_mc": None}).fit(pixels)
    np.testing.assert_array_equal(alone.history_["loss"], plain.history_["loss"])
    GMVAE(**settings, n_init=2, init_epochs=2).fit(pixels)


def test_remedies_and_objectives_change_the_training(pixels):
    base = {**FAST, "epochs": 4, "z_prior_threshold": 0.0}
    variants = [
        {},
        {"z_prior_threshold": 0.5},
        {"z_prior_warmup_epochs": 2},
        {"objective": "exact"},
        {"n_samples_mc": 3},
        {"schedule": "constant"},
    ]
    elbos = [GMVAE(**{**base, **variant}).fit(pixels).elbo_ for variant in variants]
    assert len(set(elbos)) == len(variants)
    assert np.ptp(elbos) < 10, "all of them train the same model"


@pytest.mark.filterwarnings("ignore:this processor has no bfloat16")
def test_bfloat16_trains_to_nearly_the_same(pixels, fitted):
    model = GMVAE(**FAST, precision="bfloat16").fit(pixels)
    assert model.elbo_ != fitted.elbo_
    assert model.elbo_ == pytest.approx(fitted.elbo_, abs=1.0)
    assert model.predict_proba(pixels).dtype == np.float32


def test_epochs_are_reported_with_a_working_estimator(pixels):
    seen = []
    GMVAE(**FAST).fit(
        pixels, on_epoch=lambda model, epoch: seen.append((epoch, model.predict(pixels).shape))
    )
    assert seen == [(1, (200,)), (2, (200,))]


def test_watching_does_not_change_the_result(pixels, fitted):
    watched = GMVAE(**FAST).fit(pixels, on_epoch=lambda model, epoch: model.score(pixels))
    assert watched.elbo_ == fitted.elbo_


def test_progress_goes_to_standard_error(pixels, capsys):
    GMVAE(**FAST, verbose=True).fit(pixels)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(",")[0] for line in err.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert "elbo" in err


def trained(method, samples):
    """The fitted method, and the restart that was trained in each of its epochs."""
    numbers = []
    method.fit(samples, on_epoch=lambda model, epoch: numbers.append(model.best_init_))
    return method, numbers


def test_restarts_are_compared_in_stages(pixels):
    whole = {}
    settings = {**FAST, "epochs": 4, "n_init": 4, "select_by": "elbo"}
    GMVAE(**settings).fit(
        pixels, on_epoch=lambda m, e: whole.update({(m.best_init_, e): m.history_["elbo"][-1]})
    )
    method, numbers = trained(GMVAE(**settings, init_epochs=[1, 2]), pixels)
    two = sorted(range(4), key=lambda n: -whole[n, 1])[:2]
    one = max(two, key=lambda n: whole[n, 2])
    assert numbers == [0, 1, 2, 3, *two, one, one]
    assert method.best_init_ == one


def test_restarts_are_chosen_by_the_lowest_conditional_prior(pixels):
    ends = {}
    GMVAE(**FAST, n_init=3).fit(
        pixels,
        on_epoch=lambda m, e: ends.update({m.best_init_: m.history_["conditional_prior"][-1]}),
    )
    chosen = GMVAE(**FAST, n_init=3).fit(pixels)
    assert chosen.select_by_ == "conditional_prior", "the default for pixels"
    assert chosen.best_init_ == min(ends, key=ends.get)


def test_restarts_on_real_vectors_are_chosen_by_elbo(blobs):
    ends = {}
    settings = {**FAST, "n_clusters": 3}
    chosen = GMVAE(**settings, n_init=3).fit(
        blobs[0], on_epoch=lambda m, e: ends.update({m.best_init_: m.history_["elbo"][-1]})
    )
    assert chosen.select_by_ == "elbo"
    assert chosen.best_init_ == max(ends, key=ends.get)


def test_restarts_are_chosen_by_agreement_with_all_others(blobs):
    clusters = {}
    settings = {**FAST, "n_clusters": 3, "n_init": 4, "epochs": 3}
    GMVAE(**settings).fit(
        blobs[0], on_epoch=lambda m, e: clusters.update({(m.best_init_, e): m.predict(blobs[0])})
    )

    def best(among, epochs):
        return max(
            among,
            key=lambda n: sum(
                adjusted_rand_score(clusters[n, epochs[n]], clusters[k, epochs[k]])
                for k in range(4)
                if k != n
            ),
        )

    chosen = GMVAE(**settings, select_by="agreement").fit(blobs[0])
    assert chosen.best_init_ == best(range(4), dict.fromkeys(range(4), 3))
    staged, numbers = trained(
        GMVAE(**settings, select_by="agreement", init_epochs=[1, 2]), blobs[0]
    )
    two = numbers[4:6]
    assert two[0] == best(range(4), dict.fromkeys(range(4), 1))
    # In the second stage the two that were left behind still have a say.
    now = {number: 2 if number in two else 1 for number in range(4)}
    assert staged.best_init_ == best(two, now)


def test_two_restarts_cannot_agree(blobs):
    with pytest.raises(ValueError, match=r"needs n_init of at least 3 .*got n_init=2"):
        GMVAE(**FAST, n_init=2, select_by="agreement").fit(blobs[0])
    with pytest.raises(ValueError, match="select_by must be one of agreement; got 'elbo'"):
        DEC(**SHORT, select_by="elbo").fit(blobs[0])
    with pytest.raises(ValueError, match=r"init_epochs must be in rising order, like \[2, 4\]"):
        GMVAE(**FAST, n_init=3, init_epochs=[2, 1]).fit(blobs[0])


def test_works_in_a_pipeline(blobs):
    clusters = make_pipeline(StandardScaler(), GMVAE(**FAST)).fit_predict(blobs[0])
    assert clusters.shape == (300,)


def test_every_fit_reports_its_phases_restarts_and_epochs(blobs):
    def reported(estimator):
        reports = []
        estimator.fit(blobs[0], progress=reports.append)
        return [(one.phase, one.restart, one.epoch, one.until) for one in reports]

    assert reported(GMVAE(**FAST)) == [
        ("training", None, 1, 2),
        ("training", None, 2, 2),
    ]
    assert reported(GMVAE(**FAST, n_init=2, init_epochs=1))[:2] == [
        ("training", 0, 1, 1),
        ("training", 1, 1, 1),
    ]
    settings = {**SHORT, "pretrain_epochs": 1, "epochs": 1}
    assert reported(DEC(**settings)) == [
        ("autoencoder", None, 1, 1),
        ("training", None, 1, 1),
    ]
    assert reported(WarmGMVAE(**settings, n_init=2)) == [
        (phase, restart, 1, 1) for restart in (0, 1) for phase in ("autoencoder", "training")
    ]
