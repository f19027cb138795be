"""One run from training to scores: train, score, metrics, and the record of the run."""
