"""What takes longer than the other tests together: ``make test-long``."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from running import copy_project, output, snakemake, write_config

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long


def test_every_method_of_the_long_config_trains_its_first_epoch(tmp_path):
    """With the largest K of each method, on the 5,000 digits that need no download."""
    project = copy_project(tmp_path)
    config = yaml.safe_load((ROOT / "config" / "long.yaml").read_text())
    for method in config["methods"]:
        method["K"] = method["K"][-1:]
        parameters = method.get("parameters", {})
        method["parameters"] = {
            name: 1 if name.endswith("epochs") else value for name, value in parameters.items()
        }
    changes = {"datasets": ["mnist5k"], "seeds": [0], "precision": "float32"}
    name = write_config(project, "long.yaml", **{**config, **changes})
    result = snakemake(project, "results/long/table1.csv", "--cores", "2", "--configfile", name)
    assert result.returncode == 0, output(result)
    runs = pd.read_csv(project / "results/long/runs.csv")
    assert len(runs) == 12
    assert set(runs.status) <= {"finished", "collapsed"}


@pytest.mark.skipif("GMVAE_DATA_DIR" not in os.environ, reason="GMVAE_DATA_DIR is not set")
def test_accuracies_in_bfloat16_and_float32_agree_within_the_spread_over_seeds_on_mnist():
    """Five seeds each; the means differ by less than two standard errors of their difference.

    That finds a loss which is large beside the spread over seeds, and no smaller one.
    """
    table = ROOT / "results" / "precision" / "runs.csv"
    command = ["snakemake", str(table.relative_to(ROOT)), "--cores", str(os.cpu_count())]
    subprocess.run(
        [sys.executable, "-m", *command, "--configfile", "config/precision.yaml"],
        cwd=ROOT,
        check=True,
    )
    runs = pd.read_csv(table)
    means, errors = {}, {}
    for precision, group in runs.groupby("variant"):
        values = group["accuracy_exemplar"]
        assert len(values) == 5
        means[precision] = values.mean()
        errors[precision] = values.std() / np.sqrt(len(values))
        print(precision, values.tolist(), f"mean {values.mean():.1f}, sd {values.std():.1f}")
    assert means["bfloat16"] > 75, "the trainings are too bad to tell anything"
    difference = means["bfloat16"] - means["float32"]
    assert abs(difference) < 2 * np.hypot(errors["bfloat16"], errors["float32"])
