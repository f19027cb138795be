"""Constraints that annotations of fields declare."""

import subprocess
import sys
import typing

import numpy as np
import pytest

from baselines.aae import AAE
from baselines.catgan import CatGAN
from baselines.dec import DEC
from baselines.gmvae_warm import WarmGMVAE
from baselines.vade import VaDE
from baselines.vae_gmm import VAEGaussianMixture
from baselines.vae_kmeans import VAEKMeans
from gmvae import GMVAE
from gmvae.clusterer import parameters
from gmvae.clusterer.parameters import check_parameters

ESTIMATORS = [AAE, CatGAN, DEC, GMVAE, VAEGaussianMixture, VAEKMeans, VaDE, WarmGMVAE]


def check(text, value):
    """Check a value against an annotation as it stands in a source file."""
    check_parameters({"name": eval(text, dict(vars(parameters)))}, {"name": value})


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        ("Count", [1, 30, np.int64(5)]),
        ("Count | None", [1, None]),
        ("BatchSize", [2]),
        ("Positive", [1e-30, 1, np.float32(0.5)]),
        ("Positive | None", [5.0, None]),
        ("NonNegative", [0, 0.0, 3]),
        ("Share", [0, 0.2, 0.999]),
        ("Flag", [True, False]),
        ("NetworkName", ["fast-fc", "paper-conv"]),
        ("Device", ["cpu", "cuda:1", "auto"]),
        ("Schedule", ["cosine", "constant"]),
        ("Seed", [0, None, np.random.RandomState(0)]),
        ("int", ["an annotation without a constraint lets everything pass"]),
    ],
)
def test_values_that_fit(annotation, values):
    for value in values:
        check(annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("Count", 0, "name must be an integer of at least 1, got 0"),
        ("Count", True, "name must be an integer of at least 1, got True"),
        ("Count", 2.0, "name must be an integer of at least 1, got 2.0"),
        ("Count", None, "name must be an integer of at least 1, got None"),
        (
            "Count | None",
            0,
            "name must be an integer of at least 1, got 0; null (None) is possible, too",
        ),
        ("BatchSize", 1, "name must be an integer of at least 2, got 1"),
        ("Positive", 0, "name must be a finite number above 0, got 0"),
        ("Positive", float("nan"), "name must be a finite number above 0, got nan"),
        ("NonNegative", -1e-9, "name must be a finite number of at least 0, got -1e-09"),
        ("NonNegative", False, "name must be a finite number of at least 0, got False"),
        ("Share", 1, "name must be a number from 0 to below 1, like 0.2; got 1"),
        ("Flag", 1, "name must be True or False, got 1"),
        ("Device", "cudas", "name must be one of cpu, cuda, auto; got 'cudas'"),
        ("Precision", "float16", "name must be one of float32, bfloat16; got 'float16'"),
    ],
)
def test_values_that_do_not_fit(annotation, value, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the whole message is compared
        check(annotation, value)
    assert str(caught.value) == message


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_parameter_has_an_annotation_that_its_default_fits(cls):
    hints = typing.get_type_hints(cls, include_extras=True)
    defaults = cls().get_params()
    assert set(defaults) <= set(hints)
    check_parameters(hints, defaults)


def test_the_benchmark_reads_them_without_torch():
    program = "import sys, gmvae.clusterer.parameters; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
