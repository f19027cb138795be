# The benchmark: data -> train -> score -> tables -> figures -> page. `snakemake -n all` shows the plan.
import os

from snakemake.utils import min_version

min_version("9.12")


configfile: os.path.join(workflow.current_basedir, "config", "config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/config.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        TABLES,
        FIGURES,
        PAGE,
        # A run is part of the result even where the tables are there.
        TRAININGS,
