"""Figures about single runs, drawn from their files."""
