"""A record and scores of a run that never was, and a small grid, for tests to change."""

from gmvae.bench.report import figures
from gmvae.bench.runs.record import FORMAT

FIGURES = [name for name in figures.available() if name != "selection"]
"""Figures of grids with two seeds, which are too few to choose one of them."""

RECORD = {
    "format": FORMAT,
    "run": {
        "dataset": "digits",
        "method": "gmvae",
        "variant": "fast-fc",
        "K": 10,
        "M": 1,
        "seed": 0,
        "class_path": "gmvae.estimator.GMVAE",
        "parameters": {"epochs": 3, "precision": "float32"},
    },
    "status": "finished",
    "reason": None,
    "train_seconds": 1.5,
    "elbo": -170.25,
    "conditional_prior": 12.5,
    "n_parameters": 1000,
    "training_clusters": 10,
    "peak_memory_mb": 300.1,
    "resumed": 0,
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:01:00+00:00",
    "threads": 1,
    "time_limit": None,
    "data_sha256": {"train-images": "0" * 64},
    "sources_sha256": "1" * 64,
    "program": {"version": "0.2.0"},
    "libraries": {"torch": "2.13.0"},
    "machine": {"processor": "x"},
    "seeds_together": None,
    "network_of": None,
}
METRICS = {
    "run": "runs/digits/gmvae/fast-fc-K10-M1/seed0",
    "status": "finished",
    "final": {"accuracy_hungarian": 0.5, "nmi": None},
    "epochs": {"accuracy_hungarian": [0.25, None]},
    "made_from": {"labels": "0" * 64},
}
SHORT = {"network": "fast-fc", "epochs": 4}
ARCS = {"network": "paper-fc", "epochs": 2, "batch_size": 500}
RAW = {
    "results": "results",
    "mark": "a remark",
    "datasets": ["digits"],
    "seeds": [0, 1],
    "methods": [
        {"name": "gmvae", "K": [10], "M": [1], "parameters": SHORT},
        {"name": "kmeans", "K": [10]},
        {"name": "gmm", "K": [10, 12]},
        *(
            {
                "name": "gmvae",
                "datasets": ["arcs"],
                "variant": name,
                "K": [8],
                "M": [1],
                "parameters": {**ARCS, **changes},
            }
            for name, changes in {
                "plain": {"z_prior_threshold": 0},
                "threshold-1": {"z_prior_threshold": 1.0},
            }.items()
        ),
        {"name": "gmvae", "variant": "slow", "seeds": [7], "K": [10], "M": [1]},
    ],
}
