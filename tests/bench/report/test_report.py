"""Figures about single runs, the page and the status, from real runs without the pipeline."""

import base64
import dataclasses
import os
import re
import shutil
import threading
import time
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_figures import drawn_texts

from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk import locks
from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.files import write_json
from gmvae.bench.grid.config import parse_config
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.report import figures
from gmvae.bench.report.drawing import mosaic
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.drawing.style import apply_style
from gmvae.bench.report.figures import confidence, confusion, generation, latent, synthetic
from gmvae.bench.report.page import PAGE, Frame, cards, curves, write_page
from gmvae.bench.report.tables import ScoredRun
from gmvae.bench.runs.score import write_scores
from gmvae.bench.runs.train import Job, train_run
from gmvae.bench.upkeep import status, watch

SHORT = {"network": "fast-fc", "epochs": 4}
ARCS = {"network": "paper-fc", "epochs": 2, "batch_size": 500}
RAW = {
    "results": "results",
    "datasets": ["digits"],
    "seeds": [0, 1],
    "methods": [
        {"name": "gmvae", "K": [10], "M": [1], "parameters": SHORT},
        {"name": "kmeans", "K": [10]},
        {"name": "gmm", "K": [10, 12]},
        *(
            {
                "name": "gmvae",
                "datasets": ["arcs"],
                "variant": name,
                "K": [8],
                "M": [1],
                "parameters": {**ARCS, **changes},
            }
            for name, changes in {
                "plain": {"z_prior_threshold": 0},
                "threshold-1": {"z_prior_threshold": 1.0},
            }.items()
        ),
        {"name": "gmvae", "variant": "slow", "seeds": [7], "K": [10], "M": [1]},
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data and the results of all runs, one of which ran out of time."""
    root = tmp_path_factory.mktemp("report")
    for name in ("digits", "arcs"):
        prepare(name, None, root / "data" / name)
    for run in make_runs(parse_config(RAW)):
        data, target = root / "data" / run.dataset, root / "results" / run.path
        images = [data / f"{split}-images.npy" for split in ("train", "test")]
        limit = 1e-6 if run.variant == "slow" else None
        train_run(run, Job(*images, time_limit=limit), target)
        write_scores(target, data / "test-labels.npy")
    return root


@pytest.fixture(scope="module")
def source(folder):
    runs = make_runs(parse_config(RAW))
    scored = [ScoredRun.read(folder / "results" / run.path) for run in runs]
    return Source.of(scored, folder / "results", folder / "data")


@pytest.fixture(scope="module")
def page(source, folder):
    for name in figures.available():
        figures.write_figure(name, source, folder / "results")
    frame = Frame(figures.available(), "snakemake all <--cores 2>", "a remark")
    write_page(source, frame, folder / "results")
    return folder / "results" / PAGE


@pytest.fixture(autouse=True)
def style():
    apply_style()
    yield
    plt.close("all")


def test_every_figure_is_a_picture_with_text_that_can_be_read(page, folder):
    for name in figures.available():
        tree = ET.parse(folder / "results" / f"{name}.svg")
        assert len(list(tree.iter())) > 50, name
        assert (folder / "results" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("module", [synthetic, generation, confusion, latent, confidence])
def test_no_text_is_small_or_cut(module, source):
    figure = module.draw(source)
    figure.canvas.draw()
    for text in drawn_texts(figure):
        assert text.get_fontsize() >= 7, text.get_text()
        box = text.get_window_extent()
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= figure.bbox.width + 1, text.get_text()
        assert box.y0 >= -1, text.get_text()
        assert box.y1 <= figure.bbox.height + 1, text.get_text()


@pytest.mark.parametrize("module", [synthetic, generation, confusion, latent, confidence])
def test_nothing_to_draw_is_said(module, source):
    figure = module.draw(Source(source.runs[:0], source.curves[:0]))
    assert "is in this table" in figure.axes[0].texts[0].get_text()


def test_which_runs_a_figure_needs():
    runs = make_runs(parse_config(RAW))
    shown = {name: figures.shown_runs(name, runs) for name in ("synthetic", "generation", "cost")}
    assert {run.dataset for run in shown["synthetic"]} == {"arcs"}
    assert {run.dataset for run in shown["generation"]} == {"digits"}
    assert {run.method for run in shown["generation"]} == {"gmvae"}
    assert shown["cost"] == runs


def test_fraction_of_runs_that_find_the_arcs(source, monkeypatch):
    changed = source.runs.copy()
    of_variant = changed["variant"] == "plain"
    changed.loc[of_variant, "accuracy_majority"] = [96.0, 94.9]
    found = synthetic.table(
        Source(changed, source.curves, source.results, source.data, source.scored)
    )
    plain = found[found["variant"] == "plain"].iloc[0]
    assert (plain["n_runs"], plain["n_found"], plain["found"]) == (2, 1, 0.5)
    # Wilson's interval by its formula, for one of two.
    z, n = 1.959964, 2
    half = z * np.sqrt(0.25 / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    np.testing.assert_allclose(
        [plain["found_low"], plain["found_high"]], [0.5 - half, 0.5 + half], atol=1e-3
    )
    last = [source.history(path)["z_prior"].iloc[-1] for path in changed[of_variant]["path"]]
    assert plain["z_prior"] == pytest.approx(np.mean(last), abs=1e-3)
    assert "1 of 2 runs find the five arcs" in synthetic.sentences(found)[0]


def test_components_are_ordered_by_the_class_that_they_hold(source):
    run = source.runs[
        (source.runs["method"] == "gmvae") & (source.runs["dataset"] == "digits")
    ].iloc[0]
    found = generation._components(source, run, 10)
    assert sorted(component.number for component in found) == list(range(10))
    assert sum(component.share for component in found) == pytest.approx(1)
    held = [component.label for component in found if component.share]
    assert held == sorted(held)
    clusters, labels = source.assignments(run["path"])["clusters"], source.labels("digits")
    first = found[0]
    members = labels[clusters == first.number]
    assert first.purity == pytest.approx((members == first.label).mean())
    assert first.share == pytest.approx(len(members) / len(labels))


def test_confusion_counts_every_sample_once(source):
    one = source.one_of_each_method()[0]
    clusters, labels = source.assignments(one.path)["clusters"], source.labels(one.dataset)
    counts = confusion._counts(clusters, labels)
    assert counts.sum() == len(labels)
    np.testing.assert_array_equal(counts.sum(axis=0), np.bincount(labels))
    assert (np.diff(counts.argmax(axis=1)) >= 0).all()


def test_a_cluster_has_its_colour_by_all_samples_however_few_are_drawn(source, monkeypatch):
    def colours_of_clusters():
        by_cluster = latent.draw(source).axes[1]
        return [collection.get_facecolor()[0] for collection in by_cluster.collections]

    every = colours_of_clusters()
    monkeypatch.setattr(latent, "N_POINTS", 12)
    np.testing.assert_array_equal(colours_of_clusters(), every)


def test_one_run_stands_for_a_method(source):
    shown = {one.method: one for one in source.one_of_each_method()}
    assert list(shown) == ["gmvae", "kmeans", "gmm"]
    assert shown["gmm"].K == 10, "the K nearest to the number of classes"
    runs = source.finished[source.finished["path"].str.contains("digits/gmvae")]
    assert shown["gmvae"].path == runs.loc[runs["elbo"].astype(float).idxmax(), "path"]
    assert shown["gmvae"].choice == "best ELBO"
    assert shown["kmeans"].choice == "lower of two"


def test_median_run_where_there_is_no_elbo():
    runs = pd.DataFrame(
        {"elbo": [None] * 5, "accuracy_hungarian": [10.0, 50, 30, 20, 40], "seed": range(5)}
    )
    assert Source(runs, runs).representative(runs)["seed"] == 2


@pytest.mark.parametrize(
    ("samples", "shape"),
    [
        (np.full((3, 4, 5), 255, np.uint8), (3, 4, 5)),
        (np.ones((3, 4, 4, 1), np.float32), (3, 4, 4)),
        (np.ones((3, 16), np.float64), (3, 4, 4)),
        (np.ones((3, 15)), None),
        (np.ones((3, 4)), None),
        (np.ones((3, 4, 4, 3)), None),
    ],
)
def test_what_is_an_image(samples, shape):
    images = mosaic.as_images(samples)
    assert (None if images is None else images.shape) == shape
    assert images is None or (images == 1).all()


def test_codes_are_those_of_a_space_that_a_method_of_the_project_has(source):
    kept = {path: "codes" in source.assignments(path) for path in source.finished["path"]}
    assert all(has == ("/gmvae/" in path) for path, has in kept.items()), "no distances of k-means"
    run = source.finished[source.finished["method"] == "gmvae"].iloc[0]
    estimator, arrays = source.estimator(run["path"]), source.assignments(run["path"])
    images = source.images(run["dataset"])
    expected = estimator.transform(images.reshape(len(images), -1))
    np.testing.assert_allclose(arrays["codes"], expected, atol=1e-6)


def test_a_small_test_split_leaves_places_empty(source):
    block = next(generation._blocks(source))
    few = generation._pairs(dataclasses.replace(block, samples=block.samples[:3]), 2)
    assert [row.shape for row in few] == [(8, 8, 8)] * 4
    assert np.isfinite(few[0][:3]).all()
    assert np.isnan(few[0][3:]).all()
    assert np.isnan(few[2]).all()


def test_a_run_that_diverged_has_a_curve_of_what_was_finite():
    curve = curves._curve("loss", pd.Series([3.0, 2.0, 1.0]))
    assert curve.points == "0.0,0.0 120.0,28.0 240.0,56.0"
    values = pd.Series([3.0, 2.0, -np.inf, np.nan])
    assert curves._curve("loss", values[np.isfinite(values)]).points == "0.0,0.0 240.0,56.0"


@pytest.mark.parametrize(
    ("path", "title", "arxiv"),
    [
        ("gmvae.GMVAE", "GMVAE (Dilokthanakul et al.", "1611.02648v2"),
        ("baselines.vae_gmm.VAEGaussianMixture", "Plain VAE", "1312.6114"),
        ("sklearn.cluster.Birch", "sklearn.cluster.Birch", None),
    ],
)
def test_cards_of_methods_by_any_name(path, title, arxiv):
    card = cards._card("name", path)
    assert card.title.startswith(title)
    assert card.arxiv == arxiv
    assert len(card.text) > 50
    assert "`" not in card.text


def test_page_holds_everything_and_nothing_of_the_outside(page, source):
    text = page.read_text()
    assert "a remark" in text
    assert "snakemake all &lt;--cores 2&gt;" in text, "escaped"
    for run in source.runs["path"]:
        assert run in text
    assert "the time limit of 1e-06 s was reached" in text
    assert text.count("data:image/svg+xml;base64,") == len(figures.available())
    first = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    ET.fromstring(base64.b64decode(first[1]))
    loaded = re.findall(r'(?:src|href)="(https?://[^"]+)"', text)
    assert all(address.startswith("https://arxiv.org/abs/") for address in loaded)


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser():
    """A headless browser; without one installed, or with `GMVAE_BROWSER=` its path."""
    path = os.environ.get("GMVAE_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium or Chrome is installed; set GMVAE_BROWSER to its path")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def opened(request, browser, page):
    """The page in a width and a scheme, with all that the browser complains of or asks for."""
    width, scheme = request.param
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    heard = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.on("request", lambda request: heard.append(request.url[:80]))
    tab.goto(page.as_uri())
    tab.wait_for_load_state()
    yield tab, heard, width, scheme
    tab.close()


def test_page_in_a_browser(opened, page):
    tab, heard, width, scheme = opened
    outside = [line for line in heard if not line.startswith(("data:", page.as_uri()[:80]))]
    assert outside == [], "no error on the console, no request to the outside"
    images = tab.evaluate(
        "[...document.images].filter(i => i.src).map(i => [i.complete, i.naturalWidth])"
    )
    assert len(images) == len(figures.available())
    assert all(complete and natural > 0 for complete, natural in images)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 150) == (scheme == "dark")


def test_sorting_and_enlarging(opened):
    tab, heard, *_ = opened
    head = tab.locator("table.sortable").first.locator("th", has_text="Hungarian").first
    number = head.evaluate("cell => cell.cellIndex")
    cells = f"table.sortable >> nth=0 >> tbody tr td:nth-child({number + 1})"

    def values():
        texts = [text for text in tab.locator(cells).all_inner_texts() if text.strip()]
        return [float(text.split()[0]) for text in texts]

    before = values()
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert values() == sorted(before, reverse=True)
    head.locator("button").click()
    assert values() == sorted(before)
    assert tab.locator(cells).all_inner_texts()[-1].strip() == "", "empty cells come last"
    tab.locator("table.sortable th button").first.click()
    names = tab.locator("table.sortable >> nth=0 >> tbody tr td:nth-child(1)").all_inner_texts()
    assert names == sorted(names), "words from A to Z first"
    tab.locator(".enlarge").first.click()
    assert tab.locator("dialog").is_visible()
    large = tab.locator("dialog img").bounding_box()["width"]
    assert large >= 850, "large on a phone, too"
    tab.keyboard.press("Escape")
    assert not tab.locator("dialog").is_visible()
    link = tab.locator("a.download").first
    assert link.get_attribute("href").startswith("data:image/svg+xml")
    assert not [line for line in heard if "rror" in line]


def started(folder):
    """The results folder as the pipeline sees it."""
    config = dataclasses.asdict(parse_config(RAW))
    write_json(folder / "results" / "config.json", config)
    return folder / "results"


def test_status_of_a_finished_grid(folder):
    found = status.read_status(started(folder))
    assert found.is_over
    assert found.headline().endswith("13 runs, 12 done, 1 failed")
    text = status.as_text(found)
    assert "failed: runs/digits/gmvae/slow-K10-M1/seed7: timed out, the time limit" in text


def test_status_of_a_grid_at_work(folder, tmp_path):
    results = shutil.copytree(started(folder), tmp_path / "results")
    runs = results / "runs" / "digits"
    busy, dead = (runs / "gmvae/fast-fc-K10-M1" / name for name in ("seed0", "seed1"))
    shutil.rmtree(runs / "gmm")
    for path, step in ((busy, "autoencoder, epoch 3/4"), (dead, "epoch 1/4")):
        (path / "run.json").unlink()
        line = f"{step}, loss 99.5, elbo -98.25, z_prior 0.5, 12 s, 30 s to epoch 4\n"
        (path / "train.log").write_text(f"one thing\n{line}\n")
    with locks.waiting(busy / "checkpoints" / "lock", "waiting"):
        found = status.read_status(results)
        assert [found.count(s) for s in status.STATES] == [6, 1, 1, 1, 4]
        text = status.as_text(found)
        assert (
            "running: runs/digits/gmvae/fast-fc-K10-M1/seed0: autoencoder, epoch 3/4, ELBO" in text
        )
        assert "ELBO -98.25, 30 s left" in text
        assert "stopped: runs/digits/gmvae/fast-fc-K10-M1/seed1: epoch 1/4" in text
    assert status.read_status(results).count("running") == 0, "a lock that nobody holds"


def one(state, seconds=None, left=None, seed=0, variant="a"):
    raw = {**RAW, "methods": [{"name": "gmvae", "variant": variant, "K": [10], "M": [1]}]}
    run = make_runs(parse_config({**raw, "seeds": [seed]}))[0]
    return status.RunState(run, state, seconds, left=left)


def test_time_left_is_from_what_was_measured(tmp_path):
    runs = [one("done", 100.0), one("done", 140.0, seed=1), one("running", 20.0, seed=2)]
    runs += [
        one("running", 30.0, seed=3),
        one("waiting", seed=4),
        one("waiting", seed=5, variant="b"),
    ]
    found = status.Status(tmp_path, runs)
    assert found.seconds_left() == pytest.approx((100 + 90 + 120 + 120) / 2)
    last = [one("done", 100.0), one("running", 99.0, seed=1), one("running", 10.0, seed=2)]
    assert status.Status(tmp_path, last).seconds_left() == 90, "not before the longest ends"
    assert "4 min left with 2 at a time" in found.headline()
    unknown = status.Status(tmp_path, [one("running", 5.0), one("waiting", seed=1)])
    assert unknown.seconds_left() is None
    assert "not known before each method has a run done" in unknown.headline()


def test_status_watches_until_the_end(folder, tmp_path, capsys, monkeypatch):
    results = shutil.copytree(started(folder), tmp_path / "results")
    path = results / "runs/digits/kmeans/K10/seed0/run.json"
    path.rename(path.with_suffix(".away"))
    monkeypatch.setattr(watch, "SECONDS", 0.05)

    def finish():
        time.sleep(0.5)
        path.with_suffix(".away").rename(path)

    thread = threading.Thread(target=finish)
    thread.start()
    last = watch.show(results, watch=True)
    thread.join()
    assert "11 done, 1 failed, 1 waiting" in capsys.readouterr().out
    assert "12 done, 1 failed" in last.splitlines()[0]


def test_status_of_no_grid(folder, tmp_path):
    with pytest.raises(DataError, match="no pipeline was started"):
        status.read_status(tmp_path)


def test_status_on_a_terminal(folder):
    from rich.console import Console

    console = Console(force_terminal=True, width=120, no_color=True)
    with console.capture() as captured:
        console.print(watch.as_table(status.read_status(started(folder))))
    text = captured.get()
    assert "gmvae" in text
    assert "timed out" in text
