"""Configs of several kinds, run by Snakemake in a copy of the project."""

import json

import numpy as np
import pandas as pd
from running import copy_project, output, snakemake, write_config


def test_seeds_together_trains_each_setting_once_and_scores_each_seed(tmp_path):
    project = copy_project(tmp_path)
    changes = {
        "seeds": [0, 1],
        "seeds_together": True,
        "results": "results/together",
        "methods": [
            {
                "name": "gmvae",
                "K": [3],
                "M": [1],
                "parameters": {"network": "paper-fc", "epochs": 1},
            },
            {"name": "kmeans", "K": [3]},
        ],
    }
    name = write_config(project, "together.yaml", **changes)
    plan = snakemake(project, "-n", "results/together/table1.csv", "--configfile", name)
    assert output(plan).count("all seeds together") == 1
    assert output(plan).count("train kmeans") == 2
    result = snakemake(project, "results/together/table1.csv", "--cores", "2", "--configfile", name)
    assert result.returncode == 0, output(result)
    runs = pd.read_csv(project / "results/together/runs.csv")
    assert runs.groupby("method").seed.apply(list).to_dict() == {"gmvae": [0, 1], "kmeans": [0, 1]}
    folder = project / "results/together/runs/digits/gmvae/paper-fc-K3-M1"
    records = [json.loads((folder / f"seed{n}/run.json").read_text()) for n in (0, 1)]
    assert [record["seeds_together"] for record in records] == [[0, 1], [0, 1]]
    assert records[0]["elbo"] != records[1]["elbo"]


def test_own_data_without_labels_and_a_foreign_clusterer(tmp_path):
    folder = copy_project(tmp_path)
    random = np.random.default_rng(0)
    np.savez(folder / "mine.npz", X=random.standard_normal((60, 3)))
    config = write_config(
        folder,
        datasets=[{"name": "mine", "npz": "mine.npz"}],
        methods=[
            {"name": "birch", "class": "sklearn.cluster.Birch", "K": [3]},
            {
                "name": "gmvae",
                "K": [3],
                "M": [1],
                "parameters": {"network": "paper-fc", "epochs": 2},
            },
        ],
    )
    result = snakemake(folder, "all", "--cores", "2", "--configfile", config)
    assert result.returncode == 0, output(result)
    table = pd.read_csv(folder / "results/test/table1.csv")
    assert list(table.method) == ["birch", "gmvae"]
    assert table.accuracy_hungarian_mean.isna().all()
    runs = pd.read_csv(folder / "results/test/runs.csv")
    assert runs.clusters_used.notna().all()


def test_colour_images_that_are_not_square(tmp_path):
    folder = copy_project(tmp_path)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 20, 12, 3), dtype=np.uint8)
    np.savez(folder / "colours.npz", images=images, labels=np.arange(60) % 3)
    network = {"network": "fast-conv", "epochs": 1, "batch_size": 20}
    config = write_config(
        folder,
        datasets=[{"name": "colours", "npz": "colours.npz"}],
        methods=[
            {"name": "gmvae", "K": [3], "M": [1], "parameters": network},
            {"name": "vae_gmm", "K": [3], "parameters": network},
            {"name": "kmeans", "K": [3]},
        ],
    )
    result = snakemake(folder, "all", "--cores", "2", "--configfile", config)
    assert result.returncode == 0, output(result)
    runs = pd.read_csv(folder / "results/test/runs.csv")
    assert set(runs.status) <= {"finished", "collapsed"}
    assert runs.accuracy_hungarian.notna().all()
    assert (folder / "results/test/confidence.png").stat().st_size > 10_000


def test_fewer_cores_than_threads_do_not_change_the_run(tmp_path):
    project = copy_project(tmp_path)
    config = write_config(project, threads=3)
    result = snakemake(project, "all", "-n", "-p", "--cores", "1", "--configfile", config)
    assert "--threads 3" in output(result)
