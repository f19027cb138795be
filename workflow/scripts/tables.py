"""Tables from all scored runs."""

from pathlib import Path

from gmvae.bench.report_tables import write_tables
from gmvae.bench.tables import build

parameters = snakemake.params  # noqa: F821
write_tables(build(map(Path, parameters.folders)), Path(parameters.results), parameters.mark)
