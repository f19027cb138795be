"""The examples of docs/extending.md, executed: methods without predict, foreign results, seals."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk.errors import ConfigError, DataError, RunError
from gmvae.bench.grid.config import load_config, write_resolved
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.grid.seal import find_seal
from gmvae.bench.grid.sources import data_key
from gmvae.bench.report.build import make_tables
from gmvae.bench.runs import score, train
from gmvae.bench.runs.adapters.transductive import Transductive
from gmvae.bench.runs.train import Job, train_run
from gmvae.bench.upkeep.check import check
from gmvae.bench.upkeep.verify import verify

DOCS = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
EXTENDED, FOREIGN = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
[PROGRAM] = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
IMAGES = [Path(f"data/digits/{split}-images.npy") for split in ("train", "test")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare("digits", None, Path("data/digits"), data_key("digits", None))
    exec(PROGRAM, {})
    Path("foreign.yaml").write_text(FOREIGN)
    return tmp_path


def run(config_path):
    """Run a config as the workflow does; returns table1, runs and the results folder."""
    config = load_config(config_path)
    results, runs = Path(config.results), make_runs(config)
    write_resolved(config)
    job = Job(*IMAGES, sealed=find_seal(config, [config_path]))
    for one in runs:
        train_run(one, job, results / one.path)
    score.score_runs(runs, results)
    make_tables(results)
    assert [path.name for path in results.glob("runs/digits/*")], "all of them were run"
    return *(pd.read_csv(results / f"{name}.csv") for name in ("table1", "runs")), results


def changed(**changes):
    raw = yaml.safe_load(FOREIGN)
    raw["methods"][1].update(changes)
    path = Path("changed.yaml")
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
def test_methods_without_predict_are_marked_as_transductive(folder):
    Path("extended.yaml").write_text(EXTENDED)
    table, runs, results = run(Path("extended.yaml"))
    assert list(table.columns[-2:]) == list(runs.columns[-2:]) == ["origin", "sealed"]
    assert list(table.origin.fillna("")) == ["", "transductive", "transductive"]
    assert (table.accuracy_hungarian_mean > 60).all()
    text = (results / "table1.md").read_text()
    assert "| agglomerative (transductive) |" in text
    assert "was fitted to the training and the test samples together, without labels" in text
    assert "(foreign)" not in text
    records = [
        json.loads((results / f"runs/digits/{name}/K10/seed0/run.json").read_text())
        for name in ("birch", "spectral")
    ]
    assert [record.get("origin") for record in records] == [None, "transductive"]
    fitted = np.load(results / "runs/digits/spectral/K10/seed0/test.npz")
    assert (len(fitted["train_clusters"]), len(fitted["clusters"])) == (640, 360), "1,000 in all"


def test_samples_whose_distances_do_not_fit_into_memory_are_refused_at_once():
    from sklearn.cluster import AgglomerativeClustering

    few, many = np.zeros((10, 1)), np.broadcast_to(np.zeros((1, 1)), (100_000_000, 1))
    with pytest.raises(RunError, match=r"100,000,010 samples need .* GB, .*Set max_samples"):
        Transductive(AgglomerativeClustering(2), few).fit(many)
    with pytest.raises(RunError, match="max_samples is 9, but the test split alone has 10"):
        Transductive(AgglomerativeClustering(2), few, max_samples=9).fit(many)
    short = Transductive(AgglomerativeClustering(2), few, max_samples=30).fit(np.ones((500, 1)))
    assert (len(short.labels_), len(short.predict(few))) == (20, 10)


def test_max_samples_is_for_methods_without_predict_only(folder):
    spectral = {"name": "s", "class": "sklearn.cluster.SpectralClustering", "K": [3]}
    for entry, problem in (
        ({"name": "kmeans", "K": [3]}, "has no such argument"),
        (spectral, "max_samples must be an integer of at least 2, got 1"),
    ):
        raw = {"datasets": ["digits"], "methods": [{**entry, "parameters": {"max_samples": 1}}]}
        Path("bad.yaml").write_text(yaml.safe_dump(raw))
        with pytest.raises(ConfigError, match=problem):
            make_runs(load_config("bad.yaml"))


def test_foreign_results_are_scored_marked_and_tied_to_their_file(folder):
    table, runs, results = run(Path("foreign.yaml"))
    assert list(table.origin.fillna("")) == ["", "foreign"]
    assert list(runs.seed) == [0, 1, 0, 1]
    labels = np.load("data/digits/test-labels.npy")
    clusters = np.load("theirs-1.npz")["clusters"]
    expected = 100 * sum(np.bincount(labels[clusters == k]).max() for k in range(10)) / len(labels)
    assert runs.accuracy_majority.iloc[3] == pytest.approx(expected, abs=1e-3)
    assert "| theirs (foreign) |" in (results / "table1.md").read_text()
    assert "no differences" in verify(results)
    assert "4 there, 0 to do" in check(Path("foreign.yaml"))
    np.savez("theirs-1.npz", clusters=(clusters + 1) % 10)
    assert "3 there, 1 to do" in check(Path("foreign.yaml"))
    Path("theirs-1.npz").unlink()
    assert "no differences" in verify(results), "old results do not need the file"


def test_foreign_probabilities_have_exemplars(folder):
    labels = np.load("data/digits/test-labels.npy")
    np.savez("p.npz", probabilities=np.eye(10)[labels] * 0.9 + 0.01)
    table, runs, _ = run(changed(assignments="p.npz"))
    assert list(runs.seed) == [0, 1, 0], "a single file is a single run"
    assert table.accuracy_exemplar_mean.iloc[1] == 100


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"clusters": np.zeros(5)}, "whole numbers of shape .* but are float64 of shape"),
        ({"clusters": np.zeros((5, 1), int)}, "whole numbers of shape"),
        ({"clusters": np.full(5, 10)}, "numbered from 0 to K-1 = 9 .* but go from 10 to 10"),
        ({"clusters": np.array([None])}, "not an .npz archive of NumPy without pickled objects"),
        ({"labels": np.zeros(5, int)}, "neither 'clusters' nor 'probabilities', but labels"),
        ({"probabilities": np.full((5, 9), 1 / 9)}, "have 9 columns, but K is 10"),
        ({"probabilities": np.full((5, 10), np.nan)}, "of sample 0 are NaN or infinite"),
        ({"probabilities": np.full((5, 10), 0.2)}, r"sum to 1 .* with the sum 2 \(5 samples"),
        ({"probabilities": np.eye(10)[:, 0]}, r"of shape \(N, K\)"),
        (
            {"probabilities": np.eye(10), "clusters": np.zeros(10, int)},
            "are not the most probable ones",
        ),
    ],
)
def test_files_that_do_not_hold_assignments_are_refused_by_check(folder, arrays, problem):
    np.savez("bad.npz", **arrays)
    with pytest.raises(ConfigError, match=problem):
        check(changed(assignments="bad.npz"))


def test_entries_that_do_not_fit_are_refused_by_check(folder):
    for changes, problem in (
        ({"assignments": "none.npz"}, r"methods\[1\] \(theirs\).assignments: none.npz does not"),
        ({"assignments": "theirs-0.npz", "seeds": [0, 1]}, "one file for 2 seeds; write {seed}"),
        ({"assignments": ["theirs-0.npz"], "seeds": [0, 1]}, "1 files for 2 seeds"),
        ({"K": [10, 20]}, "one file for 2 numbers of clusters; write {K} into the path"),
        ({"datasets": ["digits", "arcs"]}, "assignments are for one data set"),
        ({"M": [1]}, "M: is not for an entry with assignments"),
        ({"name": "gmm"}, "'gmm' is a method of the benchmark"),
        ({"data_sha256": "abc"}, "should be a SHA-256 of 64 hexadecimal digits"),
    ):
        with pytest.raises(ConfigError, match=problem):
            check(changed(**changes))
    with pytest.raises(DataError, match=r"belongs to other data: its data_sha256 is 0000.*7273b6e"):
        check(changed(data_sha256="0" * 64))


def test_assignments_to_other_data_are_refused_when_they_are_run(folder):
    with pytest.raises(DataError, match="belongs to other data"):
        run(changed(data_sha256="0" * 64))
    np.savez("short.npz", clusters=np.zeros(5, int))
    with pytest.raises(DataError, match="has 5 assignments, but the test split has 360"):
        run(changed(assignments="short.npz"))


def test_check_counts_assignments_and_knows_whether_the_data_are_current(folder):
    np.savez("short-0.npz", clusters=np.zeros(359, int))
    with pytest.raises(DataError, match="359 assignments, but the test split has 360"):
        check(changed(assignments="short-{seed}.npz", seeds=[0]))
    assert "7273b6e8" in check(Path("foreign.yaml"))
    Path("data/digits/data.sha256").unlink()
    told = check(Path("foreign.yaml"))
    assert "snakemake data/digits/data.sha256 --cores 1 --configfile foreign.yaml" in told


def test_a_run_that_goes_on_from_a_checkpoint_is_not_sealed(folder, monkeypatch):
    path = Path("foreign.yaml")
    check(path, seal=True)
    outcomes = train._outcomes

    def resumed(*arguments, **options):
        found, test = outcomes(*arguments, **options)
        return [replace(one, resumed=1) for one in found], test

    monkeypatch.setattr(train, "_outcomes", resumed)
    _, runs, _ = run(path)
    assert runs.sealed.isna().all()


def test_runs_under_a_seal_are_told_from_others(folder):
    path = Path("foreign.yaml")
    table, _, results = run(path)
    assert table.sealed.isna().all()
    assert "sealed" not in check(path)
    assert "commit this file" in check(path, seal=True)
    assert "sealed already" in check(path, seal=True)
    table, _, _ = run(path)
    assert table.sealed.isna().all(), "what was run before does not become sealed"
    (results / "runs/digits/kmeans/K10/seed1/run.json").unlink()
    table, runs, _ = run(path)
    date = json.loads(Path("foreign.seal.json").read_text())["date"]
    assert list(runs.sealed.fillna("")) == ["", date, "", ""]
    assert table.sealed.isna().all(), "one of the two seeds is not"
    text = (results / "table1.md").read_text()
    assert f"1 of 4 runs began under this configuration as it was sealed on {date}" in text
    (results / "runs/digits/kmeans/K10/seed0/run.json").unlink()
    table, _, _ = run(path)
    assert list(table.sealed.fillna("")) == [date, ""]
    assert "no differences" in verify(results)
    path.write_text(FOREIGN.replace("seeds: [0, 1]", "seeds: [0]"))
    assert "NOT SEALED: it was on" in check(path)
    assert "seeds was [0, 1], is [0]" in check(path)
    table, _, _ = run(path)
    assert table.sealed.isna().all(), "another config than the sealed one"
    with pytest.raises(ConfigError, match=r"was sealed on .* with other content"):
        check(path, seal=True)
    sealed = Path("foreign.seal.json")
    sealed.write_text(sealed.read_text().replace('"n_runs": 4', '"n_runs": 2'))
    check(path)
    sealed.write_text(sealed.read_text().replace("theirs-0", "theirs-9"))
    with pytest.raises(DataError, match="is not a seal, or was changed after the sealing"):
        check(path)
