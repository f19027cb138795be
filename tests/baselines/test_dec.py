"""DEC: assignments, targets and the end of its training, against independent references."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch import distributions as reference

from baselines import dec
from gmvae.model.architectures import architecture
from gmvae.training.step import TrainingSettings

K, X, Y, B = 4, 3, 9, 50
PAPER_FC = architecture("paper-fc")


@pytest.fixture
def pixels():
    return torch.rand(B, Y, dtype=torch.float64)


def test_dec_assigns_by_students_t():
    codes, means = torch.randn(B, X, dtype=torch.float64), torch.randn(K, X, dtype=torch.float64)
    q = dec.log_soft_assignment(codes, means).exp().numpy()
    distances = np.linalg.norm(codes.numpy()[:, None] - means.numpy()[None], axis=-1)
    kernel = scipy.stats.t(df=1).pdf(distances)  # proportional to 1 / (1 + d^2)
    np.testing.assert_allclose(q, kernel / kernel.sum(1, keepdims=True), rtol=1e-10)


def test_dec_sharpens_towards_its_targets():
    q = torch.softmax(torch.randn(B, K, dtype=torch.float64), dim=1)
    p = dec.target_distribution(q)
    totals = [sum(float(q[i, k]) for i in range(B)) for k in range(K)]
    for i in range(B):
        weights = [float(q[i, k]) ** 2 / totals[k] for k in range(K)]
        expected = [weight / sum(weights) for weight in weights]
        np.testing.assert_allclose(p[i].numpy(), expected, rtol=1e-10)
    balanced = torch.full((B, K), 1 / K, dtype=torch.float64)
    torch.testing.assert_close(dec.target_distribution(balanced), balanced)


def test_dec_minimises_the_kl_from_its_targets(pixels):
    model = dec._DECModel(PAPER_FC, Y, X, K).double()
    model.means.data.normal_()
    targets = torch.softmax(torch.randn(B, K, dtype=torch.float64), dim=1)
    loss = dec._Clustering()(model, pixels, targets, 0.0)["loss"]
    expected = reference.kl_divergence(
        reference.Categorical(probs=targets), reference.Categorical(logits=model.log_q(pixels))
    )
    torch.testing.assert_close(loss, expected.mean())


def test_dec_scales_samples_to_a_mean_squared_length_of_their_dimension():
    samples = torch.randint(0, 256, (B, Y), dtype=torch.uint8)
    model = dec._DECModel(PAPER_FC, Y, X, K)
    model.set_units(samples, pixels=True)
    seen = model.in_units(samples.float() / 255)
    assert float(seen.square().sum(1).mean()) == pytest.approx(Y, rel=1e-5)
    vectors = 3 + 7 * torch.randn(B, Y)
    model.set_units(vectors, pixels=False)
    torch.testing.assert_close(model.in_units(vectors).mean(0), torch.zeros(Y), atol=1e-5, rtol=0)
    assert float(model.in_units(vectors).square().sum(1).mean()) == pytest.approx(Y, rel=1e-5)


def test_dec_ends_when_hardly_any_sample_changes_its_cluster(blobs):
    settings = {"network": "paper-fc", "pretrain_epochs": 30, "epochs": 40, "random_state": 0}
    early = dec.DEC(3, tolerance=0.02, **settings).fit(blobs[0])
    late = dec.DEC(3, tolerance=0.0, **settings).fit(blobs[0])
    assert len(late.history_["epoch"]) == 70
    assert len(early.history_["epoch"]) < 70
    np.testing.assert_array_equal(
        early.history_["epoch"], 1 + np.arange(len(early.history_["epoch"]))
    )
    assert np.isnan(early.history_["kl"][:30]).all()
    assert np.isfinite(early.history_["kl"][30:]).all()
    assert early.converged_
    assert not late.converged_
    changed = early.history_["changed"][30:]
    assert changed[-1] < 0.02
    assert (changed[:-1] >= 0.02).all()


@pytest.mark.parametrize(
    ("number", "batch_size", "expected"), [(1, 30, 1), (4, 30, 4), (4, 50, 4), (3, 200, 1)]
)
def test_dec_updates_its_targets_within_the_epoch(monkeypatch, number, batch_size, expected):
    """In evaluation mode: the batch normalisation of this network learns nothing from it."""
    updates = []

    def count(q, true=dec.target_distribution):
        updates.append(model.training)
        return true(q)

    monkeypatch.setattr(dec, "target_distribution", count)
    samples = torch.rand(200, Y)
    model = dec._DECModel(architecture("fast-fc"), Y, X, K)
    settings = TrainingSettings(epochs=1, batch_size=batch_size, learning_rate=1e-3)
    generator = torch.Generator().manual_seed(0)
    step = dec._ClusteringStep(
        model, samples, settings, generator, tolerance=0.0, updates_per_epoch=number
    )
    updates.clear()
    step.set_training(True)
    batches = torch.arange(200).split(batch_size)
    for rows in batches:
        step(rows, 0.0)
        assert model.training
    seen = [
        buffer for name, buffer in model.trunk.named_buffers() if name.endswith("batches_tracked")
    ]
    assert seen
    assert {int(number) for number in seen} == {len(batches)}
    step.set_training(False)
    assert set(step.end_epoch()) == {"changed"}
    assert updates == [False] * expected
    assert int(step.state()["rows_seen"]) == 0
