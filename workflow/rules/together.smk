# All seeds of a GMVAE setting as one computation; included only if a config asks for it.
from collections import defaultdict

from gmvae.bench.grid.methods import BUILT_IN

SEEDS_OF = defaultdict(list)
for run in RUNS.values():
    if run.class_path == BUILT_IN["gmvae"]:
        SEEDS_OF[name_of(run)].append(run)
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
        dataset=in_settings(TOGETHER),
    resources:
        mem_mb=lambda wildcards, attempt: needs.memory_mb(
            attempt, len(seeds_of(wildcards))
        ),
        runtime=lambda wildcards, attempt: needs.minutes(attempt, CONFIG.time_limit),
        gpu=lambda wildcards: int(
            needs.wants_gpu(seeds_of(wildcards)[0], is_there=bool(GPUS))
        ),
    params:
        command="train-together",
        run=lambda wildcards: json.dumps(
            [run.as_dict() for run in seeds_of(wildcards)], sort_keys=True
        ),
        folder=lambda wildcards, output: [str(Path(path).parent) for path in output],
    message:
        "train {wildcards.method} {wildcards.setting}, all seeds together, on {wildcards.dataset}"


ruleorder: train_together > train


if ON_GPU:

    ruleorder: train_together > train_on_gpu
