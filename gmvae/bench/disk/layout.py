"""Names of files and folders that several parts of the benchmark agree on."""

from __future__ import annotations

from pathlib import Path

DATA = Path("data")
CLASS_NAMES = "classes.json"
DATA_PRODUCTS = (
    *("train-images.npy", "train-labels.npy", "test-images.npy", "test-labels.npy"),
    CLASS_NAMES,
)
LOCK = Path(".snakemake/gmvae.lock")

# Below a results folder.
RESOLVED_CONFIG = "config.json"
LOGS = "logs"
SCORES = "logs/score.sha256"
"""List of the scores of all runs of a grid."""
SUBMITTED = "submitted.csv"
"""Rows that others sent in, as those of table 1 with the name of the submission."""

# Below the folder of a run.
RUN_PRODUCTS = ("run.json", "test.npz", "epochs.npz", "history.csv", "model.safetensors")
METRICS = "metrics.json"
PROGRESS = "progress.jsonl"
CHECKPOINTS = "checkpoints"
LOCK_OF_RUN = "train.lock"
"""While the run is trained. Not with its checkpoints, since NFS keeps folders with open files."""

# Lists of checksums, beside the products that they list.
DATA_LIST = "data.sha256"
TRAIN_LIST = "train.sha256"
