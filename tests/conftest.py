"""Fixtures that several test files share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from running import SMOKE, copy_project, output, snakemake

from gmvae.model.architectures import architecture
from gmvae.model.gmvae import GMVAEModel


def pytest_collection_modifyitems(items):
    """Pipeline tests first: they are the longest, and would keep one worker busy at the end.

    It needs ``--no-loadscope-reorder`` in pyproject.toml.
    """
    pipeline = Path(__file__).parent / "pipeline"
    items.sort(key=lambda item: not item.path.is_relative_to(pipeline))


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def blobs():
    """Three well-separated Gaussian blobs in 4 dimensions, and the blob of each point."""
    random = np.random.default_rng(0)
    labels = np.arange(300) % 3
    centres = np.array([[0, 0, 0, 0], [8, 8, 0, 0], [0, 8, 8, 8]])
    points = centres[labels] + 0.5 * random.standard_normal((300, 4))
    return points.astype(np.float32), labels


@pytest.fixture
def small_model():
    """Maker of untrained float64 models whose components differ."""

    def make(observation="bernoulli", n_clusters=3, y_dim=6, x_dim=2, w_dim=2):
        torch.manual_seed(1)
        model = GMVAEModel(
            architecture("paper-fc"),
            y_dim=y_dim,
            x_dim=x_dim,
            w_dim=w_dim,
            n_clusters=n_clusters,
            observation=observation,
        ).double()
        with torch.no_grad():
            model.beta[-1].bias.normal_(0, 0.7)
            model.head.bias.normal_(0, 0.5)
            if observation == "gaussian":
                # Wide densities, for which Monte-Carlo estimates converge.
                model.observation_model.decoder.output_bias.zero_()
        return model.eval()

    return make


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """A copy of the project in which the smoke grid has run: once for all workers of pytest."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "smoke"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            made = copy_project(shared.with_name("smoke-made"))
            result = snakemake(made, "all", "--cores", "2", "--configfile", SMOKE)
            assert result.returncode == 0, output(result)
            made.rename(shared)
    return shutil.copytree(shared, tmp_path_factory.mktemp("project") / "project")
