"""The mathematics of the paper: distributions, networks, the model and its objective."""
