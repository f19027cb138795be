"""Clusterers of somebody else's, each with a fault of its own."""

import os
import signal
import sys
import time

import numpy as np


class Steady:
    """Clusters by the first feature, which is no fault."""

    def __init__(self, n_clusters=2):
        self.n_clusters = n_clusters

    def fit(self, Y):
        self.labels_ = self.predict(Y)
        return self

    def predict(self, Y):
        return (np.asarray(Y)[:, 0] * 7).astype(int) % self.n_clusters


class Slow(Steady):
    """Needs longer than anybody waits."""

    def fit(self, Y):
        while True:
            try:
                time.sleep(0.05)
            except Exception:  # what a library may do to go on at any price
                continue


class Collapsing(Steady):
    """Finds one cluster in anything."""

    def predict(self, Y):
        return np.zeros(len(Y), int)


class Buggy(Steady):
    """Has a bug."""

    def fit(self, Y):
        print("about to divide", file=sys.stderr)
        return 1 / (self.n_clusters - self.n_clusters)


class Greedy(Steady):
    """Is killed by the system, as when memory runs out."""

    def fit(self, Y):
        print("asks for all memory", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
