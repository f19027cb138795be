"""Names of files and folders that several parts of the benchmark have to agree on."""

from __future__ import annotations

from pathlib import Path

DATA = Path("data")
LOCK = Path(".snakemake/gmvae.lock")

# Below a results folder.
RESOLVED_CONFIG = "config.json"
LOGS = "logs"

# Below the folder of a run.
RUN_PRODUCTS = ("run.json", "test.npz", "epochs.npz", "history.csv", "model.safetensors")
METRICS = "metrics.json"
CHECKPOINTS = "checkpoints"

# Lists of checksums, each beside the log of its job, and what they list.
DATA_LIST = "data.sha256"
TRAIN_LIST = "train.sha256"
SCORE_LIST = "score.sha256"
LISTS_OF_A_RUN = {TRAIN_LIST: RUN_PRODUCTS, SCORE_LIST: (METRICS,)}
