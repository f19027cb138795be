"""Table 1 from runs that were made up, so that each figure can be checked by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from made_up import METRICS, RECORD
from sklearn.metrics import silhouette_score

from gmvae.bench.disk.errors import DataError
from gmvae.bench.disk.files import write_arrays
from gmvae.bench.report import table_files as report_tables
from gmvae.bench.report import tables
from gmvae.bench.report.published import published
from gmvae.bench.runs.score import score_run

COLUMNS = (
    "dataset,method,variant,K,M,n_runs,n_failed,"
    "accuracy_hungarian_best,accuracy_hungarian_mean,accuracy_hungarian_std,"
    "accuracy_hungarian_by_elbo,accuracy_hungarian_by_conditional_prior,"
    "accuracy_exemplar_best,accuracy_exemplar_mean,accuracy_exemplar_std,"
    "accuracy_exemplar_by_elbo,accuracy_exemplar_by_conditional_prior,"
    "accuracy_hungarian_mean_with_failed,accuracy_exemplar_mean_with_failed,"
    "accuracy_majority_mean,nmi_mean,ari_mean,"
    "clusters_used_min,clusters_used_max,published_best,published_mean,published_std,"
    "published_source,re_run,re_run_source,"
    "silhouette_mean,silhouette_space,agreement,elbo_mean,origin,sealed"
)


CLUSTERS = np.array([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]])
"""Those of the test samples, by seed."""


def write_run(
    root, seed, hungarian, exemplar, elbo, *, method="gmvae", status="finished", K=10, M=1
):
    folder = root / method / f"K{K}-M{M}" / f"seed{seed}"
    folder.mkdir(parents=True)
    run = {
        "dataset": "mnist",
        "method": method,
        "variant": "fast-conv" if method == "gmvae" else None,
        "K": K,
        "M": M if method == "gmvae" else None,
        "seed": seed,
        "class_path": "x",
        "parameters": {"precision": "float32"},
    }
    record = {
        **RECORD,
        "run": run,
        "status": status,
        "reason": None if status == "finished" else "loss not finite",
        "elbo": elbo,
        "conditional_prior": None if elbo is None else 14.0 - seed,
        "train_seconds": 10.0 + seed,
    }
    final = {
        "clusters_used": 10,
        "accuracy_hungarian": hungarian,
        "accuracy_exemplar": exemplar,
        "accuracy_majority": 0.9,
        "nmi": 0.5,
        "ari": 0.25,
        "silhouette": 0.1 * seed,
        "silhouette_space": "latent" if method == "gmvae" else "samples",
    }
    epochs = {"accuracy_hungarian": [0.1, hungarian], "accuracy_exemplar": [0.2, exemplar]}
    finished = status == "finished"
    scores = {
        **METRICS,
        "status": status,
        "final": final if finished else None,
        "epochs": epochs if finished and method == "gmvae" else {},
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "metrics.json").write_text(json.dumps(scores))
    write_arrays(folder / "test.npz", clusters=CLUSTERS[seed] if finished else CLUSTERS[0][:0])
    return folder


@pytest.fixture
def built(tmp_path):
    folders = [
        write_run(tmp_path, 0, 0.70, 0.72, -100.0),
        write_run(tmp_path, 1, 0.80, 0.60, -98.0),
        write_run(tmp_path, 2, 0.60, 0.84, -99.0),
        write_run(tmp_path, 3, None, None, None, status="diverged"),
        write_run(tmp_path, 0, 0.53, None, None, method="kmeans"),
    ]
    return tables.build(map(tables.ScoredRun.read, folders))


def test_columns_are_those_that_were_agreed():
    assert ",".join(tables.TABLE_COLUMNS) == COLUMNS


def test_statistics_by_hand(built):
    row = built.table1.iloc[0]
    assert (row.n_runs, row.n_failed) == (4, 1)
    assert row.accuracy_hungarian_best == 80
    assert row.accuracy_hungarian_mean == 70
    assert row.accuracy_hungarian_std == 10
    assert row.accuracy_exemplar_mean == 72
    assert row.accuracy_exemplar_std == 12
    assert row.accuracy_exemplar_best == 84
    assert (row.accuracy_hungarian_by_elbo, row.accuracy_exemplar_by_elbo) == (80, 60)
    assert row.accuracy_exemplar_mean_with_failed == 54, "a run without clusters counts as 0"
    assert row.accuracy_hungarian_mean_with_failed == 52.5
    chosen = row.accuracy_hungarian_by_conditional_prior, row.accuracy_exemplar_by_conditional_prior
    assert chosen == (60, 84), "the lowest of 14, 13 and 12 nats"
    assert (row.accuracy_majority_mean, row.nmi_mean, row.ari_mean) == (90, 0.5, 0.25)
    assert built.times.train_seconds.tolist() == [10, 11, 12, 13, 10]
    assert "| 11.0 s |" in report_tables.markdown(built, "")


def test_scores_without_labels_by_hand(built):
    row, kmeans = built.table1.iloc[0], built.table1.iloc[1]
    assert (row.silhouette_mean, row.silhouette_space, row.elbo_mean) == (0.1, "latent", -99)
    assert row.agreement == 0, "1, -0.5 and -0.5 for the three pairs of seeds that finished"
    assert (kmeans.silhouette_mean, kmeans.silhouette_space) == (0, "samples")
    assert pd.isna(kmeans.agreement), "one run agrees with no other"
    assert pd.isna(kmeans.elbo_mean)
    assert list(built.runs.columns[-4:-2]) == ["silhouette", "silhouette_space"]
    text = report_tables.markdown(built, "")
    assert all(cell in text for cell in ("0.100 (latent)", "0.000 (samples)", "-99.00"))


def test_method_without_probabilities_or_elbo(built):
    row = built.table1.iloc[1]
    assert row.method == "kmeans"
    assert row.accuracy_hungarian_mean == 53
    assert pd.isna(row.accuracy_hungarian_std), "one run has no spread"
    assert pd.isna(row.accuracy_exemplar_mean)
    assert pd.isna(row.accuracy_exemplar_mean_with_failed)
    assert pd.isna(row.accuracy_hungarian_by_elbo)
    assert pd.isna(row.accuracy_hungarian_by_conditional_prior)


def test_published_results_are_in_rows_of_ours_and_of_their_own(built):
    ours, kmeans = built.table1.iloc[0], built.table1.iloc[1]
    assert (ours.published_best, ours.published_mean, ours.published_std) == (87.31, 77.78, 5.75)
    assert "1611.02648v2" in ours.published_source
    assert pd.isna(kmeans.published_mean)
    quoted = built.table1[built.table1.n_runs == 0]
    assert set(quoted.method) == {"catgan", "aae", "dec", "vade", "gmvae", "gmm", "vae_gmm"}
    assert quoted.accuracy_exemplar_mean.isna().all()
    assert len(built.table1) == 2 + 13, "a published row that was run is not repeated"


def test_re_runs_stand_beside_the_published_results(built):
    dec = built.table1[built.table1.method == "dec"].iloc[0]
    assert dec.re_run == "91.2 ± 4.7; 91.8 ± 4.4; 77.9 ± 2.8"
    assert dec.re_run_source.count("github.com") == 3
    kmeans = built.table1.iloc[1]
    assert (kmeans.re_run, kmeans.n_runs) == ("53.8 ± 0.5", 1)
    text = report_tables.markdown(built, "")
    assert "91.8 ± 4.4" in text
    assert text.count("arXiv:1611.05148v3, Table 2 (all 70,000") == 1, "each source once"


def test_published_file_holds_the_papers_figures():
    rows = published().set_index(["method", "K"])
    assert rows.loc[("dec", 10), "best"].item() == 84.30
    assert rows.loc[("aae", 30), "mean"].item() == 95.90
    gmvae = published().query("method == 'gmvae' and K == 16 and M == 10").iloc[0]
    assert (gmvae.best, gmvae["mean"], gmvae["std"]) == (96.92, 87.82, 5.33)
    assert "not checked" in gmvae.source


def test_curves_have_one_row_per_epoch(built):
    curve = built.curves[built.curves.seed == 0]
    assert list(curve.epoch) == [1, 2]
    assert list(curve.accuracy_exemplar) == [20, 72]
    assert set(built.curves.method) == {"gmvae"}


def test_files_for_programs_and_for_people(built, tmp_path):
    report_tables.write_tables(built, tmp_path, "smoke, not comparable", "3 of 4 runs")
    table = pd.read_csv(tmp_path / "table1.csv")
    assert ",".join(table.columns) == COLUMNS
    assert table.variant[0] == "fast-conv (smoke, not comparable)"
    assert table.variant[1] == "smoke, not comparable"
    text = (tmp_path / "table1.md").read_text()
    assert "**smoke, not comparable; 3 of 4 runs**" in text
    assert "3 of 4" not in (tmp_path / "table1.csv").read_text()
    assert "4 (1 failed)" in text
    assert "72.0 ± 12.0" in text
    assert "diverged, loss not finite" in text
    assert "as cited, not checked against its text" in text
    assert len(pd.read_csv(tmp_path / "runs.csv")) == 5


def test_scoring_a_run(tmp_path):
    labels = np.array([0, 0, 1, 1, 2, 2])
    np.save(tmp_path / "test-labels.npy", labels)
    images = np.array([[0.0], [0.1], [5.0], [5.1], [5.2], [9.0]])
    np.save(tmp_path / "test-images.npy", images)
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    write_arrays(
        tmp_path / "test.npz",
        clusters=np.array([1, 1, 0, 0, 0, 2]),
        exemplars=np.array([[0, 4], [1, 0], [2, 5]]),
    )
    write_arrays(
        tmp_path / "epochs.npz",
        clusters=np.array([[0] * 6, [1, 1, 0, 0, 0, 2]]),
        exemplars=np.array([[0, 0, 2], [1, 0, 4], [1, 1, 0], [1, 2, 5]]),
    )
    scores = score_run(tmp_path, tmp_path)
    assert scores.final["accuracy_hungarian"] == pytest.approx(5 / 6)
    assert scores.final["accuracy_exemplar"] == pytest.approx(4 / 6)
    assert scores.epochs["accuracy_exemplar"] == pytest.approx([2 / 6, 4 / 6])
    assert scores.epochs["clusters_used"] == [1, 3]
    expected = silhouette_score(images, [1, 1, 0, 0, 0, 2])
    assert scores.final["silhouette"] == pytest.approx(expected, abs=1e-6)
    assert scores.final["silhouette_space"] == "samples"
    assert "silhouette" not in scores.epochs

    np.save(tmp_path / "test-labels.npy", labels[:5])
    with pytest.raises(DataError, match=r"6 test samples, .* or 5 labels"):
        score_run(tmp_path, tmp_path)

    np.save(tmp_path / "test-labels.npy", labels[:0])
    scores = score_run(tmp_path, tmp_path)
    assert scores.final["accuracy_hungarian"] is None
    assert scores.final["clusters_used"] == 3
    assert scores.final["silhouette"] == pytest.approx(expected, abs=1e-6)


def test_a_silhouette_is_that_of_latent_codes_if_there_are_any(tmp_path):
    np.save(tmp_path / "test-labels.npy", np.zeros(0, int))
    np.save(tmp_path / "test-images.npy", np.zeros((4, 3), np.uint8))
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    codes = np.array([[0.0, 0], [0, 1], [9, 0], [9, 1]])
    write_arrays(tmp_path / "test.npz", clusters=CLUSTERS[0], codes=codes)
    write_arrays(tmp_path / "epochs.npz", clusters=CLUSTERS[:0], exemplars=np.zeros((0, 3), int))
    final = score_run(tmp_path, tmp_path).final
    assert final["silhouette_space"] == "latent"
    assert final["silhouette"] == pytest.approx(silhouette_score(codes, CLUSTERS[0]), abs=1e-6)


def test_a_run_is_not_scored_by_other_data_of_the_same_name(tmp_path):
    """Two configs can give one name to data of their own, and share the folder of prepared data."""
    record = {**RECORD, "data_sha256": {"test-images": "0" * 64}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    for name in ("test-labels", "test-images"):
        np.save(tmp_path / f"{name}.npy", np.arange(4))
    for name in ("test", "epochs"):
        write_arrays(tmp_path / f"{name}.npz", clusters=CLUSTERS[0])
    with pytest.raises(DataError, match="another config gives the same name") as caught:
        score_run(tmp_path, tmp_path)
    assert len(str(caught.value).splitlines()) == 3


def test_damaged_record_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json is not valid JSON.*delete the file"):
        score_run(tmp_path, tmp_path)
