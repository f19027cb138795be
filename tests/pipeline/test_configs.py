"""Configs of several kinds, run by Snakemake in a copy of the project."""

import json

import numpy as np
import pandas as pd
from PIL import Image
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
                "parameters": {"network": "paper-fc", "init": "random", "epochs": 1},
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
    points = random.standard_normal((60, 3)) + 8 * np.eye(3)[np.arange(60) % 3]
    np.savez(folder / "mine.npz", X=points)
    config = write_config(
        folder,
        seeds=[0, 1],
        datasets=[{"name": "mine", "npz": "mine.npz"}],
        methods=[
            {"name": "birch", "class": "sklearn.cluster.Birch", "seeds": [0], "K": [3]},
            {
                "name": "gmvae",
                "K": [3],
                "M": [1],
                "parameters": {"network": "paper-fc", "epochs": 20},
            },
        ],
    )
    result = snakemake(folder, "all", "--cores", "2", "--configfile", config)
    assert result.returncode == 0, output(result)
    table = pd.read_csv(folder / "results/test/table1.csv")
    assert list(table.method) == ["birch", "gmvae"]
    assert table.accuracy_hungarian_mean.isna().all()
    assert list(table.agreement.notna()) == [False, True], "one seed agrees with no other"
    assert list(table.silhouette_space) == ["samples", "latent"]
    assert list(table.elbo_mean.notna()) == [False, True]
    runs = pd.read_csv(folder / "results/test/runs.csv")
    assert runs.clusters_used.notna().all()
    assert runs.silhouette.between(-1, 1).all()
    lines = (folder / "results/test/table1.md").read_text().splitlines()
    (header,) = [line for line in lines if line.startswith("| method")]
    names = [name.strip() for name in header.strip("|").split("|")]
    assert names[4:] == ["runs", "silhouette", "agreement", "ELBO", "used", "time"]


def test_tables_and_folders_of_images_with_a_number_of_clusters_each(tmp_path):
    folder = copy_project(tmp_path)
    random = np.random.default_rng(0)
    kinds = np.array(["disc", "square"])[np.arange(60) % 2]
    frame = pd.DataFrame({"height": 200 + 30 * (kinds == "disc"), "kind": kinds})
    frame["width"] = 0.1 * random.standard_normal(60)
    frame.to_csv(folder / "table of mine.csv", index=False)
    for name in "abc":
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            image = Image.fromarray(random.integers(0, 256, (12, 10, 3), dtype=np.uint8))
            image.save(folder / "pictures" / name / f"{number}.png")
    table = {"name": "table", "csv": "table of mine.csv", "label": "kind", "scale": "standard"}
    config = write_config(
        folder,
        datasets=[table, {"name": "pictures", "images": "pictures"}],
        methods=[{"name": "kmeans", "K": {"table": [2], "pictures": [3, 4]}}],
    )
    arguments = ("results/test/confusion.svg", "--cores", "2", "--configfile", config)
    result = snakemake(folder, *arguments)
    assert result.returncode == 0, output(result)
    runs = pd.read_csv(folder / "results/test/runs.csv").set_index(["dataset", "K"])
    assert list(runs.index) == [("table", 2), ("pictures", 3), ("pictures", 4)]
    assert runs.loc[("table", 2), "accuracy_hungarian"] == 100
    assert "disc" in (folder / "results/test/confusion.svg").read_text()
    # Another file in the folder is other data.
    (folder / "pictures/a/0.png").replace(folder / "pictures/c/9.png")
    again = snakemake(folder, *arguments)
    assert "1 there, 2 to do" in output(again), output(again)


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
