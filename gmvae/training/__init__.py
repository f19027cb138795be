"""Training of networks: step, schedule, loop, restarts, checkpoints, devices; no clusters."""
