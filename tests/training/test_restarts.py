"""Restarts: stages, order, failures and joined histories, without any network."""

import numpy as np
import pytest

from gmvae.training.loop import DivergenceError
from gmvae.training.restarts import best_first, joined, stages_of


class Counted:
    """A restart that counts epochs and fails in one of them, if it is told to."""

    def __init__(self, number, quality, fails_in=None):
        self.number, self.quality, self.fails_in, self.epochs = number, quality, fails_in, 0

    def run(self, until, on_epoch):
        while self.epochs < until:
            self.epochs += 1
            if self.epochs == self.fails_in:
                raise DivergenceError(f"{self.number} failed")
            on_epoch(self, self.epochs)


def race(restarts, stages, epochs=4):
    told = []

    def ranked(candidates, everyone):
        assert set(candidates) <= set(everyone)
        return sorted(candidates, key=lambda one: -one.quality)

    order = best_first(restarts, stages, epochs, ranked, lambda one, _: told.append(one.number))
    return order, told


def test_a_single_restart_is_trained_at_once():
    order, told = race([Counted(0, 1.0)], stages_of(1, 2, 4))
    assert next(order).number == 0
    assert told == [0, 0, 0, 0]


def test_only_the_best_of_each_stage_go_on():
    restarts = [Counted(n, quality) for n, quality in enumerate([1.0, 4.0, 3.0, 2.0])]
    order, told = race(restarts, stages_of(4, [1, 2], 4))
    assert next(order).number == 1
    assert told == [0, 1, 2, 3, 1, 2, 1, 1]
    # Whoever asks for more gets the next best ones.
    assert [one.number for one in order] == [2, 3, 0]


@pytest.mark.filterwarnings("ignore:restart")
def test_those_left_behind_step_in_for_those_that_fail():
    restarts = [Counted(0, 1.0), Counted(1, 3.0, fails_in=2), Counted(2, 2.0, fails_in=2)]
    order, _ = race(restarts, [(1, 2), (3, 1)])
    assert next(order).number == 0
    with pytest.raises(DivergenceError, match="2 failed"):
        next(order)
    with pytest.raises(DivergenceError, match="0 failed"):
        list(race([Counted(1, 1.0, fails_in=1), Counted(0, 1.0, fails_in=1)], [(1, 1)])[0])


def test_numbers_fall_by_the_same_factor():
    assert stages_of(1, 2, 9) == []
    assert stages_of(4, 2, 9) == [(2, 1)]
    assert stages_of(4, [2, 4], 9) == [(2, 2), (4, 1)]
    assert stages_of(9, [1, 2], 9) == [(1, 3), (2, 1)]
    assert stages_of(8, [1, 2, 3], 9) == [(1, 4), (2, 2), (3, 1)]
    assert stages_of(4, [2, 20], 9) == [(2, 2), (9, 1)]
    assert stages_of(4, np.int64(2), 9) == [(2, 1)]


def test_histories_of_several_phases_are_joined():
    one = {"epoch": [1, 2], "seconds": [0.5, 1.0], "loss": [3.0, 2.0], "reconstruction": [1.0, 2.0]}
    two = {"epoch": [1], "seconds": [0.25], "loss": [9.0], "kl": [4.0]}
    both = joined(joined({}, one), two)
    assert both["epoch"] == [1, 2, 3]
    assert both["seconds"] == [0.5, 1.0, 1.25]
    assert both["loss"] == [3, 2, 9]
    np.testing.assert_array_equal(both["kl"], [np.nan, np.nan, 4])
    np.testing.assert_array_equal(both["reconstruction"], [1, 2, np.nan])
    assert one["epoch"] == [1, 2]
