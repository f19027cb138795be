"""Steps of the report: their keys, and a report of the runs that have finished."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from made_up import FIGURES, RAW

from gmvae.bench.disk.checksums import read_key
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.disk.layout import LOGS, RESOLVED_CONFIG, SCORES
from gmvae.bench.grid.config import parse_config, read_resolved
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report import build, figures

COMMAND = "snakemake all <--cores 2>"
N_RUNS = len(make_runs(parse_config(RAW)))


@pytest.fixture
def results(folder, tmp_path, monkeypatch):
    """A copy of the results, in a folder with the data, with one figure to save time."""
    shutil.copytree(folder / "results", tmp_path / "results")
    (tmp_path / "data").symlink_to(folder / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "available", lambda: ["cost"])
    return (tmp_path / "results").relative_to(tmp_path)


def keys(results, mark="a remark", command=COMMAND):
    names = [name for name in figures.available() if name != "selection"]
    return {
        "tables": build.tables_key(results, replace(read_resolved(results), mark=mark)),
        **{name: build.figure_key(results, name, mark) for name in names},
        "page": build.page_key(results, names, command, mark),
    }


def test_each_product_was_made_from_what_the_planner_would_make_it_from(folder):
    expected = keys(folder / "results")
    assert len(expected) == len(FIGURES) + 2
    lists = {name: folder / "results" / LOGS / f"{name}.sha256" for name in expected}
    assert {name: read_key(path) for name, path in lists.items()} == expected


def test_other_scores_or_another_mark_change_everything(results):
    before = keys(results)
    other_mark = keys(results, mark="another remark")
    with (results / SCORES).open("a") as file:
        file.write("0" * 64 + "  more\n")
    other_scores = keys(results)
    (results / SCORES).unlink()
    no_scores = keys(results)
    for name in before:
        assert len({k[name] for k in (before, other_mark, other_scores, no_scores)}) == 4


def test_other_published_results_change_everything(results, monkeypatch):
    before = keys(results)
    changed = results / "published.csv"
    changed.write_bytes(build.PUBLISHED.read_bytes() + b"\n")
    monkeypatch.setattr(build, "PUBLISHED", changed)
    after = keys(results)
    assert all(before[name] != after[name] for name in before)


def test_words_change_the_page_alone_and_the_configuration_the_tables_too(results, monkeypatch):
    before = keys(results)
    found = [before, keys(results, command="another command")]
    config = json.loads((results / RESOLVED_CONFIG).read_text())
    (results / RESOLVED_CONFIG).write_text(json.dumps({**config, "time_limit": 60.0}))
    found.append(keys(results))
    monkeypatch.setattr(figures, "caption", lambda name: "another caption")
    found.append(keys(results))
    assert len({each["page"] for each in found}) == 4
    # The tables say whether the runs are sealed, which depends on the whole configuration.
    assert [each["tables"] == before["tables"] for each in found] == [True, True, False, False]
    others = [{**each, "page": None, "tables": None} for each in found]
    assert all(each == others[0] for each in others)


def test_partial_report_of_the_runs_that_have_finished(results):
    lists = {path: path.read_bytes() for path in (results / LOGS).iterdir()}
    table = (results / "table1.csv").read_bytes()
    first, second, *_ = sorted(results.glob("runs/digits/kmeans/**/run.json"))
    first.unlink()
    second.with_name("metrics.json").unlink()
    said = build.make_report(results, partial=True)
    assert said == f"results/partial: {N_RUNS - 1} of {N_RUNS} runs"
    partial = results / "partial"
    assert len(pd.read_csv(partial / "runs.csv")) == N_RUNS - 1
    count = f"{N_RUNS - 1} of {N_RUNS} runs"
    for name in ("table1.md", "cost.svg", "report/index.html"):
        assert f"a remark; {count}" in (partial / name).read_text()
    assert count not in (partial / "table1.csv").read_text()
    assert second.with_name("metrics.json").is_file()
    assert {path: path.read_bytes() for path in (results / LOGS).iterdir()} == lists
    assert (results / "table1.csv").read_bytes() == table
    with pytest.raises(DataError, match=r"run\.json does not exist"):
        build.make_report(results, partial=False)


def test_no_run_has_finished(results):
    for record in results.rglob("run.json"):
        record.unlink()
    expected = f"none of the {N_RUNS} runs of this grid has finished yet"
    with pytest.raises(DataError, match=expected):
        build.make_report(results, partial=True)


def test_a_figure_that_does_not_exist_is_named(results):
    with pytest.raises(ConfigError, match=r"unknown figure 'costs' \(did you mean 'cost'\?\)"):
        build.make_figure(results, "costs")
