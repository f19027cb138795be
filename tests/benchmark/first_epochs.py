"""Signal in each dimension of x while GMVAE learns the arcs: ``python first_epochs.py``.

The signal is the variance of the posterior means over the samples, divided by the mean posterior
variance. ``--start 0 -6`` begins as version 0.6.0 did; see study 2 of docs/method.md.
"""

from __future__ import annotations

import argparse

import torch

from gmvae import GMVAE
from gmvae.bench.data.arcs import load
from gmvae.model import observation

EPOCHS = (1, 2, 5, 20, 60)
N_SAMPLES = 4000
SETTINGS = {"network": "paper-fc", "batch_size": 100, "learning_rate": 0.003}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2000, 2002])
    what = "initial log variances of q(x | y) and of p(y | x); by default, those of the library"
    parser.add_argument("--start", type=float, nargs=2, help=what)
    options = parser.parse_args()
    if options.start:
        observation.INITIAL_LOG_VAR_OF_X, observation.INITIAL_LOG_VAR = options.start
    points = load().train.images

    @torch.no_grad()
    def show(model: GMVAE, epoch: int) -> None:
        if epoch in EPOCHS:
            q_x = model.model_.q_xw_given_y(torch.from_numpy(points[:N_SAMPLES])).q_x
            signal = q_x.mean.var(0) / q_x.log_var.exp().mean(0)
            values = ", ".join(f"{value:.1f}" for value in signal)
            elbo = model.history_["elbo"][-1]
            print(f"  epoch {epoch}: signal {values}; ELBO {elbo:.2f}", flush=True)

    for seed in options.seeds:
        print(f"seed {seed}")
        model = GMVAE(8, epochs=max(EPOCHS), z_prior_threshold=1.5, random_state=seed, **SETTINGS)
        model.fit(points, on_epoch=show)


if __name__ == "__main__":
    main()
