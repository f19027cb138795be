"""Results that others send in, those that are there and made-up ones."""

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from gmvae.bench.__main__ import main
from gmvae.bench.disk.errors import DataError
from gmvae.bench.report.build import make_report
from gmvae.bench.report.table_files import read_table
from gmvae.bench.upkeep import submission
from gmvae.bench.upkeep.archives.crate import crate
from gmvae.bench.upkeep.submission import check_submission

SUBMISSIONS = sorted((Path(__file__).parents[3] / "results/submissions").glob("*/"))
FOLDER = Path("results/submissions/theirs")


@pytest.mark.parametrize("folder", SUBMISSIONS, ids=lambda folder: folder.name)
def test_a_submission_is_what_it_says(folder, tmp_path):
    assert "no differences" in check_submission(folder, tmp_path)


@pytest.fixture
def sent(whole):
    FOLDER.mkdir(parents=True)
    crate(Path("results"), FOLDER / "results.zip", pictures=False)
    with zipfile.ZipFile(FOLDER / "results.zip") as file:
        assert not [name for name in file.namelist() if name.endswith(".png")]


def test_a_submission_is_recomputed_from_our_data(sent, capsys):
    shutil.rmtree("data")
    assert main(["submission", str(FOLDER)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("results/submissions/theirs/results.zip: 4 runs and all tables")
    assert Path("data/digits/test-labels.npy").exists()


def test_the_page_shows_submitted_rows(sent, capsys):
    shutil.copytree(FOLDER, FOLDER.with_name("others"))
    folders = [str(FOLDER), str(FOLDER.with_name("others"))]
    assert main(["submission", *folders, "--show-in", "resluts"]) == 1
    assert "resluts/config.json does not exist" in capsys.readouterr().err
    assert main(["submission", *folders, "--show-in", "results"]) == 0
    n_rows = int(re.search(r"results/submitted.csv: (\d+) rows", capsys.readouterr().out)[1])
    assert n_rows == len(read_table(Path("results/submitted.csv"))) > 1
    make_report(Path("results"), partial=False)
    page = Path("results/report/index.html").read_text()
    section = page.partition('<h3 id="submitted">')[2].partition("</table>")[0]
    for name in ("theirs", "others"):
        assert section.count(f'<th scope="row" class="text">{name}</th>') == n_rows / 2
    table = read_table(Path("results/table1.csv"))
    [mean] = table.loc[table["method"] == "kmeans", "accuracy_hungarian_mean"]
    assert f"{mean:.1f}" in section


def test_what_is_not_accepted(sent, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(submission, "MOST_BYTES", 1000)
        with pytest.raises(DataError, match="at most 1 MB; leave the pictures out"):
            check_submission(FOLDER)
    labels = Path("data/digits/test-images.npy")
    labels.write_bytes(labels.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="belongs to other data than our digits"):
        check_submission(FOLDER)
    shutil.copy(FOLDER / "results.zip", FOLDER / "second.zip")
    with pytest.raises(DataError, match=r"should hold one crate, .* but holds 2"):
        check_submission(FOLDER)
