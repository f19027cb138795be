"""Files of checkpoints, without any training."""

import os

import pytest
import torch

from gmvae.training.checkpoints import Checkpoints, CheckpointWarning, State

STATE = State({"a": torch.arange(2.0)}, {"wall_seconds": 1.0, "epoch": 3})


def test_nothing_is_unpickled(tmp_path):
    """A state that was replaced by a pickle counts as damaged."""

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    series = Checkpoints(tmp_path, seconds=0).series("training")
    series.save(State({"a": torch.zeros(2)}, {"seconds": 0.0}))
    (path,) = tmp_path.glob("*.safetensors")
    torch.save(Bomb(), path)
    with pytest.warns(CheckpointWarning, match="cannot be used"):
        assert series.load() is None
    assert not (tmp_path / "exploded").exists()


def test_states_are_written_at_intervals_and_at_the_ends_of_epochs(tmp_path):
    series = Checkpoints(tmp_path, seconds=30).series("training")
    assert not series.due()
    assert series.due(epoch_ends=True)
    series.save(State({"a": torch.zeros(2)}, {"seconds": 1.0}))
    series._cost = 1.0
    series._last -= 10  # 1 second of writing per 10 of training would be too much
    assert not series.due(epoch_ends=True)
    series._last -= 10
    assert series.due(epoch_ends=True)
    assert not series.due()
    series._last -= 10
    assert series.due()


def test_a_half_written_state_does_not_stay(tmp_path):
    """A kill within a write leaves a temporary file, but never a second one."""
    checkpoints = Checkpoints(tmp_path / "states", {"a": 1}, seconds=0)
    series = checkpoints.series("training")
    series.save(STATE)
    half = checkpoints.folder / f"training.{checkpoints.tag}.unfinished"
    half.write_bytes(b"half")
    found = series.load()
    assert torch.equal(found.tensors["a"], STATE.tensors["a"])
    assert found.values["epoch"] == 3
    series.save(STATE)
    assert {path.suffix for path in checkpoints.folder.iterdir()} == {".safetensors"}
    half.write_bytes(b"half")
    checkpoints.remove()
    assert not checkpoints.folder.exists()


def test_names_of_other_fits_are_left_alone_by_remove(tmp_path):
    one, other = (Checkpoints(tmp_path, {"a": a}, seconds=0) for a in (1, 2))
    for checkpoints in (one, other):
        checkpoints.series("training").save(STATE)
    one.remove()
    (left,) = tmp_path.iterdir()
    assert other.tag in left.name
    assert one.series("training").load() is None
