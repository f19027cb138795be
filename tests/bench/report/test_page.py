"""The page of a results folder: its content, and how it works in a browser."""

import base64
import importlib
import inspect
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from made_up import FIGURES

from gmvae.bench.report.page import cards, details


def classes_of(place):
    module = importlib.import_module(f"sklearn.{place}")
    return [name for name in module.__all__ if inspect.isclass(getattr(module, name))]


def test_a_run_that_diverged_has_a_curve_of_what_was_finite():
    curve = details._curve("loss", pd.Series([3.0, 2.0, 1.0]))
    assert curve["points"] == "0.0,0.0 120.0,28.0 240.0,56.0"
    after_autoencoder = details._curve("elbo", pd.Series([np.nan, 1.0, 2.0]).dropna())
    assert after_autoencoder["epochs"] == [2, 3]
    values = pd.Series([3.0, 2.0, -np.inf, np.nan])
    assert details._curve("loss", values[np.isfinite(values)])["points"] == "0.0,0.0 240.0,56.0"


@pytest.mark.parametrize(
    "path",
    [f"sklearn.{place}.{name}" for place in ("cluster", "mixture") for name in classes_of(place)],
)
def test_cards_of_other_packages_are_prose(path):
    text = cards._card("name", path)["text"]
    assert len(text) > 10
    assert not re.search(r"User Guide|sphx|::|[:]\w+[:]|`|versionadded|<|,\.|\. [a-z]", text), text


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
