"""The real pipeline on the smoke grid: run by Snakemake in a copy of the project."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml
from running import ROOT, SMOKE, command, copy_project, output, products, snakemake, write_config

from gmvae.bench.grid.config import load_config
from gmvae.bench.grid.runs import make_runs, methods
from gmvae.bench.report import figures
from gmvae.bench.report.tables import TABLE_COLUMNS


@pytest.fixture(scope="module")
def runs():
    return make_runs(load_config(ROOT / SMOKE))


def test_smoke_grid_has_every_method_and_both_remainders(runs):
    assert {run.method for run in runs} == set(methods.available())
    assert len({run.K for run in runs}) > 1
    assert len({run.M for run in runs if run.method == "gmvae"}) > 1


def test_products(project, runs):
    results = project / "results" / "smoke"
    table = pd.read_csv(results / "table1.csv")
    assert list(table.columns) == TABLE_COLUMNS
    assert len(table) == len({(run.method, run.setting) for run in runs})
    assert table["n_runs"].sum() == len(runs)
    assert (table["n_failed"] == 0).all()
    assert table["variant"].str.contains("smoke, not comparable").all()
    assert "smoke, not comparable" in (results / "table1.md").read_text()
    for name in figures.available():
        for ending in figures.endings(name):
            assert (results / f"{name}.{ending}").stat().st_size > 200
    assert all(run.path in (results / "report/index.html").read_text() for run in runs)
    assert not list(project.glob("results/*.csv")), "smoke never writes over the main results"


def test_every_run_leaves_its_files_log_and_benchmark(project, runs):
    for run in runs:
        folder = project / "results" / "smoke" / run.path
        names = {path.name for path in folder.iterdir()}
        assert names == {
            "run.json",
            "test.npz",
            "epochs.npz",
            "history.csv",
            "model.safetensors",
            "metrics.json",
            "train.log",
            "score.log",
            "benchmark.tsv",
            "train.sha256",
            "score.sha256",
        }
        record = json.loads((folder / "run.json").read_text())
        assert record["run"] == run.as_dict()
        assert record["threads"] == 1
        assert record["status"] == "finished"


def test_progress_and_curves_of_a_run(project, runs):
    run = next(run for run in runs if run.method == "gmvae")
    folder = project / "results" / "smoke" / run.path
    epochs = run.parameters["epochs"]
    log = (folder / "train.log").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == [
        f"epoch {n}/{epochs}" for n in range(1, epochs + 1)
    ]
    assert len(pd.read_csv(folder / "history.csv")) == epochs
    with np.load(folder / "epochs.npz") as arrays:
        assert arrays["clusters"].shape == (epochs, 360)
    curves = pd.read_csv(project / "results" / "smoke" / "curves.csv")
    curves = curves[curves.method == run.method]
    curve = curves[(curves.K == run.K) & (curves.M == run.M) & (curves.seed == run.seed)]
    metrics = json.loads((folder / "metrics.json").read_text())
    final = 100 * metrics["final"]["accuracy_exemplar"]
    assert curve.accuracy_exemplar.iloc[-1] == pytest.approx(final, abs=1e-3)


def test_saved_model_gives_the_stored_probabilities(project, runs):
    from gmvae import GMVAE

    run = next(run for run in runs if run.method == "gmvae")
    folder = project / "results" / "smoke" / run.path
    images = np.load(project / "data" / "digits" / "test-images.npy").reshape(360, -1)
    with np.load(folder / "test.npz") as arrays:
        expected = arrays["probabilities"]
    model = GMVAE.load(folder / "model.safetensors")
    np.testing.assert_allclose(model.predict_proba(images), expected, atol=1e-6)


def test_second_call_has_nothing_to_do(project):
    result = snakemake(project, "all", "--cores", "2", "--configfile", SMOKE)
    assert result.returncode == 0
    assert "Nothing to be done" in output(result)
    assert "19 there, 0 to do" in output(result)


def kill_twice(folder):
    """Kill -9 the whole pipeline while it trains, each time after another number of checkpoints."""
    for number in (1, 2):
        process = subprocess.Popen(
            command("all", "--cores", "2", "--configfile", SMOKE),
            cwd=folder,
            env={**os.environ, "GMVAE_CHECKPOINT_SECONDS": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        seen = set()
        while len(seen) < 5 * number:
            assert process.poll() is None
            assert time.monotonic() < deadline
            seen |= set(folder.glob("results/smoke/runs/*/*/*/*/checkpoints/*.safetensors"))
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_one_core_two_cores_killed_and_resumed(project, tmp_path):
    one, killed = (copy_project(tmp_path / name) for name in ("one", "killed"))
    variables = {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    arguments = ("results/smoke/table1.csv", "--configfile", SMOKE, "--cores")
    # By the side of the other, on a machine that is busy then, which is one thing more to bear.
    with subprocess.Popen(
        command(*arguments, "1"),
        cwd=one,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as alone:
        kill_twice(killed)
        result = snakemake(killed, *arguments, "2", PYTHONHASHSEED="2")
        assert result.returncode == 0, output(result)
        assert alone.wait() == 0
    resumed = [path for path in killed.rglob("run.json") if '"resumed": 0' not in path.read_text()]
    assert resumed, "no kill hit a training"
    assert not list(killed.rglob("checkpoints")), "checkpoints of complete runs are removed"
    expected = products(project)
    assert len(expected) == 3 + 2 * 19
    for folder in (one, killed):
        found = products(folder)
        assert list(found) == list(expected)
        assert [name for name in expected if found[name] != expected[name]] == []


def test_no_training_job_has_labels_among_its_inputs(project):
    """Asked of the running workflow: with the labels gone, training goes on and scoring cannot."""
    for path in project.glob("data/digits/*-labels.npy"):
        path.rename(path.with_suffix(".away"))
    try:
        kept = "results/smoke/runs/digits/kmeans/K10/seed0"
        (project / kept / "run.json").unlink()
        result = snakemake(
            project,
            f"{kept}/run.json",
            "--cores",
            "1",
            "--configfile",
            SMOKE,
            "--allowed-rules",
            "train",
        )
        assert result.returncode == 0, output(result)
        assert (project / kept / "run.json").exists()
    finally:
        for path in project.glob("data/digits/*-labels.away"):
            path.rename(path.with_suffix(".npy"))
    result = snakemake(project, "results/smoke/table1.csv", "--cores", "2", "--configfile", SMOKE)
    assert result.returncode == 0, output(result)


def planned(result):
    """Number of training jobs of each method in a dry run."""
    lines = [line for line in output(result).splitlines() if ": train " in line]
    return {name: sum(f"train {name} " in line for line in lines) for name in methods.available()}


NETWORKS = ("vae_kmeans", "vae_gmm", "aae", "dec", "vade", "catgan", "gmvae_warm")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("baselines/kmeans.py", {"kmeans": 2}),
        ("baselines/dec.py", {"dec": 1}),
        ("baselines/_vae.py", {"vae_kmeans": 1, "vae_gmm": 1, "vade": 1}),
        ("gmvae/elbo.py", {"gmvae": 6, "gmvae_warm": 1}),
        ("gmvae/training.py", {"gmvae": 6, **dict.fromkeys(NETWORKS, 1)}),
        ("gmvae/bench/figures/style.py", {}),
        ("gmvae/bench/metrics.py", {}),
    ],
)
def test_a_change_makes_the_right_runs_out_of_date(project, path, expected):
    file = project / path
    before, times = file.read_text(), file.stat()
    try:
        file.write_text(before + "\n# changed\n")
        result = snakemake(project, "all", "-n", "--configfile", SMOKE)
        assert planned(result) == dict.fromkeys(methods.available(), 0) | expected
    finally:
        file.write_text(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_changed_parameter_repeats_its_runs_alone(project):
    raw = yaml.safe_load((project / SMOKE).read_text())
    changed = next(method for method in raw["methods"] if method["name"] == "vae_gmm")
    changed["parameters"]["epochs"] = 4
    (project / "changed.yaml").write_text(yaml.safe_dump(raw))
    result = snakemake(project, "all", "-n", "--configfile", "changed.yaml")
    assert planned(result) == dict.fromkeys(methods.available(), 0) | {"vae_gmm": 1}


def test_dry_run_of_the_papers_grid_counts_its_runs(project):
    result = snakemake(project, "-n", "all")
    assert result.returncode == 0
    assert "grid: 195 runs (gmvae 90, " in output(result)
    assert "195 to do" in output(result)


def test_seeds_together_trains_each_setting_once_and_scores_each_seed(project):
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
    result = snakemake(project, "results/together/table1.csv", "--cores", "2", "--configfile", name)
    assert result.returncode == 0, output(result)
    assert output(result).count("all seeds together") == 1
    assert planned(result)["kmeans"] == 2
    runs = pd.read_csv(project / "results/together/runs.csv")
    assert runs.groupby("method").seed.apply(list).to_dict() == {"gmvae": [0, 1], "kmeans": [0, 1]}
    folder = project / "results/together/runs/digits/gmvae/paper-fc-K3-M1"
    records = [json.loads((folder / f"seed{n}/run.json").read_text()) for n in (0, 1)]
    assert [record["seeds_together"] for record in records] == [[0, 1], [0, 1]]
    assert records[0]["elbo"] != records[1]["elbo"]


def test_a_figure_without_runs_is_refused_in_words(tmp_path):
    folder = copy_project(tmp_path)
    result = snakemake(folder, "-n", "synthetic", "--configfile", write_config(folder))
    assert result.returncode != 0
    assert "needs GMVAE runs on arcs, and this config has none" in output(result)
    assert "Traceback" not in output(result)


def test_report_of_snakemake_itself(project):
    result = snakemake(project, "all", "--configfile", SMOKE, "--report", "report.zip")
    assert result.returncode == 0, output(result)
    with zipfile.ZipFile(project / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
    assert all(f"{name}.svg" in page for name in figures.available())
    assert "every seed visible" in page, "the caption of stability_grid"
    assert "Figures" in page


def test_single_product_by_its_name(project):
    target = project / "results" / "smoke" / "stability_curves.svg"
    before = target.read_text()
    target.unlink()
    name = "results/smoke/stability_curves.svg"
    result = snakemake(project, name, "--cores", "1", "--configfile", SMOKE)
    assert result.returncode == 0, output(result)
    assert target.read_text() == before


def test_partial_takes_what_is_finished_and_trains_nothing(project, runs):
    folder = project / "results" / "smoke" / runs[0].path
    kept = folder.with_name("kept")
    folder.rename(kept)
    try:
        result = snakemake(project, "partial", "--cores", "1", "--configfile", SMOKE)
        assert result.returncode == 0, output(result)
        assert not folder.exists()
        partial = project / "results" / "smoke" / "partial"
        assert pd.read_csv(partial / "table1.csv")["n_runs"].sum() == len(runs) - 1
        assert "18 of 19 runs" in (partial / "table1.md").read_text()
        assert all((partial / f"{name}.svg").exists() for name in figures.available())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)


def test_interrupted_grid_goes_on_and_repeats_nothing(tmp_path):
    folder = copy_project(tmp_path)
    slow = {"name": "gmvae", "K": [10], "M": [1], "parameters": {"epochs": 2000}}
    config = write_config(folder, methods=[{"name": "kmeans", "K": [10]}, slow])
    arguments = ("all", "--cores", "2", "--configfile", config)
    log = folder / "log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            command(*arguments),
            cwd=folder,
            stdout=file,
            stderr=file,
            start_new_session=True,
            # Tests that were started in the background may have it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
    first = folder / "results/test/runs/digits/kmeans/K10/seed0/metrics.json"
    started = folder / "results/test/runs/digits/gmvae/fast-fc-K10-M1/seed0/train.log"
    deadline = time.monotonic() + 120
    # The data, the k-means run and its score are done, and GMVAE is at work.
    while not (
        log.read_text().count("Finished jobid") == 3
        and started.exists()
        and "epoch 2/" in started.read_text()
    ):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=60)
    assert not started.with_name("run.json").exists()
    written = first.stat().st_mtime_ns
    slow["parameters"]["epochs"] = 2
    write_config(folder, config, methods=[{"name": "kmeans", "K": [10]}, slow])
    result = snakemake(folder, *arguments)
    assert result.returncode == 0, output(result)
    assert first.stat().st_mtime_ns == written
    assert (folder / "results/test/table1.csv").exists()
    assert not list(folder.rglob(".*-*.npz")), "no temporary file stays"


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


def errors_of(folder, config, *arguments, **variables):
    result = snakemake(
        folder, "all", "--cores", "1", "--configfile", config, *arguments, **variables
    )
    assert result.returncode != 0
    assert "Traceback" not in output(result)
    assert not list((folder / "results" / "test").rglob("run.json")), "nothing was trained"
    return output(result)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seedz": [0]}, "seedz: unknown key (did you mean 'seeds'?)"),
        ({"methods": [{"name": "kmeans", "K": [0]}]}, "methods[0].K[0]: should be at least 1"),
        (
            {"methods": [{"name": "gmvae", "K": [2], "M": [0]}]},
            "methods[0].M[0]: should be at least 1; found 0",
        ),
        ({"methods": [{"name": "kmeens", "K": [2]}]}, "unknown method 'kmeens' (did you mean"),
    ],
)
def test_bad_configs_end_before_anything_starts(project, changes, expected):
    config = write_config(project, **changes)
    message = errors_of(project, config)
    assert expected in message
    assert len(message.splitlines()) < 12


def test_missing_data_set_without_network(project, tmp_path):
    config = write_config(project, datasets=["mnist"])
    proxy = "http://127.0.0.1:9"  # nothing listens there: this is what no network looks like
    message = errors_of(
        project,
        config,
        GMVAE_DATA_DIR=str(tmp_path),
        HTTP_PROXY=proxy,
        HTTPS_PROXY=proxy,
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert "data set 'mnist' is not on this machine and cannot be downloaded" in message
    assert "remedy: put the four .gz files" in message


def test_truncated_idx_file(project, tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    for split in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            content = gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x09123456789")
            (folder / f"{split}-{kind}-ubyte.gz").write_bytes(content[:-12])
    config = write_config(project, datasets=["mnist"], data_dir=str(tmp_path))
    message = errors_of(project, config)
    assert "train-images-idx3-ubyte.gz holds other data: its shape should be (60000, 28" in message
    assert "replace the file, or remove it to have it downloaded" in message


def test_what_a_method_refuses_is_in_the_message(project):
    """Only with the data at hand is it known that a convolution does not fit 8x8 digits."""
    bad = {"name": "gmvae", "K": [2], "M": [1], "parameters": {"network": "paper-conv"}}
    message = errors_of(project, write_config(project, methods=[bad]))
    assert "refused to train (runs/digits/gmvae/paper-conv-K2-M1/seed0)" in message
    assert "8x8 pixels are too small" in message


def test_a_changed_metric_scores_anew_and_trains_nothing(project):
    file = project / "gmvae/bench/metrics.py"
    before, times = file.read_text(), file.stat()
    try:
        file.write_text(before + "\n# changed\n")
        result = snakemake(project, "all", "-n", "--configfile", SMOKE)
        assert output(result).count(": score ") == 19
        assert sum(planned(result).values()) == 0
    finally:
        file.write_text(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_changed_data_of_a_user_are_read_anew(project):
    random = np.random.default_rng(0)
    np.savez(project / "mine.npz", X=random.standard_normal((60, 3)))
    config = write_config(project, datasets=[{"name": "mine", "npz": "mine.npz"}])
    arguments = ("data/mine/train-images.npy", "--cores", "1", "--configfile", config)
    assert snakemake(project, *arguments).returncode == 0
    assert "Nothing to be done" in output(snakemake(project, *arguments))
    np.savez(project / "mine.npz", X=random.standard_normal((80, 3)))
    assert snakemake(project, *arguments).returncode == 0
    assert len(np.load(project / "data/mine/train-images.npy")) == 64
    (project / "mine.npz").unlink()
    assert "mine.npz does not exist" in output(snakemake(project, *arguments))


def test_fewer_cores_than_threads_do_not_change_the_run(project):
    config = write_config(project, threads=3)
    result = snakemake(project, "all", "-n", "-p", "--cores", "1", "--configfile", config)
    assert "--threads 3" in output(result)
