"""Numbers in README and docs: those of the tables in results/reference, which are verified."""

import importlib.util
from pathlib import Path

import pytest

from gmvae.bench.disk.files import MEGABYTE
from gmvae.bench.grid.config import load_config, read_resolved
from gmvae.bench.grid.seal import config_sha256
from gmvae.bench.upkeep.verify import verify

ROOT = Path(__file__).parents[2]
RECORDS = {"mnist": "config.yaml", "fashion_mnist": "fashion_mnist.yaml"}
"""Folder and config of each archive in results/reference; each has the name of its data set."""


@pytest.mark.parametrize("name", RECORDS)
def test_every_score_and_table_of_the_record_is_computed_again(name, tmp_path):
    source = importlib.import_module(f"gmvae.bench.data.{name}").SOURCE
    if not any(folder.is_dir() for folder in source.candidates()):
        pytest.skip(f"{name} is not on this machine; set GMVAE_DATA_DIR")
    message = verify(ROOT / "results/reference" / name, tmp_path)
    assert message.endswith(" runs and all tables recomputed, no differences")
    assert " of " not in message, "some runs are missing"


@pytest.mark.parametrize(("name", "config"), RECORDS.items())
def test_the_record_is_that_of_the_config(name, config):
    recorded = read_resolved(ROOT / "results/reference" / name)
    assert config_sha256(recorded) == config_sha256(load_config(ROOT / "config" / config))


def test_the_record_is_small():
    files = [path for name in RECORDS for path in (ROOT / "results/reference" / name).iterdir()]
    assert sum(path.stat().st_size for path in files) < 5 * MEGABYTE


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
    for name in ("results", "running"):
        (tmp_path / f"docs/{name}.md").write_text("nothing to fill in")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert tool.filled() == {
        tmp_path / "README.md": readme,
        tmp_path / "docs/results.md": "nothing to fill in",
        tmp_path / "docs/running.md": "nothing to fill in",
    }
