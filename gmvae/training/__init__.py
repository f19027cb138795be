"""Training of any network: step, schedule, loop, restarts, checkpoints, progress and devices."""
