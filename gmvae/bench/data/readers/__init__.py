"""Readers of file formats: IDX and NumPy archives."""
