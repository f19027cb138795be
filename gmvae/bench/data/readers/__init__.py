"""Readers of file formats: IDX, the format of MNIST, and NumPy archives (.npz).

Attributes
----------
DATA_DIR_VARIABLE : str
    Environment variable with the local folder of data sets, one folder per data set.
"""

DATA_DIR_VARIABLE = "GMVAE_DATA_DIR"
