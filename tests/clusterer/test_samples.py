"""Samples as they come: memory maps, lists of images, small counts; and warnings of bad fits."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from out_of_core import Peak, anonymous_mb, write_samples
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from gmvae import GMVAE
from gmvae.clusterer import evaluation, samples
from gmvae.model import observation

FAST = {"n_clusters": 3, "network": "paper-fc", "epochs": 1, "random_state": 0}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of the size that they have for samples a hundred times larger."""
    monkeypatch.setattr(observation, "VALUES_AT_A_TIME", 1 << 18)
    monkeypatch.setattr(samples, "VALUES_AT_A_TIME", 1 << 18)
    monkeypatch.setattr(evaluation, "ROWS_AT_A_TIME", 2 * evaluation.EVALUATION_BATCH)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_memory_map_is_not_copied(tmp_path, small_blocks):
    """80 MB of samples; a copy of all, in float32 or float64, would show."""
    write_samples(tmp_path / "few.npy", 1000, 400)
    write_samples(tmp_path / "many.npy", 50_000, 400)

    def fit(name):
        points = np.load(tmp_path / name, mmap_mode="r")
        model = GMVAE(**FAST, batch_size=500).fit(points)
        assert model.observation_ == "gaussian"
        return model.predict(points), model.labels_

    fit("few.npy")  # what torch needs for itself
    before = anonymous_mb()
    with Peak() as peak:
        clusters, labels = fit("many.npy")
    assert peak.mb - before < 40, f"{peak.mb - before:.0f} MB"
    np.testing.assert_array_equal(clusters, labels)


def test_blocks_give_what_the_whole_gives(small_blocks, monkeypatch, tmp_path):
    write_samples(tmp_path / "points.npy", 3000, 20)
    points = np.load(tmp_path / "points.npy", mmap_mode="r")
    whole = GMVAE(**FAST).fit(points)
    for module in (samples, observation):
        monkeypatch.setattr(module, "VALUES_AT_A_TIME", 1000)
    blocks = GMVAE(**FAST).fit(points.astype(np.float64))
    for name, expected in whole.model_.observation_model.named_buffers():
        found = dict(blocks.model_.observation_model.named_buffers())[name]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    assert (blocks.labels_ == whole.labels_).mean() > 0.99


@pytest.mark.parametrize(("bad", "message"), [(np.nan, "NaN"), (1e300, "too large for float32")])
def test_a_bad_value_is_found_in_any_block(small_blocks, monkeypatch, bad, message):
    monkeypatch.setattr(samples, "VALUES_AT_A_TIME", 100)
    points = np.random.default_rng(0).normal(size=(500, 7))
    points[433, 2] = bad
    with pytest.raises(ValueError, match=message):
        GMVAE(**FAST).fit(points)


def test_lists_of_images_are_images_and_more_axes_get_a_hint():
    images = np.random.default_rng(0).random((40, 6, 5))
    model = GMVAE(**FAST).fit(list(images))
    assert model.image_shape_ == (6, 5, 1)
    np.testing.assert_array_equal(model.predict(images.tolist()), model.predict(images))
    np.testing.assert_array_equal(model.transform(list(images)), model.transform(images))
    hint = r"has 5 axes, .*images in \(n_samples, height, width\[, channels\]\)"
    for use in (model.predict, model.transform, model.fit):
        with pytest.raises(ValueError, match=hint):
            use(images[..., None, None])


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32"])
def test_small_counts_are_named_with_their_remedies(kind):
    counts = load_digits().data.astype(kind)
    remedies = r"from 0 to (255, but goes to )?16.* Y / 16.*observation='gaussian'"
    with pytest.warns(UserWarning, match=remedies):
        GMVAE(**FAST).fit(counts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        GMVAE(**FAST).fit(counts / 16)
        GMVAE(**FAST, observation="gaussian").fit(counts)
        GMVAE(**FAST).fit((counts / 16 * 255).astype(np.uint8))
        GMVAE(**FAST).fit(counts + 0.5)


def test_a_collapse_is_a_warning_with_what_to_try(blobs):
    collapsed = np.zeros((200, 4), np.uint8)
    collapsed[0] = 255
    with pytest.warns(ConvergenceWarning, match=r"only 1 of 3 clusters .*n_init=4"):
        GMVAE(init="random", **FAST).fit(collapsed)
    with pytest.warns(ConvergenceWarning, match=r"only 1 of 3 clusters"):
        GMVAE.fit_together([GMVAE(init="random", **FAST)], collapsed)
    for n_used, is_warned in ((1, True), (4, True), (5, False), (10, False)):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            evaluation.warn_of_collapse(np.arange(50) % n_used, 10)
        assert bool(seen) == is_warned, n_used


def test_a_short_training_is_a_warning_with_what_to_try(blobs):
    points, _ = blobs
    with pytest.warns(
        ConvergenceWarning, match=r"epochs=1 is a short training: .* has 2; .*epochs=100 or more"
    ) as seen:
        GMVAE(init="random", **FAST).fit(points)
    assert seen[0].filename == __file__, "it should point at the call of fit"
    with pytest.warns(ConvergenceWarning, match="epochs=1 is a short training") as seen:
        GMVAE.fit_together([GMVAE(init="random", **FAST)], points)
    assert seen[0].filename == __file__
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        GMVAE(init="random", **{**FAST, "epochs": None}, batch_size=100).fit(points)
    assert not [one for one in seen if "short training" in str(one.message)]


def test_columns_have_names_and_can_be_a_data_frame(blobs):
    points, _ = blobs
    model = GMVAE(**FAST).fit(points)
    assert list(model.get_feature_names_out()) == ["gmvae0", "gmvae1"]
    frame = model.set_output(transform="pandas").transform(points)
    assert list(frame.columns) == ["gmvae0", "gmvae1"]
    np.testing.assert_array_equal(frame, model.set_output(transform="default").transform(points))
