"""Estimators around what does not fit on one split and predict on the other.

Of other programs there are `assignments`; clusterers without ``predict`` are `transductive`.
"""
