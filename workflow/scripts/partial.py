"""Tables, figures and report from the runs that have finished so far."""

from pathlib import Path

from gmvae.bench.grid.runs import Run
from gmvae.bench.logs import errors_to
from gmvae.bench.report.partial import write_partial

job = snakemake  # noqa: F821
with errors_to(job.log[0]):
    runs = [Run.from_dict(run) for run in job.params.runs]
    print(write_partial(runs, Path(job.params.results), job.params.mark, job.params.command))
