"""Cards of the methods, from the docstrings of their files."""

from __future__ import annotations

import inspect
import re
from typing import Any

from gmvae.bench.grid import methods
from gmvae.bench.grid.sources import is_own
from gmvae.bench.report.drawing.source import Source

ARXIV = re.compile(r"arXiv:\d{4}\.\d{4,5}(v\d+)?")
DIRECTIVE = re.compile(r"\.\. \w+::.*(\n[ \t]+\S.*)*")
"""Such as a note that a class is new in some version, with its indented lines."""
REFERENCE = re.compile(r":ref:`[^`]*`")
SENTENCE = re.compile(r"[^.]*\0[^.]*(\.|$)")
"""Sentence with such a reference, which points to another page."""
MAX_LETTERS = 900


def cards_of(source: Source) -> list[dict[str, Any]]:
    """A card for each method, in the order of the runs."""
    first = source.runs.drop_duplicates("method")
    paths = {row.method: source.record(row.path).run.class_path for row in first.itertuples()}
    return [_card(name, path) for name, path in paths.items()]


def _card(name: str, class_path: str) -> dict[str, Any]:
    """Title and number of the paper from a method's file, and the prose of its class."""
    cls = methods.import_class(class_path)
    doc = inspect.getdoc(cls) or ""
    own = is_own(cls.__module__)
    about = inspect.getdoc(inspect.getmodule(cls)) or "" if own else class_path
    # Where the file has a title, its class may name papers that only a detail is from.
    found = ARXIV.search(about if own else doc)
    return {
        "name": name,
        "class_path": class_path,
        "title": _plain(about.split("\n\n")[0]),
        "text": _plain(_prose(doc)),
        "arxiv": found.group(0).removeprefix("arXiv:") if found else None,
    }


def _prose(doc: str) -> str:
    """A docstring up to its first section, shortened to the length of a card."""
    prose = re.split(r"\n[A-Z]\w+\n-{3,}", doc)[0]
    kept = ""
    for paragraph in prose.split("\n\n"):
        if kept and len(kept) + len(paragraph) > MAX_LETTERS:
            break
        kept += f"{paragraph} "
    return kept


def _plain(text: str) -> str:
    """The text without the marks of reStructuredText."""
    text = SENTENCE.sub("", REFERENCE.sub("\0", DIRECTIVE.sub("", text))).replace("::", ":")
    text = re.sub(r":\w+:`~?([^`<]*?)( <[^`]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]+) <[^`]*>`_+", r"\1", text)
    text = re.sub(r"\s*\[\d+\]_(,?\s*\[\d+\]_)*", "", text)
    return " ".join(text.replace("`", "").split())
