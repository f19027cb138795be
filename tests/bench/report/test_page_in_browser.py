"""How the page works in a browser: two widths, two colour schemes, sorting, choosing, hovering."""

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up import FIGURES

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


def test_filters_leave_the_rows_that_match(opened):
    tab, heard, *_ = opened
    method = tab.locator("select[data-filter=method]")
    method.select_option("kmeans")
    shown = tab.locator("table.sortable tbody tr:visible")
    assert set(shown.locator("th").all_inner_texts()) == {"kmeans"}
    assert tab.locator(".dataset:visible").count() == 1, "a table without rows is not shown"
    method.select_option("")
    tab.locator("select[data-filter=k]").select_option("12")
    assert {row.get_attribute("data-k") for row in shown.all()} == {"12"}
    assert not [line for line in heard if "rror" in line]


def test_choosing_a_cluster_shows_its_images(opened):
    tab, heard, *_ = opened
    run = tab.locator(".run-clusters").first
    tile = run.locator(".tile").first
    assert run.locator(".tile").count() == 16
    before = tile.evaluate("one => one.style.backgroundPosition")
    third = run.locator(".pick").nth(2)
    third.focus()
    tab.keyboard.press("Enter")
    assert third.get_attribute("aria-pressed") == "true"
    assert run.locator(".pick[aria-pressed=true]").count() == 1
    after = tile.evaluate("one => one.style.backgroundPosition")
    height = tile.bounding_box()["height"]
    assert (before, after) == ("0px 0px", f"0px -{2 * height:.0f}px")
    name = run.locator(".tiles").get_attribute("aria-label")
    assert name.endswith(f"cluster {third.inner_text()}")
    assert not [line for line in heard if "rror" in line]


def test_a_curve_says_its_value_at_the_pointer(opened):
    tab, *_ = opened
    tab.evaluate("document.querySelectorAll('#runs details').forEach(one => (one.open = true))")
    curve = tab.locator(".curve").first
    usual = curve.locator("output").inner_text()
    values, epochs = (curve.get_attribute(f"data-{name}").split() for name in ("values", "epochs"))
    box = curve.locator("svg").bounding_box()
    curve.locator("svg").hover(position={"x": box["width"] - 1, "y": 10})
    assert curve.locator("output").inner_text() == f"{values[-1]} after epoch {epochs[-1]}"
    tab.mouse.move(0, 0)
    assert curve.locator("output").inner_text() == usual


def test_files_to_take_along(opened, source):
    tab, *_ = opened
    address = tab.locator("a[download='table1.csv']").first.get_attribute("href")
    content = base64.b64decode(address.partition("base64,")[2])
    assert content == (source.tables / "table1.csv").read_bytes()
    assert "dilokthanakul2016" in tab.locator("a.bibtex").get_attribute("href")


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core: at the path in `GMVAE_AXE`, or from the npm registry."""
    if path := os.environ.get("GMVAE_AXE"):
        return Path(path)
    folder = Path(__file__).parents[3] / "build" / "axe"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        command = ["npm", "install", "--silent", "--prefix", str(folder), "axe-core@4"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"axe-core could not be installed by npm ({error}); set GMVAE_AXE")
    return script


def test_axe_finds_nothing_and_nothing_sticks_out(opened, axe):
    tab, _, width, _ = opened
    tab.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.add_script_tag(path=axe)
    violations = tab.evaluate("axe.run().then(found => found.violations)")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in violations] == []
