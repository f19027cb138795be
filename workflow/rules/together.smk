# All seeds of a GMVAE setting as one computation; included only if a config asks for it.
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


def seeds_of(wildcards):
    """The runs of a setting, one for each seed."""
    return SEEDS_OF["{0.dataset}/{0.method}/{0.setting}".format(wildcards)]


use rule train as train_together with:
    input:
        lambda wildcards: [
            path
            for run in seeds_of(wildcards)
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
        dataset=f"(?=(?:{one_of(TOGETHER)})/)[^/]+",
    params:
        command="train-together",
        run=lambda wildcards: json.dumps(
            [run.as_dict() for run in seeds_of(wildcards)], sort_keys=True
        ),
        folder=lambda wildcards, output: [str(Path(path).parent) for path in output],
    message:
        "train {wildcards.method} {wildcards.setting}, all seeds together, on {wildcards.dataset}"


ruleorder: train_together > train
