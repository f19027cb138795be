"""What the page says of each method: from the docstrings of its file."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gmvae.bench import methods
from gmvae.bench.tables import ScoredRun

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


def cards(scored: Iterable[ScoredRun]) -> list[Card]:
    """A card for each method, in the order of the runs."""
    paths = {run.record["run"]["method"]: run.record["run"]["class_path"] for run in scored}
    return [_card(name, path) for name, path in paths.items()]


def _card(name: str, class_path: str) -> Card:
    module, class_name = class_path.rsplit(".", 1)
    if module.split(".")[0] in methods.OWN_PACKAGES:
        tree = ast.parse((methods.ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
        classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name]
        about, doc = ast.get_docstring(tree) or "", ast.get_docstring(classes[0]) or ""
    else:
        about, doc = class_path, inspect.getdoc(methods.import_class(class_path)) or ""
    found = ARXIV.search(about)  # the class may name papers that it takes a detail from
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
