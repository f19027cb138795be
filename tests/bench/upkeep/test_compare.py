"""Comparison of two results of one config."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_ind

from gmvae.bench.__main__ import main
from gmvae.bench.disk.errors import DataError
from gmvae.bench.upkeep.archives.archive import archive
from gmvae.bench.upkeep.archives.compare import compare, seeds_needed


@pytest.fixture
def two(whole):
    archive(Path("results"), Path("small"))
    shutil.copytree("results", "other")
    return Path("results"), Path("other")


def change(path, field, value):
    values = json.loads(path.read_text())
    values[field] = value(values[field]) if callable(value) else value
    path.write_text(json.dumps(values))


def test_results_are_compared_row_by_row(two, capsys):
    assert main(["compare", "small", "results"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "results minus small, in percentage points:"
    assert len(lines) == 4, "k-means has no exemplars"
    assert all("the same values, 2 and 2 seeds" in line for line in lines[1:])
    for path in Path("other/runs/digits/kmeans/K4").glob("*/metrics.json"):
        change(path, "final", lambda final: {**final, "accuracy_hungarian": 0.9})
    [line] = [line for line in compare(*two).splitlines() if "kmeans" in line and "Hung" in line]
    assert line.startswith("digits, kmeans, K = 4, Hungarian: +")
    assert line.endswith("different")


def test_other_configs_and_data_are_refused(two):
    change(Path("other/config.json"), "threads", 7)
    with pytest.raises(DataError, match=r"results and other were made with different configs"):
        compare(*two)
    shutil.copy("results/config.json", "other/config.json")
    for path in Path("other/runs/digits/kmeans/K4").glob("*/run.json"):
        change(path, "data_sha256", lambda sums: dict.fromkeys(sums, "0" * 64))
    with pytest.raises(DataError, match="different data of the name digits"):
        compare(*two)


def test_the_number_of_seeds_has_the_power_that_is_said():
    random = np.random.default_rng(0)
    one, other = [0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]
    n = seeds_needed(one, other)
    std = np.std(one, ddof=1)
    found = ttest_ind(
        random.normal(0, std, (4000, n)), random.normal(1, std, (4000, n)), axis=1, equal_var=False
    ).pvalue
    assert np.mean(found < 0.05) == pytest.approx(0.8, abs=0.03)
    assert seeds_needed([0.0, 1.0], [0.0, 1.0]) is None
    assert seeds_needed([0.0, 9.0], [0.0, 9.1]) is None
