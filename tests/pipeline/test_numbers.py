"""Numbers in README and docs: those of the tables in results/reference, and no others."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("fill_numbers", ROOT / "tools/fill_numbers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_are_those_of_the_tables(tool):
    for path, text in tool.filled().items():
        assert path.read_text(encoding="utf-8") == text, "run: python tools/fill_numbers.py"


def test_a_number_that_was_changed_is_found(tool, tmp_path, monkeypatch):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith("| GMVAE | 30 | 1 |"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(readme.replace(row, row.replace("| 3", "| 4")))
    (tmp_path / "docs/results.md").write_text("nothing to fill in")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert tool.filled() == {
        tmp_path / "README.md": readme,
        tmp_path / "docs/results.md": "nothing to fill in",
    }
