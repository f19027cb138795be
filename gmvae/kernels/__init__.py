"""Hand-derived gradients and fused passes; tests hold each one to the plain version."""
