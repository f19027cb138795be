"""A network that several runs share: the bits of a run that reads it, and when it does not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from gmvae.bench.disk import files
from gmvae.bench.grid.runs import Run
from gmvae.bench.runs.train import Job, train_run

SETTINGS = {"network": "paper-fc", "epochs": 2, "batch_size": 32, "observation": "gaussian"}
FIRST = Run("blobs", "vae_gmm", None, 3, None, 7, "baselines.vae_gmm.VAEGaussianMixture", SETTINGS)
SECOND = dataclasses.replace(
    FIRST, method="vae_kmeans", K=4, class_path="baselines.vae_kmeans.VAEKMeans"
)


@pytest.fixture
def job(blobs, tmp_path):
    for split in ("train", "test"):
        files.write_array(tmp_path / f"{split}-images.npy", blobs[0].astype(np.float32))
    return Job(tmp_path / "train-images.npy", tmp_path / "test-images.npy")


def train(run, job, results):
    return train_run(run, job, results / run.path)


def test_a_run_that_reads_a_network_has_the_bits_of_one_that_trains_it(job, tmp_path):
    first = train(FIRST, job, tmp_path / "shared")
    second = train(SECOND, job, tmp_path / "shared")
    alone = train(SECOND, job, tmp_path / "alone")
    assert (first.network_of, second.network_of, alone.network_of) == (None, FIRST.path, None)
    assert second.elbo == alone.elbo == first.elbo
    read, trained = (tmp_path / place / SECOND.path for place in ("shared", "alone"))
    # Not the bytes of the files, which hold times, or names in any order.
    reader = {"test.npz": files.read_arrays, "epochs.npz": files.read_arrays}
    for name, read_it in {**reader, "model.safetensors": load_file}.items():
        arrays, others = read_it(read / name), read_it(trained / name)
        assert arrays.keys() == others.keys()
        for key in arrays.keys() - {"array.history_.seconds"}:
            array = arrays[key]
            np.testing.assert_array_equal(array, others[key])
    histories = [
        files.sha256(tmp_path / "shared" / run.path / "history.csv") for run in (FIRST, SECOND)
    ]
    assert histories[0] == histories[1]
    spent = pd.read_csv(tmp_path / "shared" / FIRST.path / "history.csv")["seconds"].iloc[-1]
    assert second.train_seconds > spent, "the time of the network counts"


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(SECOND, seed=8),
        dataclasses.replace(SECOND, parameters={**SETTINGS, "epochs": 1}),
        dataclasses.replace(SECOND, parameters={**SETTINGS, "n_init": 2}),
        dataclasses.replace(SECOND, dataset="others"),
        dataclasses.replace(SECOND, method="gmvae", M=1, class_path="gmvae.estimator.GMVAE"),
    ],
    ids=["seed", "length", "restarts", "data", "model"],
)
def test_another_network_is_not_read(job, tmp_path, other):
    train(FIRST, job, tmp_path)
    assert train(other, job, tmp_path).network_of is None


def test_a_network_of_other_threads_or_beyond_the_time_is_not_read(job, tmp_path):
    train(FIRST, job, tmp_path)
    four = dataclasses.replace(job, threads=4)
    assert train_run(SECOND, four, tmp_path / SECOND.path).network_of is None
    short = dataclasses.replace(job, time_limit=1e-4)
    other = dataclasses.replace(SECOND, K=5)
    assert train_run(other, short, tmp_path / other.path).status == "timed_out"


def test_a_damaged_network_is_not_read(job, tmp_path):
    train(FIRST, job, tmp_path)
    path = tmp_path / FIRST.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    assert train(SECOND, job, tmp_path).network_of is None


def test_a_network_of_another_machine_is_not_read(job, tmp_path, monkeypatch):
    train(FIRST, job, tmp_path)
    monkeypatch.setattr("gmvae.bench.runs.environment.machine", lambda: {"processor": "another"})
    assert train(SECOND, job, tmp_path).network_of is None
