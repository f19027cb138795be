"""Figures about the settings of a grid, drawn from its tables and the clusters of its runs."""
