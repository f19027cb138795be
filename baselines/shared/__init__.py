"""Parts of several methods: autoencoder, codes, mixtures, VAE and adversaries."""
