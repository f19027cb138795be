"""The grid of runs: configuration, methods and their sources, and every run that follows."""
