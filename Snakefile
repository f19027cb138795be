# The benchmark: data -> train -> score -> tables -> figures -> report. Run `snakemake -n all` to see the plan.
from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        TABLES,
        FIGURES,
        REPORT,
        # All that a run leaves: what got lost is made again, even where the tables are there.
        PRODUCTS_OF_RUNS,
