"""Figures about the settings of a grid, drawn from its tables."""
