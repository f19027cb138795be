"""Parts that the figures share: their source of data, their style, mosaics of images."""
