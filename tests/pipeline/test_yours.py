"""One config with all that others bring: a table, images, vectors, a method and results."""

import json
import re

import numpy as np
import pandas as pd
from PIL import Image
from running import bench, copy_project, output, snakemake
from sklearn.datasets import load_iris

CONFIG = """\
results: results/yours
precision: float32
seeds: [0, 1]
datasets:
  - {name: flowers, csv: flowers.csv, label: kind, scale: standard}
  - {name: tiles, images: tiles}
  - {name: vectors, npz: vectors.npz}
methods:
  - {name: gmvae, K: [3], M: [1], parameters: {network: paper-fc, epochs: 40}}
  - {name: gmvae, datasets: [tiles], K: [3], M: [1], parameters: {network: fast-conv, epochs: 10}}
  - {name: agglomerative, class: sklearn.cluster.AgglomerativeClustering, K: [3], seeds: [0]}
"""
THEIRS = """\
  - name: theirs
    datasets: [flowers]
    seeds: [0]
    K: [3]
    assignments: theirs.npz
    data_sha256: CHECKSUM
"""


def write_files(folder):
    """A table with classes, colour images of 40x24 pixels in class folders, and plain vectors."""
    iris = load_iris(as_frame=True)
    iris.data.assign(kind=iris.target_names[iris.target]).to_csv(
        folder / "flowers.csv", index=False
    )
    random = np.random.default_rng(0)
    for kind, colour in (("red", (200, 30, 30)), ("green", (30, 200, 30)), ("blue", (30, 30, 200))):
        (folder / "tiles" / kind).mkdir(parents=True)
        for number in range(20):
            noise = random.integers(-30, 31, size=(40, 24, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "tiles" / kind / f"{number}.png")
    np.savez(folder / "vectors.npz", X=random.normal(size=(90, 7)).astype(np.float32))
    (folder / "yours.yaml").write_text(CONFIG)


def test_all_that_others_bring_comes_into_one_table(tmp_path):
    project = copy_project(tmp_path / "project")
    write_files(project)
    options = ["--configfile", "yours.yaml", "--cores", "2"]
    prepared = snakemake(project, "data/flowers/data.sha256", *options)
    assert prepared.returncode == 0, output(prepared)
    labels = np.load(project / "data/flowers/test-labels.npy")
    np.savez(project / "theirs.npz", clusters=labels)
    told = output(bench(project, "check", "yours.yaml"))
    [checksum] = re.findall(r"data flowers: .*: ([0-9a-f]{64})", told)
    (project / "yours.yaml").write_text(CONFIG + THEIRS.replace("CHECKSUM", checksum))

    result = snakemake(project, "all", *options)
    assert result.returncode == 0, output(result)
    results = project / "results/yours"
    table = pd.read_csv(results / "table1.csv").set_index(["dataset", "method", "variant"])
    assert len(table) == 8
    assert table.accuracy_hungarian_mean["flowers", "theirs", np.nan] == 100
    origins = table.origin.dropna().groupby("method").first().to_dict()
    assert origins == {"agglomerative": "transductive", "theirs": "foreign"}
    gmvae = table.xs("gmvae", level="method")
    assert gmvae.silhouette_mean.notna().all()
    assert gmvae.agreement.notna().all()
    assert table.xs("vectors").accuracy_hungarian_mean.isna().all()
    assert table.xs("tiles").accuracy_hungarian_mean.notna().all()
    record = json.loads((results / "runs/tiles/gmvae/fast-conv-K3-M1/seed0/run.json").read_text())
    assert record["status"] in ("finished", "collapsed")
    assert "theirs (foreign)" in (results / "table1.md").read_text()
    times = pd.read_csv(results / "times.csv").set_index("method")
    assert np.isnan(times.train_seconds["theirs"]), "the time to read a file is no training time"
    page = (results / "report/index.html").read_text()
    assert all(word in page for word in ("transductive", "foreign", "tiles"))
    colours = np.asarray(Image.open(results / "generation.png").convert("RGB")).astype(int)
    assert (np.ptp(colours, axis=-1) > 60).any(), "generated tiles are in colour"
    assert "no differences" in output(bench(project, "verify", "results/yours"))
