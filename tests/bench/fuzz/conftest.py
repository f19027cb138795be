"""Fixtures of the fuzz tests: a folder for input, and the counts of outcomes."""

import numpy as np
import pytest
from fuzzing import OUTCOMES

from gmvae.bench.data.readers.npz import read_npz


@pytest.fixture(scope="session", autouse=True)
def counts():
    yield
    names = dict.fromkeys(name for name, _ in OUTCOMES)
    print()
    for name in names:
        good, bad = OUTCOMES[name, "accepted"], OUTCOMES[name, "refused"]
        print(f"{name:16} {good + bad:7,} inputs: {good:6,} accepted, {bad:6,} refused")
    print(f"{'all':16} {sum(OUTCOMES.values()):7,} inputs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    # Imports made by the first call should not count as memory of the readers.
    np.savez(folder / "first.npz", X=np.eye(20), y=np.arange(20) % 2)
    read_npz(folder / "first.npz")
    return folder
