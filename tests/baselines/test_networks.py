"""Behaviour of every method with a network: phases, records, failures."""

import math

import pytest
import torch
from sklearn.exceptions import NotFittedError

from baselines import aae, catgan, dec, gmvae_warm, vade
from baselines.shared.autoencoder import Masking
from gmvae.bench.runs.metrics import accuracy_hungarian
from gmvae.training.checkpoints import Checkpoints, Series
from gmvae.training.loop import DivergenceError


def test_masking_hides_the_share_that_it_should():
    masking = Masking(0.2, torch.zeros(500))
    y = torch.ones(100, 500)
    seen = masking(y, masking.draw((100, 500), torch.Generator().manual_seed(1)))
    assert set(seen.unique().tolist()) == {0.0, 1.0}
    assert float(seen.mean()) == pytest.approx(0.8, abs=4 * 0.4 / math.sqrt(50_000))


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


@pytest.mark.parametrize(
    ("make", "changes", "stops"),
    [
        (
            lambda **more: dec.DEC(3, tolerance=0.0, batch_size=64, **FIRST, **more),
            {"updates_per_epoch": 3},
            (17, 21),  # in the clustering phase, after 15 steps of the autoencoder
        ),
        (
            lambda **more: aae.AAE(3, batch_size=64, **SHORT, **more),
            {"learnt_scale": True, "dropout": 0.2, "adversary_speed": 0.3},
            (4, 8),
        ),
    ],
    ids=["dec", "aae"],
)
def test_options_count_and_are_resumed_to_the_same_bits(make, changes, stops, blobs, tmp_path):
    """Five steps an epoch, and a checkpoint after each; stopped twice."""
    expected = make(**changes).fit(blobs[0]).model_.state_dict()
    usual = make().fit(blobs[0]).model_.state_dict()
    shared = [name for name in expected if name in usual]
    assert any(not torch.equal(expected[name], usual[name]) for name in shared)

    class StopError(Exception):
        pass

    steps = []
    save = Series.save

    def stopping(self, state):
        save(self, state)
        steps.append(0)
        if len(steps) in stops:
            raise StopError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Series, "save", stopping)
        for _ in range(2):
            with pytest.raises(StopError):
                make(**changes).fit(blobs[0], checkpoint=Checkpoints(tmp_path, seconds=0))
    last = Checkpoints(tmp_path, seconds=0)
    resumed = make(**changes).fit(blobs[0], checkpoint=last).model_.state_dict()
    assert last.resumed == 2
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


def test_nothing_of_an_earlier_fit_is_left(blobs):
    method = dec.DEC(3, **FIRST).fit(blobs[0])
    method.set_params(pretrain_learning_rate=1e30, batch_size=300)
    with pytest.raises(DivergenceError):
        method.fit(blobs[0])
    assert not hasattr(method, "labels_")


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
