"""Killed trainings resume and end with the same bits, whatever happened to their files."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from baselines.aae import AAE
from baselines.catgan import CatGAN
from baselines.dec import DEC
from baselines.gmvae_warm import WarmGMVAE
from baselines.shared.adversarial import GameStep
from baselines.vade import VaDE
from baselines.vae_gmm import VAEGaussianMixture
from gmvae import GMVAE
from gmvae.clusterer.together import StepTogether
from gmvae.training.checkpoints import Checkpoints, CheckpointWarning
from gmvae.training.step import TrainingStep

NETWORK = {"network": "paper-fc", "epochs": 3, "batch_size": 64, "random_state": 5}
SETTINGS = {
    "alone": (GMVAE, {"n_clusters": 3, "init": "random"}),
    "restarts": (
        GMVAE,
        {
            "n_clusters": 3,
            "init": "random",
            "n_init": 3,
            "init_epochs": 2,
            "n_samples_mc": 2,
            "init_n_samples_mc": 1,
        },
    ),
    "exact": (GMVAE, {"n_clusters": 3, "objective": "exact", "precision": "bfloat16"}),
    "conv": (GMVAE, {"n_clusters": 3, "network": "fast-conv", "precision": "bfloat16"}),
    "vae": (VAEGaussianMixture, {"n_clusters": 3}),
    "dec": (DEC, {"n_clusters": 3, "pretrain_epochs": 2, "tolerance": 0.0}),
    "converged": (DEC, {"n_clusters": 3, "pretrain_epochs": 20, "epochs": 40, "tolerance": 0.05}),
    "vade": (VaDE, {"n_clusters": 3, "pretrain_epochs": 2}),
    "aae": (AAE, {"n_clusters": 3}),
    "catgan": (CatGAN, {"n_clusters": 3, "precision": "bfloat16"}),
    "warm": (WarmGMVAE, {"n_clusters": 3, "pretrain_epochs": 2, "n_init": 2}),
    "jitter": (WarmGMVAE, {"n_clusters": 3, "pretrain_epochs": 2, "jitter": 0.1}),
}


class KilledError(BaseException):
    """Stands in for the end of the process."""


@pytest.fixture
def kill(monkeypatch):
    """End the training after a number of further steps, as a kill would."""
    originals = {}

    def after(steps, *classes):
        left = [steps]
        for cls in classes or (TrainingStep, GameStep):
            step = originals.setdefault(cls, cls.__call__)

            def call(self, *arguments, step=step):
                if left[0] == 0:
                    raise KilledError
                left[0] -= 1
                return step(self, *arguments)

            monkeypatch.setattr(cls, "__call__", call)

    yield after
    monkeypatch.undo()


@pytest.fixture(autouse=True)
def processors_differ():
    """The speed of bfloat16 on this processor does not matter here."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "this processor has no bfloat16")
        yield


def make(setting):
    cls, parameters = SETTINGS[setting]
    return cls(**{**NETWORK, **parameters})


def assert_same(one, other):
    for name, value in one.model_.state_dict().items():
        assert torch.equal(value, other.model_.state_dict()[name]), name
    for name in set(one.history_) - {"seconds"}:
        np.testing.assert_array_equal(one.history_[name], other.history_[name])
    np.testing.assert_array_equal(one.labels_, other.labels_)
    assert getattr(one, "elbo_", None) == getattr(other, "elbo_", None)


def note(model, epoch):
    return {"probabilities": model.predict_proba(model.watched), "epoch": np.array([epoch])}


@pytest.mark.parametrize("setting", SETTINGS)
def test_killed_after_any_step_it_ends_with_the_same_bits(setting, blobs, kill, tmp_path):
    """Each attempt ends after a few more steps, until one finishes."""
    samples = blobs[0][:200]
    if setting in ("conv", "jitter"):
        samples = np.random.default_rng(0).integers(0, 256, (200, 64), dtype=np.uint8)
    expected = make(setting).fit(samples)
    watched = hasattr(expected, "predict_proba") and setting != "vae"
    attempts = 0
    while True:
        kill(1 + attempts % 4)
        model = make(setting)
        model.watched = samples[:7]
        checkpoints = Checkpoints(tmp_path, seconds=0)
        try:
            model.fit(samples, checkpoint=checkpoints, **({"on_epoch": note} if watched else {}))
            break
        except KilledError:
            attempts += 1
    assert attempts >= 3
    assert checkpoints.resumed == attempts
    assert_same(model, expected)
    if setting == "converged":
        assert model.converged_
        assert len(model.history_["epoch"]) < 60
        return
    if watched:
        epochs = [int(record["epoch"][0]) for record in model.records_]
        assert epochs == expected.history_["epoch"][-3:].tolist()
        last = model.records_[-1]["probabilities"]
        np.testing.assert_array_equal(last, model.predict_proba(samples[:7]))


def test_networks_trained_together_resume_too(blobs, kill, tmp_path):
    def estimators():
        more = {"n_clusters": 3, "n_init": 2, "init_epochs": 2}
        return [
            GMVAE(init="random", **{**NETWORK, **more, "random_state": seed}) for seed in (1, 2)
        ]

    expected = estimators()
    GMVAE.fit_together(expected, blobs[0])
    kills = 0
    while True:
        kill(2, StepTogether)
        models = estimators()
        try:
            GMVAE.fit_together(models, blobs[0], checkpoint=Checkpoints(tmp_path, seconds=0))
            break
        except KilledError:
            kills += 1
    assert kills > 3
    for one, other in zip(models, expected, strict=True):
        assert_same(one, other)


def test_time_already_spent_is_not_lost(blobs, kill, tmp_path):
    kill(9)
    with pytest.raises(KilledError):
        make("alone").fit(blobs[0], checkpoint=Checkpoints(tmp_path, seconds=0))
    kill(100)
    checkpoints = Checkpoints(tmp_path, seconds=0)
    model = make("alone").fit(blobs[0], checkpoint=checkpoints)
    assert 0 < checkpoints.restored_seconds < model.history_["seconds"][-1]


def stop_with_states(kill, samples, folder, steps=7):
    kill(steps)
    with pytest.raises(KilledError):
        make("alone").fit(samples, checkpoint=Checkpoints(folder, seconds=0))
    kill(100)
    return sorted(folder.glob("*.safetensors"))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip, empty])
@pytest.mark.parametrize("n_damaged", [1, 2])
def test_a_damaged_state_is_set_aside_and_the_one_before_it_used(
    damage, n_damaged, blobs, kill, tmp_path
):
    states = stop_with_states(kill, blobs[0], tmp_path)
    assert len(states) == 2
    for path in states[-n_damaged:]:
        damage(path)
    checkpoints = Checkpoints(tmp_path)
    with pytest.warns(CheckpointWarning, match=r"cannot be used \(its checksum is wrong\)") as seen:
        model = make("alone").fit(blobs[0], checkpoint=checkpoints)
    assert sum(one.category is CheckpointWarning for one in seen) == n_damaged
    assert len(list(tmp_path.glob("*.damaged"))) == n_damaged
    assert checkpoints.resumed == (1 if n_damaged == 1 else 0)
    assert_same(model, make("alone").fit(blobs[0]))


@pytest.mark.parametrize("changes", [{"learning_rate": 0.01}, {"random_state": 6}, {}])
def test_a_state_of_another_fit_is_left_alone(changes, blobs, kill, tmp_path):
    samples = blobs[0]
    others = stop_with_states(kill, samples if changes else samples + 1, tmp_path)
    changed = make("alone").set_params(**changes)
    with pytest.warns(CheckpointWarning, match="checkpoints of another fit are in .*left alone"):
        changed.fit(samples, checkpoint=tmp_path)
    assert_same(changed, make("alone").set_params(**changes).fit(samples))
    assert sorted(tmp_path.iterdir()) == others


def test_other_files_in_the_folder_stay(blobs, tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    make("alone").fit(blobs[0], checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_columns_of_a_history_keep_their_order(blobs, kill, tmp_path):
    stop_with_states(kill, blobs[0], tmp_path, steps=3)
    model = make("alone").fit(blobs[0], checkpoint=tmp_path)
    assert list(model.history_) == list(make("alone").fit(blobs[0]).history_)


def test_what_on_epoch_may_return(blobs, tmp_path):
    values = np.arange(6)
    noted = {"a": values, "the same": values, "backwards": values[::-1], "one": 1.5}
    checkpoints = Checkpoints(tmp_path, seconds=0)
    model = make("alone").fit(blobs[0], on_epoch=lambda *_: noted, checkpoint=checkpoints)
    np.testing.assert_array_equal(model.records_[2]["backwards"], values[::-1])
    with pytest.raises(ValueError, match="on_epoch should return arrays of numbers, but 'name' is"):
        make("alone").fit(blobs[0], on_epoch=lambda *_: {"name": "x"})


def test_folder_given_by_its_path_is_removed_in_the_end(blobs, tmp_path):
    make("alone").fit(blobs[0], checkpoint=tmp_path / "states")
    assert not (tmp_path / "states").exists()


def test_random_state_must_be_an_integer(blobs, tmp_path):
    model = make("alone").set_params(random_state=None)
    with pytest.raises(ValueError, match="checkpoint needs an integer as random_state"):
        model.fit(blobs[0], checkpoint=tmp_path)


def test_a_full_disk_does_not_end_a_training(blobs, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.warns(CheckpointWarning, match="no checkpoint could be written.*No space left"):
        model = make("alone").fit(blobs[0], checkpoint=Checkpoints(tmp_path, seconds=0))
    monkeypatch.undo()
    assert not list(tmp_path.glob("*"))
    assert_same(model, make("alone").fit(blobs[0]))


SCRIPT = """
import sys, numpy as np, torch
torch.set_num_threads(1)
from gmvae import GMVAE
from gmvae.training.checkpoints import Checkpoints
Y = np.load(sys.argv[1])
settings = {"n_init": 2, "init_epochs": 20, "random_state": 0, "verbose": True}
model = GMVAE(n_clusters=4, init="random", epochs=40, **settings)
model.fit(Y, checkpoint=Checkpoints(sys.argv[2], seconds=0.05))
model.save(sys.argv[3])
"""


def test_kill_9_at_random_moments(blobs, tmp_path):
    """Real processes, killed by the system in the middle of a write or a step."""
    np.save(tmp_path / "Y.npy", blobs[0])
    random = np.random.default_rng()

    def start(folder, result):
        arguments = [tmp_path / "Y.npy", tmp_path / folder, tmp_path / result]
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *map(str, arguments)], stderr=subprocess.PIPE, text=True
        )

    process = start("whole-states", "whole.safetensors")
    process.communicate(timeout=120)
    assert process.returncode == 0
    kills, resumed = 0, 0
    while True:
        process = start("states", "killed.safetensors")
        if kills < 2:
            while not list(tmp_path.glob("states/*.safetensors")) and process.poll() is None:
                time.sleep(0.05)
            time.sleep(random.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
            kills += 1
        errors = process.communicate(timeout=120)[1]
        resumed += "resumed after" in errors
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
    assert resumed >= 1
    whole, killed = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "killed"))
    assert list(whole) == list(killed)
    for name in set(whole) - {"history.seconds"}:
        assert torch.equal(whole[name], killed[name]), name
    assert json.dumps(sorted(whole)) == json.dumps(sorted(killed))
