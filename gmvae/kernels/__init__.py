"""Hand-derived gradients and fused passes, each tested against its plain version."""
