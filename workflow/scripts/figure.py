"""One figure from the runs that it shows."""

from pathlib import Path

from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.logs import errors_to
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.figures import write_figure
from gmvae.bench.report.tables import ScoredRun

job = snakemake  # noqa: F821
with errors_to(job.log[0]):
    results = Path(job.params.results)
    source = Source.of((ScoredRun.read(Path(folder)) for folder in job.params.folders), results)
    write_figure(job.wildcards.figure, source, results, job.params.mark)
    write_manifest(Path(job.log[0]).with_suffix(".sha256"), map(Path, job.output))
