"""One figure from the tables."""

from pathlib import Path

from gmvae.bench.figures import write_figure
from gmvae.bench.logs import errors_to
from gmvae.bench.manifests import write_manifest

job = snakemake  # noqa: F821
with errors_to(job.log[0]):
    write_figure(job.wildcards.figure, Path(job.params.results), job.params.mark)
    write_manifest(Path(job.log[0]).with_suffix(".sha256"), map(Path, job.output))
