"""Start of a training from data: an autoencoder, a mixture of its codes, and GMVAE from there."""
