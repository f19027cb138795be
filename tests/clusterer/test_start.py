"""Start of GMVAE: random, or from a mixture of codes."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from baselines.gmvae_warm import WarmGMVAE
from gmvae import GMVAE

SHORT = {"network": "paper-fc", "epochs": 2, "n_clusters": 3, "random_state": 0}


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, size=(200, 64), dtype=np.uint8)


def test_few_samples_start_from_a_mixture_by_default(pixels, monkeypatch):
    settings = {**SHORT, "pretrain_epochs": 1}
    by_default = GMVAE(**settings).fit(pixels)
    assert by_default.init_ == "mixture"
    np.testing.assert_array_equal(by_default.history_["epoch"], [1, 2, 3])
    assert np.isnan(by_default.history_["elbo"]).tolist() == [True, False, False]
    warm = WarmGMVAE(**settings).fit(pixels)
    np.testing.assert_array_equal(by_default.predict_proba(pixels), warm.predict_proba(pixels))
    monkeypatch.setattr("gmvae.estimator.FEW_SAMPLES", len(pixels))
    enough = GMVAE(**settings).fit(pixels)
    assert enough.init_ == "random"
    assert enough.elbo_ == GMVAE(**settings, init="random").fit(pixels).elbo_


def test_a_start_from_a_mixture_is_not_for_estimators_fitted_together(pixels):
    with pytest.raises(ValueError, match=r"init='auto' and \d+ samples.*; use init='random'"):
        GMVAE.fit_together([GMVAE(**SHORT)], pixels)


def test_restarts_from_mixtures_are_compared_after_their_own_epochs(pixels):
    seen = []
    chosen = GMVAE(**SHORT, pretrain_epochs=3, n_init=2, init_epochs=1).fit(
        pixels, on_epoch=lambda model, epoch: seen.append((model.best_init_, epoch))
    )
    assert seen == [(0, 4), (1, 4), (chosen.best_init_, 5)], "the autoencoders have epochs 1 to 3"


def test_the_start_is_saved(pixels, tmp_path):
    for init, used in (("auto", "mixture"), ("random", "random")):
        path = tmp_path / f"{init}.safetensors"
        GMVAE(**SHORT, init=init).fit(pixels).save(path)
        assert (GMVAE.load(path).init, GMVAE.load(path).init_) == (init, used)
    # A file from before the parameter, when GMVAE had a random start.
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for part, name in (("parameters", "init"), ("attributes", "init_")):
        values = json.loads(header[part])
        del values[name]
        header[part] = json.dumps(values)
    save_file(tensors, path, header)
    assert (GMVAE.load(path).init, GMVAE.load(path).init_) == ("random", "random")
