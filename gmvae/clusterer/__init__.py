"""Clusterers with a network: parameters, samples, fits of one or several seeds, results, files."""
