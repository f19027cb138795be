"""Images of any shape, as a user passes them to an estimator."""

import numpy as np
import pytest

from gmvae import GMVAE

COLOURS = np.random.default_rng(3).integers(0, 256, (60, 10, 8, 3)).astype(np.uint8)
CONV = {"n_clusters": 3, "network": "fast-conv", "epochs": 1, "batch_size": 20, "random_state": 0}


def test_images_tell_their_shape_and_flat_samples_take_it_from_image_shape(tmp_path):
    seen = GMVAE(**CONV).fit(COLOURS)
    assert seen.image_shape_ == (10, 8, 3)
    assert seen.n_features_in_ == 240
    told = GMVAE(**CONV, image_shape=[10, 8, 3]).fit(COLOURS.reshape(60, -1))
    np.testing.assert_array_equal(seen.predict_proba(COLOURS), told.predict_proba(COLOURS))
    np.testing.assert_array_equal(seen.transform(COLOURS), seen.transform(COLOURS.reshape(60, -1)))
    seen.save(tmp_path / "model.safetensors")
    again = GMVAE.load(tmp_path / "model.safetensors")
    assert again.image_shape_ == (10, 8, 3)
    np.testing.assert_array_equal(again.predict(COLOURS), seen.predict(COLOURS))
    grey = GMVAE(**CONV).fit(COLOURS[..., 0])
    assert grey.image_shape_ == (10, 8, 1)


def test_images_of_another_shape_are_refused():
    with pytest.raises(
        ValueError, match=r"image_shape=\(8, 10, 2\) has 160 values, but each .* 240"
    ):
        GMVAE(**CONV, image_shape=[8, 10, 2]).fit(COLOURS.reshape(60, -1))
    with pytest.raises(
        ValueError, match=r"images of shape \(10, 8, 3\) .* image_shape=\(8, 10, 3\)"
    ):
        GMVAE(**CONV, image_shape=[8, 10, 3]).fit(COLOURS)
    with pytest.raises(ValueError, match=r"image_shape must be like \[28, 28\] or \[40, 24, 3\]"):
        GMVAE(**CONV, image_shape=28).fit(COLOURS)
    fitted = GMVAE(**CONV).fit(COLOURS)
    with pytest.raises(ValueError, match=r"images of shape \(8, 10, 3\)"):
        fitted.predict(COLOURS.transpose(0, 2, 1, 3))


def test_no_images_at_all_are_refused_like_no_samples():
    fitted = GMVAE(**CONV).fit(COLOURS)
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        fitted.predict(COLOURS[:0])


def test_a_loaded_model_has_the_attributes_of_a_fitted_one(tmp_path):
    fitted = GMVAE(**CONV).fit(COLOURS)
    fitted.save(tmp_path / "model.safetensors")
    loaded = GMVAE.load(tmp_path / "model.safetensors")
    assert (loaded.epochs_, loaded.select_by_) == (1, "conditional_prior")
