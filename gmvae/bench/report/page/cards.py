"""What the page says of each method: from the docstrings of its file."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gmvae.bench.grid import methods
from gmvae.bench.report.tables import ScoredRun

ARXIV = re.compile(r"arXiv:\d{4}\.\d{4,5}(v\d+)?")
MAX_LETTERS = 900


@dataclass(frozen=True)
class Card:
    """One method.

    Attributes
    ----------
    name, class_path : str
    title : str
        The first paragraph of the file, with the citation.
    text : str
        The prose of the class.
    arxiv : str or None
        Number of the paper that the title names.
    """

    name: str
    class_path: str
    title: str
    text: str
    arxiv: str | None


def cards_of(scored: Iterable[ScoredRun]) -> list[Card]:
    """A card for each method, in the order of the runs."""
    paths = {run.record["run"]["method"]: run.record["run"]["class_path"] for run in scored}
    return [_card(name, path) for name, path in paths.items()]


def _card(name: str, class_path: str) -> Card:
    cls = methods.import_class(class_path)
    doc = inspect.getdoc(cls) or ""
    is_own = cls.__module__.split(".")[0] in methods.OWN_PACKAGES
    about = inspect.getdoc(inspect.getmodule(cls)) or "" if is_own else class_path
    # Where the file has a title, its class may name papers that it takes a detail from.
    found = ARXIV.search(about if is_own else doc)
    return Card(
        name=name,
        class_path=class_path,
        title=_plain(about.split("\n\n")[0]),
        text=_plain(_prose(doc)),
        arxiv=found.group(0).removeprefix("arXiv:") if found else None,
    )


def _prose(doc: str) -> str:
    """A docstring up to its first section, not longer than a card."""
    prose = re.split(r"\n[A-Z]\w+\n-{3,}", doc)[0]
    kept = ""
    for paragraph in prose.split("\n\n"):
        if kept and len(kept) + len(paragraph) > MAX_LETTERS:
            break
        kept += f"{paragraph} "
    return kept


def _plain(text: str) -> str:
    """Without the marks of reStructuredText."""
    text = re.sub(r":\w+:`([^`]*)`", r"\1", text)
    text = re.sub(r"\s*\[\d+\]_", "", text)
    return " ".join(text.replace("`", "").split())
