"""How every network here is trained: step, loop, restarts, checkpoints, devices; no clusters."""
