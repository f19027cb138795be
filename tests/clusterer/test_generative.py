"""Generation, files and refusals of a GMVAE."""

import numpy as np
import pytest
import torch

from gmvae import GMVAE, DivergenceError
from gmvae.training.loop import Training

SEPARATING = {"epochs": 200, "batch_size": 32, "learning_rate": 3e-3, "random_state": 0}


FAST = {"network": "paper-fc", "epochs": 2, "n_clusters": 3, "random_state": 0}


@pytest.fixture(scope="module")
def pixels():
    random = np.random.default_rng(0)
    return random.integers(0, 256, size=(200, 64), dtype=np.uint8)


@pytest.fixture(scope="module")
def fitted(pixels):
    return GMVAE(**FAST).fit(pixels)


@pytest.mark.parametrize("network", ["fast-fc", "paper-fc"])
@pytest.mark.parametrize("observation", ["bernoulli", "gaussian"])
def test_saved_and_loaded_is_the_same(tmp_path, pixels, network, observation):
    parameters = {**FAST, "network": network, "observation": observation, "epochs": 1}
    model = GMVAE(**parameters).fit(pixels)
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = GMVAE.load(path)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.predict_proba(pixels), model.predict_proba(pixels))
    np.testing.assert_array_equal(loaded.labels_, model.labels_)
    assert loaded.score(pixels) == model.score(pixels)
    assert loaded.elbo_ == model.elbo_
    for name, values in model.history_.items():
        np.testing.assert_array_equal(loaded.history_[name], values)


def test_loading_what_is_not_a_model(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="is not a readable safetensors file"):
        GMVAE.load(path)
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"was not written by GMVAE\.save"):
        GMVAE.load(path)
    save_file({"a": np.zeros(1)}, path, {"format": "gmvae-1"})
    with pytest.raises(ValueError, match="written by an older version of gmvae"):
        GMVAE.load(path)


def test_samples_of_a_cluster_and_a_style(fitted):
    images, clusters = fitted.sample(6, cluster=1, random_state=0)
    assert images.shape == (6, 64)
    assert images.min() >= 0
    assert images.max() <= 1
    assert set(clusters) == {1}
    again, _ = fitted.sample(6, cluster=1, random_state=0)
    np.testing.assert_array_equal(images, again)
    styled, _ = fitted.sample(6, cluster=1, w=[0.0, 0.0], random_state=0)
    assert not np.array_equal(styled, images)
    _, drawn = fitted.sample(300, random_state=0)
    assert set(drawn) == {0, 1, 2}


def test_samples_come_from_the_component_that_is_asked_for(blobs):
    points, _ = blobs
    model = GMVAE(3, network="paper-fc", **SEPARATING).fit(points)
    for cluster in range(3):
        drawn, _ = model.sample(200, cluster=cluster, random_state=0)
        centre = points[model.labels_ == cluster].mean(0)
        assert np.linalg.norm(drawn.mean(0) - centre) < 2.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cluster": 3}, "cluster must be from 0 to 2, got 3"),
        ({"cluster": 1.0}, "cluster must be from 0 to 2, got 1.0"),
        ({"cluster": True}, "cluster must be from 0 to 2, got True"),
        ({"w": [0, 0, 0]}, r"w must be finite and of shape \(2,\) or \(1, 2\), got shape \(3,\)"),
        ({"n_samples": 0}, "n_samples must be an integer of at least 1, got 0"),
    ],
)
def test_sample_refuses(fitted, arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted.sample(**arguments)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "n_clusters must be an integer of at least 1, got 0"),
        ({"n_samples_mc": 0}, "n_samples_mc must be an integer of at least 1, got 0"),
        ({"n_clusters": 2.5}, "n_clusters must be an integer"),
        ({"x_dim": 0}, "x_dim must be an integer of at least 1"),
        ({"network": "fast-fd"}, "unknown network 'fast-fd'"),
        ({"objective": "exac"}, "objective must be one of paper, exact; got 'exac'"),
        ({"observation": "poisson"}, "observation must be one of auto, bernoulli, gaussian"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16"),
        ({"device": "tpu"}, "device must be one of cpu, cuda, auto"),
        ({"verbose": 1}, "verbose must be True or False"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0"),
        (
            {"learning_rate": "1e-3"},
            "in YAML write it with a point and a sign, like 1.0e-3",
        ),
        ({"learning_rate": np.inf}, "learning_rate must be a finite number above 0, got inf"),
        ({"batch_size": 1}, "batch_size must be an integer of at least 2, got 1"),
        ({"schedule": "linear"}, "schedule must be one of cosine, constant"),
        ({"epochs": 0}, "epochs must be an integer of at least 1"),
        ({"z_prior_threshold": -1}, "z_prior_threshold must be a finite number of at least 0"),
        ({"n_clusters": 201}, r"n_clusters=201.*n_samples=200"),
        ({"network": "fast-conv", "n_clusters": 2}, "8x8|square"),
    ],
)
def test_fit_refuses(pixels, parameters, message):
    samples = pixels if "network" not in parameters else pixels[:, :10]
    with pytest.raises(ValueError, match=message):
        GMVAE(**{**FAST, **parameters}).fit(samples)


def test_cuda_where_there_is_none(pixels):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ValueError, match="no CUDA device is available"):
        GMVAE(**FAST, device="cuda").fit(pixels)
    assert GMVAE(**FAST, device="auto").fit(pixels).model_.head.weight.device.type == "cpu"


def test_bernoulli_refuses_values_that_are_no_probabilities(blobs):
    with pytest.raises(ValueError, match=r"observation='bernoulli' needs values from 0 to 1, but"):
        GMVAE(**FAST, observation="bernoulli").fit(blobs[0])
    assert GMVAE(**FAST).fit(blobs[0]).observation_ == "gaussian"


def test_bytes_that_are_bits_are_refused(pixels):
    with pytest.raises(ValueError, match=r"holds nothing above 1.*astype\('float32'\)"):
        GMVAE(**FAST).fit((pixels > 128).astype(np.uint8))


def test_values_too_large_for_float32(blobs):
    with pytest.raises(ValueError, match="too large for float32; scale it first"):
        GMVAE(**FAST).fit(blobs[0].astype(np.float64) * 1e200)


def test_divergence_is_told(blobs):
    model = GMVAE(**{**FAST, "learning_rate": 1e30})
    with pytest.raises(DivergenceError, match="not finite; a lower learning_rate") as caught:
        model.fit(blobs[0])
    assert len(caught.value.history["loss"]) >= 1


def test_divergence_in_the_very_last_step_is_told_too(blobs):
    model = GMVAE(**{**FAST, "epochs": 1, "batch_size": 300, "learning_rate": 1e30})
    with pytest.raises(DivergenceError, match="diverged in its last step"):
        model.fit(blobs[0])


def test_restarts_that_diverge_are_left_out_with_a_warning(blobs, monkeypatch):
    run = Training.run
    failed = []

    def first_one_fails(self, until, on_epoch=None):
        if not failed:
            failed.append(True)
            raise DivergenceError("made up")
        run(self, until, on_epoch)

    monkeypatch.setattr(Training, "run", first_one_fails)
    with pytest.warns(UserWarning, match="restart 1 of 2 left out: made up"):
        model = GMVAE(**FAST, n_init=2).fit(blobs[0])
    assert model.best_init_ == 1


def test_bernoulli_checks_its_range_at_prediction_too(pixels, fitted):
    with pytest.raises(ValueError, match="needs values from 0 to 1, but Y goes from 0 to 255"):
        fitted.predict(pixels.astype(np.float32))
