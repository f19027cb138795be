"""Tables and figures from the runs that have finished so far."""

from pathlib import Path

from gmvae.bench.logs import errors_to
from gmvae.bench.partial import write_partial

job = snakemake  # noqa: F821
with errors_to(job.log[0]):
    folders = [Path(folder) for folder in job.params.folders]
    print(write_partial(folders, Path(job.params.results), job.params.mark))
