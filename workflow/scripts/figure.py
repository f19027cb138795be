"""One figure from the tables."""

from pathlib import Path

from gmvae.bench.figures import write_figure
from gmvae.bench.logs import errors_to

job = snakemake  # noqa: F821
with errors_to(job.log[0]):
    write_figure(job.wildcards.figure, Path(job.params.results), job.params.mark)
