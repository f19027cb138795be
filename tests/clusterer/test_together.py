"""Networks trained in step learn what each would have learnt alone."""

import copy
import dataclasses
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from gmvae import GMVAE, DivergenceError
from gmvae.clusterer.together import Lane, StepTogether, TrainingTogether
from gmvae.model.architectures import architecture
from gmvae.model.gmvae import GMVAEModel
from gmvae.model.objective import GMVAEObjective
from gmvae.training import loop as training
from gmvae.training.loop import Training
from gmvae.training.step import TrainingSettings, TrainingStep

OBJECTIVE = GMVAEObjective("paper", 2, z_prior_threshold=0.5, z_prior_warmup_epochs=2)
SETTINGS = TrainingSettings(epochs=2, batch_size=10, learning_rate=1e-3, schedule="cosine")
SEEDS = (3, 4, 5)


def network(name, seed, dtype, observation="bernoulli"):
    torch.manual_seed(seed)
    model = GMVAEModel(
        architecture(name),
        y_dim=400,
        n_clusters=4,
        observation=observation,
    )
    return model.to(dtype)


def generators():
    return [torch.Generator().manual_seed(seed) for seed in SEEDS]


def samples(dtype):
    return torch.rand((36, 400), generator=torch.Generator().manual_seed(0)).to(dtype)


def alone(models, epochs, dtype):
    trainings = []
    for model, generator in zip(models, generators(), strict=True):
        step = TrainingStep(model, OBJECTIVE, samples(dtype), SETTINGS, generator)
        trainings.append(Training(step, SETTINGS))
        trainings[-1].run(epochs)
    return trainings


def in_step(models, dtype, settings=SETTINGS):
    lanes = [Lane(None, *one) for one in zip(models, generators(), strict=True)]
    return TrainingTogether(StepTogether(lanes, OBJECTIVE, samples(dtype), settings), settings)


def largest_difference(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max((a.double() - b.double()).abs().max().item() for a, b in pairs)


# In float64, since Adam makes a whole step of a gradient that is nothing but rounding; then in
# float32 with steps so small that such ones do not count.
@pytest.mark.parametrize("name", ["fast-fc", "fast-conv", "paper-conv", "paper-fc"])
@pytest.mark.parametrize("observation", ["bernoulli", "gaussian"])
def test_each_network_learns_what_it_learns_alone(name, observation):
    dtype = torch.float64
    single = [network(name, seed, dtype, observation) for seed in SEEDS]
    shared = copy.deepcopy(single)
    untrained = copy.deepcopy(single)
    trainings = alone(single, 2, dtype)
    together = in_step(shared, dtype)
    together.run(2)
    for index in range(len(SEEDS)):
        assert largest_difference(single[index], untrained[index]) > 1e-3
        assert largest_difference(single[index], shared[index]) < 1e-7
        for value, expected in trainings[index].history.items():
            if value != "seconds":
                assert together.step.lanes[index].history[value] == pytest.approx(
                    expected, rel=1e-9
                )


@pytest.mark.parametrize("name", ["fast-fc", "fast-conv"])
def test_first_steps_in_float32_agree_within_rounding(name):
    single = [network(name, seed, torch.float32) for seed in SEEDS]
    shared = copy.deepcopy(single)
    trainings = alone(single, 1, torch.float32)
    together = in_step(shared, torch.float32)
    together.run(1)
    for index, single_training in enumerate(trainings):
        expected = single_training.history["loss"]
        np.testing.assert_allclose(together.step.lanes[index].history["loss"], expected, rtol=1e-4)


# Some processors have no bfloat16 of their own, which changes nothing here but the speed.
@pytest.mark.filterwarnings("ignore:this processor has no bfloat16")
@pytest.mark.parametrize("name", ["fast-fc", "fast-conv"])
def test_bfloat16_trains_together_too(name):
    settings = dataclasses.replace(SETTINGS, precision="bfloat16")
    single = [network(name, seed, torch.float32) for seed in SEEDS]
    shared = copy.deepcopy(single)
    together = in_step(shared, torch.float32, settings)
    together.run(2)
    for one, lane in zip(alone(single, 2, torch.float32), together.step.lanes, strict=True):
        np.testing.assert_allclose(lane.history["loss"], one.history["loss"], rtol=0.02)


def test_kernels_on_a_gpu_are_repeatable_and_in_full_float32(monkeypatch):
    """As far as it can be seen without one: the training asks for them."""
    asked = []
    monkeypatch.setattr(training, "repeatable_kernels", lambda: asked.append(1) or nullcontext())

    class Step:
        samples = type("Samples", (), {"device": torch.device("cuda")})()
        batch_size = 1
        converged = False

        def end_epoch(self):
            return {}

        def new_order(self):
            return torch.arange(1)

        def set_training(self, training):
            pass

        def __call__(self, rows, progress):
            assert asked
            return {"loss": torch.ones(())}

    Training(Step(), SETTINGS).run(1)
    assert asked == [1]


def test_some_of_them_go_on_alone():
    dtype = torch.float64
    whole = [network("fast-fc", seed, dtype) for seed in SEEDS]
    part = copy.deepcopy(whole)
    first = in_step(whole, dtype)
    first.run(2)
    second = in_step(part, dtype)
    second.run(1)
    second.step.keep([second.step.lanes[2], second.step.lanes[0]])
    second.run(2)
    assert largest_difference(part[2], whole[2]) < 1e-9
    assert largest_difference(part[0], whole[0]) < 1e-9
    assert largest_difference(part[1], whole[1]) > 1e-6
    assert second.step.lanes[0].history["loss"] == pytest.approx(
        first.step.lanes[2].history["loss"], rel=1e-9
    )


def test_one_that_diverges_leaves_the_others_alone():
    models = [network("fast-fc", seed, torch.float32) for seed in SEEDS]
    with torch.no_grad():
        models[1].head.bias.fill_(float("nan"))
    together = in_step(models, torch.float32)
    together.run(2)
    assert [lane.error is None for lane in together.step.lanes] == [True, False, True]
    assert [len(lane.history["loss"]) for lane in together.step.lanes] == [2, 1, 2]


def estimators(**changes):
    parameters = {"network": "fast-fc", "epochs": 4, "batch_size": 50, "n_init": 2} | changes
    return [GMVAE(3, init="random", **parameters, random_state=seed) for seed in SEEDS]


def test_estimators_fitted_together_come_out_as_from_their_own_fit(blobs):
    # A low learning rate: a high one multiplies the rounding of a step in those after it.
    settings = {"init_epochs": 2, "learning_rate": 3e-4}
    alone, together = estimators(**settings), estimators(**settings)
    calls = []
    errors = GMVAE.fit_together(
        together, blobs[0], on_epoch=lambda one, epoch: calls.append((one.best_init_, epoch))
    )
    assert errors == [None] * 3
    for expected, actual in zip(alone, together, strict=True):
        expected.fit(blobs[0])
        assert actual.best_init_ == expected.best_init_
        assert actual.seed_ == expected.seed_
        np.testing.assert_allclose(actual.history_["elbo"], expected.history_["elbo"], rtol=1e-3)
        assert actual.elbo_ == pytest.approx(expected.elbo_, rel=1e-3)
        assert np.mean(actual.labels_ == expected.labels_) > 0.99
        np.testing.assert_array_equal(actual.predict(blobs[0]), actual.labels_)
    first, second = [(0, 1), (1, 1)], [(0, 2), (1, 2)]
    assert calls[:12] == [*first * 3, *second * 3]
    assert [epoch for _, epoch in calls[12:]] == [3, 3, 3, 4, 4, 4]


def test_a_comparison_beyond_the_end_does_not_prolong_the_training(blobs):
    [together] = estimators(epochs=2, init_epochs=9)[:1]
    assert GMVAE.fit_together([together], blobs[0]) == [None]
    assert together.history_["epoch"].tolist() == [1, 2]


def test_estimators_that_differ_are_not_fitted_together(blobs):
    with pytest.raises(ValueError, match="number 1 differs from the first in epochs"):
        GMVAE.fit_together(
            [GMVAE(3, init="random", epochs=1), GMVAE(3, init="random", epochs=2)], blobs[0]
        )
    with pytest.raises(ValueError, match="at least one estimator"):
        GMVAE.fit_together([], blobs[0])


def test_a_model_fitted_together_holds_its_own_parameters_alone(blobs):
    fitted = estimators(epochs=1)
    GMVAE.fit_together(fitted, blobs[0])
    for value in fitted[0].model_.state_dict().values():
        assert value.untyped_storage().nbytes() == value.nbytes


def test_divergence_of_all_is_told_for_each(blobs):
    failing = estimators(learning_rate=1e30)
    errors = GMVAE.fit_together(failing, blobs[0])
    assert all(isinstance(error, DivergenceError) for error in errors)
