"""The page of a results folder: its content, and how it works in a browser."""

import base64
import os
import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from made_up import FIGURES

from gmvae.bench.report.page import cards, curves


def test_a_run_that_diverged_has_a_curve_of_what_was_finite():
    curve = curves._curve("loss", pd.Series([3.0, 2.0, 1.0]))
    assert curve["points"] == "0.0,0.0 120.0,28.0 240.0,56.0"
    values = pd.Series([3.0, 2.0, -np.inf, np.nan])
    assert curves._curve("loss", values[np.isfinite(values)])["points"] == "0.0,0.0 240.0,56.0"


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
    assert card["title"].startswith(title)
    assert card["arxiv"] == arxiv
    assert len(card["text"]) > 50
    assert "`" not in card["text"]


def test_page_holds_everything_and_nothing_of_the_outside(page, source):
    text = page.read_text()
    assert "a remark" in text
    assert "snakemake all &lt;--cores 2&gt;" in text, "escaped"
    for run in source.runs["path"]:
        assert run in text
    assert "the time limit of 1e-06 s was reached" in text
    assert text.count("data:image/svg+xml;base64,") == len(FIGURES)
    first = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    ET.fromstring(base64.b64decode(first[1]))
    loaded = re.findall(r'(?:src|href)="(https?://[^"]+)"', text)
    assert all(address.startswith("https://arxiv.org/abs/") for address in loaded)


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser():
    """A headless browser: an installed one, or the one at the path in `GMVAE_BROWSER`."""
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
    """The page at one width and colour scheme, with all console messages and requests."""
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
    assert len(images) == len(FIGURES)
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
