# All seeds of a GMVAE setting as one computation; included only if a config asks for it.
import re
from collections import defaultdict

from gmvae.bench.grid.methods import BUILT_IN

SEEDS_OF = defaultdict(list)
for run in RUNS.values():
    if run.class_path == BUILT_IN["gmvae"]:
        SEEDS_OF[f"{run.dataset}/{run.method}/{run.setting}"].append(run)
TOGETHER = [
    name
    for name, runs in SEEDS_OF.items()
    if {run.seed for run in runs} == set(CONFIG.seeds)
]


rule train_together:
    input:
        lambda wildcards: [
            path
            for run in SEEDS_OF["{0.dataset}/{0.method}/{0.setting}".format(wildcards)]
            for path in inputs(
                f"{RESULTS}/{run.path}/{TRAIN_LIST}",
                f"{DATA}/{run.dataset}/{DATA_LIST}",
            )
        ],
    output:
        update(expand(f"{RUN}/{TRAIN_LIST}", seed=CONFIG.seeds, allow_missing=True)),
    log:
        f"{RESULTS}/runs/{{dataset}}/{{method}}/{{setting}}/train.log",
    benchmark:
        f"{RESULTS}/runs/{{dataset}}/{{method}}/{{setting}}/benchmark.tsv"
    wildcard_constraints:
        dataset=f"(?=(?:{'|'.join(map(re.escape, TOGETHER)) or '(?!)'})/)[^/]+",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    params:
        runs=lambda wildcards: json.dumps(
            [
                run.as_dict()
                for run in SEEDS_OF[
                    "{0.dataset}/{0.method}/{0.setting}".format(wildcards)
                ]
            ],
            sort_keys=True,
        ),
        folders=lambda wildcards, output: [str(Path(path).parent) for path in output],
        threads=CONFIG.threads,
        limit=f"--time-limit {CONFIG.time_limit}" if CONFIG.time_limit else "",
    message:
        "train {wildcards.method} {wildcards.setting}, all seeds together, on {wildcards.dataset}"
    shell:
        BENCH
        + " train-together {params.runs:q} {params.folders:q}"
        + IMAGES
        + " --threads {params.threads} {params.limit} > {log:q} 2>&1"


ruleorder: train_together > train
