"""What several methods share: autoencoder, codes, mixtures, VAE and adversaries."""
