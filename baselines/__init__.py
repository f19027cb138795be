"""Methods that GMVAE is compared with: one file each, found by its name."""
