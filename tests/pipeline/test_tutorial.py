"""The tutorial, run as it stands: every block in order, in one process."""

import re
from pathlib import Path

import numpy as np
import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_every_block_of_the_tutorial_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    blocks = re.findall(r"^```python\n(.*?)^```", TUTORIAL.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == TUTORIAL.read_text().count("```") / 2 >= 8
    names = {}
    for number, block in enumerate(blocks):
        # Lines in a traceback name the block.
        exec(compile(block, f"block {number} of tutorial.md", "exec"), names)
    out = capsys.readouterr().out
    assert "epochs=1 is a short training" in out
    assert "same clusters: True" in out
    assert names["codes"].shape == (178, 2)
    assert names["generated"].shape == (5, 64)
    assert names["digits"].image_shape_ == (8, 8, 1)
    assert np.isfinite(names["search"].best_score_)
    assert len(names["big"].labels_) == 178 * 200


def test_readers_find_the_tutorial():
    root = TUTORIAL.parents[1]
    assert "docs/tutorial.md" in (root / "README.md").read_text()
    assert "tutorial.md" in (root / "docs" / "running.md").read_text()
