"""The runs that belong in a table or figure."""

from __future__ import annotations

SYNTHETIC = "arcs"
"""The data of the paper's first experiment, which have a figure of their own."""
PUBLISHED_DATASET = "mnist"
"""The only data set with published results."""
PARTS_OF_PUBLISHED = {"mnist5k": "all of MNIST, fifteen times as many samples"}
"""Data sets that are a part of the published one, and what the published results were made from."""
WITH_CLUSTERS = ("finished", "collapsed")
"""Statuses of runs that have assignments and a model."""
FEWEST_TO_CHOOSE_FROM = 5
"""Runs of a setting that the figure about choosing one of them needs."""
GENERATIVE = ("gmvae.estimator.GMVAE", "gmvae.GMVAE", "baselines.gmvae_warm.WarmGMVAE")
"""Classes with the ``load``, ``sample`` and ``reconstruct`` of GMVAE."""
