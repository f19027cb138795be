"""Checksums of sources: the code counts, and its comments and docstrings do not."""

import ast
import subprocess
import sys

import pytest
from running import ROOT

from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.grid import sources
from gmvae.bench.grid.sources import code_of, source_checksum, source_files

ODD = '''"""A title; with "quotes" and # no comment."""; FIRST = 1
# A comment.
TEXT = """# not a comment
   but a text"""  # a comment


class A:
    """What it is."""

    x = "#"  # y

    def f(self): "one line"; return 1

    async def g(self):
        r"""A docstring
        of two lines.
        """
        def inner():
            """Within."""
        "not a docstring"
        return f"{self.x}#"
'''


@pytest.fixture
def code(tmp_path):
    """Code of a text, read from a new file each time."""

    def read(text):
        path = tmp_path / f"m{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        return code_of(path)

    return read


def test_odd_sources_lose_their_words_alone(code):
    found = code(ODD)
    for word in ("A comment", "  # a comment", "# y", "What it is", "two lines", "Within"):
        assert word not in found
    for kept in (
        "# not a comment\n   but a text",
        'x = "#"',
        "not a docstring",
        '}#"',
        "FIRST = 1",
    ):
        assert kept in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# A comment.", "# Another one,\n# in two lines."),
        ("What it is.", "It is what\n\n    it is."),
        ("Within.", "Inside."),
        ("\n\n\nclass", "\n\n\n\n# here\nclass"),
    ],
)
def test_other_words_are_the_same_code(code, old, new):
    assert old in ODD
    assert code(ODD.replace(old, new)) == code(ODD)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# not a comment", "# not a  comment"),
        ("FIRST = 1", "FIRST = 2"),
        ("not a docstring", "not a text"),
        ("return 1", "return 2"),
        ("class A", "class B"),
        ("    x =", "    y ="),
    ],
)
def test_other_code_is_other_code(code, old, new):
    assert old in ODD
    changed = ODD.replace(old, new)
    ast.parse(changed)
    assert code(changed) != code(ODD)


def test_code_that_is_not_python(code):
    with pytest.raises(ConfigError, match="is not valid Python"):
        code("def f(:")


def test_checksums_follow_imports_and_count_other_files_by_the_byte(tmp_path):
    found = {path.as_posix() for path in source_files("gmvae.bench.report.page")}
    assert {
        "gmvae/bench/report/page/__init__.py",
        "gmvae/bench/report/statistics/effects.py",
    } <= found
    template = tmp_path / "page.html"
    template.write_text("<!-- a -->")
    before = source_checksum("gmvae.model.objective", more=(template,))
    assert before == source_checksum("gmvae.model.objective", more=(template,))
    template.write_text("<!-- b -->")
    sources.source_checksum.cache_clear()
    assert before != source_checksum("gmvae.model.objective", more=(template,))
    assert source_checksum("gmvae.model.objective") != source_checksum("gmvae.model.gmvae")


def test_a_users_own_method_is_followed_through_the_files_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/__init__.py").write_text("")
    (tmp_path / "parts/inner.py").write_text("from . import deep\n")
    (tmp_path / "parts/deep.py").write_text("DEPTH = 1\n")
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nimport parts.inner\nfrom baselines.kmeans import KMeansClusterer\n"
    )
    for cached in (source_files, source_checksum, sources.code_of):
        cached.cache_clear()
    found = {path.as_posix() for path in source_files("mine")}
    assert found >= {"mine.py", "parts/inner.py", "parts/deep.py", "baselines/kmeans.py"}
    assert not any("numpy" in name for name in found)
    before = source_checksum("mine")
    (tmp_path / "parts/deep.py").write_text("DEPTH = 2\n")
    for cached in (source_files, source_checksum, sources.code_of, sources.syntax_tree):
        cached.cache_clear()
    assert source_checksum("mine") != before


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "mine.csv").touch()
    monkeypatch.setattr(sources.files, "sha256", refuse)
    with pytest.raises(DataError, match=r"mine\.csv cannot be read: Permission denied; make it re"):
        sources.data_key("mine", {"csv": str(tmp_path / "mine.csv")})


def test_the_key_of_openml_data_knows_number_name_and_version():
    asked = [
        {"openml": 7},
        {"openml": 8},
        {"openml": "shapes", "version": 1},
        {"openml": "shapes", "version": 2},
        {"openml": 7, "label": "kind"},
    ]
    assert len({sources.data_key("mine", source) for source in asked}) == len(asked)


def test_a_plan_and_status_import_no_method():
    """Torch and scikit-learn take a second each, whenever somebody looks at a grid."""
    code = """
import sys
from gmvae.bench.grid.config import load_config
from gmvae.bench.grid.methods import training_sources
from gmvae.bench.grid.runs import make_runs
from gmvae.bench.upkeep.progress import status, watch

for run in make_runs(load_config(sys.argv[1])):
    training_sources(run.class_path)
print([name for name in ("torch", "sklearn", "pandas") if name in sys.modules])
"""
    command = [sys.executable, "-c", code, str(ROOT / "config" / "smoke.yaml")]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "[]\n"
