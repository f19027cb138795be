"""One figure from the tables."""

from pathlib import Path

from gmvae.bench.figures import write_figure

parameters = snakemake.params  # noqa: F821
write_figure(
    snakemake.wildcards.figure,  # noqa: F821
    Path(parameters.results),
    parameters.mark,
)
