"""Records of a run that never was, for tests to change."""

from gmvae.bench.runs.record import FORMAT

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
        "parameters": {"epochs": 3},
    },
    "status": "finished",
    "reason": None,
    "train_seconds": 1.5,
    "elbo": -170.25,
    "n_parameters": 1000,
    "training_clusters": 10,
    "peak_memory_mb": 300.1,
    "resumed": 0,
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:01:00+00:00",
    "threads": 1,
    "precision": "float32",
    "time_limit": None,
    "data_sha256": {"train-images": "0" * 64},
    "program": {"version": "0.2.0"},
    "libraries": {"torch": "2.13.0"},
    "machine": {"processor": "x"},
    "config": None,
}
METRICS = {
    "status": "finished",
    "final": {"accuracy_hungarian": 0.5, "nmi": None},
    "epochs": {"accuracy_hungarian": [0.25, None]},
    "labels_sha256": "0" * 64,
}
