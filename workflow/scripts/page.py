"""The report about all scored runs."""

from pathlib import Path

from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.logs import errors_to
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.report.page import Frame, write_page
from gmvae.bench.report.tables import ScoredRun

job = snakemake  # noqa: F821
with errors_to(job.log[0]):
    scored = [ScoredRun.read(Path(folder)) for folder in job.params.folders]
    frame = Frame(job.params.figures, job.params.command, job.params.mark)
    results = Path(job.params.results)
    write_page(Source.of(scored, results), frame, results)
    write_manifest(Path(job.log[0]).with_suffix(".sha256"), map(Path, job.output))
