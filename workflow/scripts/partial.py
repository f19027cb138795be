"""Tables and figures from the runs that have finished so far."""

from pathlib import Path

from gmvae.bench.partial import write_partial

parameters = snakemake.params  # noqa: F821
print(
    write_partial(
        [Path(folder) for folder in parameters.folders], Path(parameters.results), parameters.mark
    )
)
