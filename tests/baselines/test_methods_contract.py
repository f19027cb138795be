"""One contract for every method of the benchmark, ours and foreign."""

import inspect

import numpy as np
import pytest
from running import METHODS
from sklearn.base import clone

from gmvae.bench.grid import methods, sources
from gmvae.bench.runs.metrics import accuracy_hungarian

NETWORK = {"network": "paper-fc", "epochs": 60, "batch_size": 32, "learning_rate": 3e-3}
FOREIGN = {"birch": "sklearn.cluster.Birch"}
NAMES = [*methods.available(), *FOREIGN]


def make(name, **changes):
    method = methods.find(name, FOREIGN.get(name))
    cls = methods.import_class(method.class_path)
    # Nothing tells GMVAE, unlike the others, where to begin: the ELBO chooses among its starts.
    more = {"n_init": 4} if name == "gmvae" else {}
    arguments = {"random_state": 0, **NETWORK, **more, **changes}
    accepted = inspect.signature(cls).parameters
    return cls(
        **{method.clusters_argument: 3}, **{k: v for k, v in arguments.items() if k in accepted}
    )


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_separates_blobs(name, blobs):
    points, labels = blobs
    method = make(name).fit(points)
    assert accuracy_hungarian(method.predict(points), labels) == 1.0


def test_leaves_the_samples_as_they_are(name, blobs):
    points = blobs[0].copy()
    points.flags.writeable = False
    make(name, epochs=2).fit(points).predict(points)
    np.testing.assert_array_equal(points, blobs[0])


def test_same_seed_same_answer(name, blobs):
    points, _ = blobs
    first, second = (make(name, epochs=3).fit(points).predict(points) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_probabilities_agree_with_clusters(name, blobs):
    points, _ = blobs
    method = make(name, epochs=3).fit(points)
    if not hasattr(method, "predict_proba"):
        assert name in ("kmeans", "vae_kmeans", "birch") or name not in METHODS
        return
    probabilities = method.predict_proba(points)
    assert probabilities.shape == (300, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(1), method.predict(points))


def test_clone_and_parameters(name):
    method = make(name)
    copy = clone(method)
    assert copy is not method
    assert copy.get_params() == method.get_params()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_values_that_are_not_finite(name, blobs, bad):
    points = blobs[0].copy()
    points[5, 1] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        make(name).fit(points)


def test_refuses_wrong_shapes(name, blobs):
    points, _ = blobs
    with pytest.raises(ValueError, match=r"Expected 2D array|dim"):
        make(name).fit(points[:, 0])
    fitted = make(name, epochs=1).fit(points)
    with pytest.raises(ValueError, match=r"4 features"):
        fitted.predict(points[:, :3])


def test_refuses_fewer_samples_than_clusters(name, blobs):
    if name == "birch":
        pytest.skip("Birch takes what it gets and warns")
    with pytest.raises(ValueError, match=r"n_samples ?= ?2|n_samples=2"):
        make(name).fit(blobs[0][:2])


@pytest.mark.parametrize("own", methods.available())
def test_saved_and_loaded_is_the_same(own, blobs, tmp_path):
    check_saved(own, blobs[0], tmp_path, epochs=2, pretrain_epochs=2)


@pytest.mark.parametrize("own", ["aae", "catgan", "gmvae", "gmvae_warm", "vae_gmm", "vae_kmeans"])
def test_a_saved_convolutional_network_is_the_same(own, tmp_path):
    images = np.random.default_rng(0).integers(256, size=(60, 784), dtype=np.uint8)
    check_saved(own, images, tmp_path, network="fast-conv", epochs=2, pretrain_epochs=1)


def check_saved(own, samples, folder, **changes):
    method = make(own, **changes).fit(samples)
    if not hasattr(method, "save"):
        assert own not in METHODS
        return
    path = folder / "fitted"
    method.save(path)
    loaded = type(method).load(path)
    assert loaded.get_params() == method.get_params()
    np.testing.assert_array_equal(loaded.labels_, method.labels_)
    for name in ("predict", "predict_proba", "transform"):
        if hasattr(method, name):
            np.testing.assert_array_equal(
                getattr(loaded, name)(samples), getattr(method, name)(samples)
            )
    for name, values in getattr(method, "history_", {}).items():
        np.testing.assert_array_equal(loaded.history_[name], values)
    if hasattr(method, "elbo_"):
        assert loaded.elbo_ == method.elbo_
    again = folder / "again"
    loaded.save(again)
    assert type(method).load(again).get_params() == method.get_params()
    assert b"pickle" not in path.read_bytes()


def test_loading_the_file_of_another_method_or_of_none(blobs, tmp_path):
    points, _ = blobs
    path = tmp_path / "fitted"
    kmeans = make("kmeans").fit(points)
    kmeans.save(path)
    other = type(make("gmm"))
    with pytest.raises(ValueError, match=r"holds a PixelKMeans; read it with PixelKMeans\.load"):
        other.load(path)
    path.write_bytes(b"not a file of this kind")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        other.load(path)
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"was not written by PixelGaussianMixture\.save"):
        other.load(path)


def test_own_files_are_the_sources_of_a_run():
    found = {path.as_posix() for path in sources.source_files("baselines.vae_gmm")}
    for path in ("baselines/vae_gmm.py", "baselines/shared/vae.py", "gmvae/model/networks.py"):
        assert path in found
    assert "gmvae/training/loop.py" in found
    assert "gmvae/estimator.py" not in found
    assert not any(path.startswith("gmvae/bench") for path in found)
    assert sources.source_files("sklearn.cluster") == ()


def test_arguments_read_from_source_are_those_of_the_class():
    for name in methods.available():
        method = methods.find(name)
        signature = inspect.signature(methods.import_class(method.class_path)).parameters
        assert list(method.arguments) == list(signature)
        for argument, default in method.arguments.items():
            if default is not None:
                assert default == signature[argument].default
