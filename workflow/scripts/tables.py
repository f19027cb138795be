"""Tables from all scored runs."""

from pathlib import Path

from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.logs import errors_to
from gmvae.bench.report.table_files import write_tables
from gmvae.bench.report.tables import ScoredRun, build

job = snakemake  # noqa: F821
with errors_to(job.log[0]):
    tables = build(ScoredRun.read(Path(folder)) for folder in job.params.folders)
    write_tables(tables, Path(job.params.results), job.params.mark)
    write_manifest(Path(job.log[0]).with_suffix(".sha256"), map(Path, job.output))
