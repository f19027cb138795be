RUN = f"{RESULTS}/runs/{{dataset}}/{{method}}/{{setting}}/seed{{seed}}"
# Images alone: there is no way to give labels to a training.
IMAGES = "".join(
    f" --{split}-images {DATA}/{{wildcards.dataset:q}}/{split}-images.npy"
    for split in ("train", "test")
)
# Not {threads}, which fewer --cores would lower, and the results with it.
LIMITS = (
    f" --threads {CONFIG.threads} {option('time-limit', CONFIG.time_limit)}"
    # In a job of a cluster, the GPUs that are seen are those that it was given.
    f" --runs-per-gpu {0 if workflow.remote_exec else CONFIG.runs_per_gpu}"
    f" {option('sealed', SEAL and ' '.join(SEAL.values()))}"
)


rule train:
    input:
        lambda wildcards: inputs(
            f"{RESULTS}/{run_of(wildcards).path}/{TRAIN_LIST}",
            f"{DATA}/{wildcards.dataset}/{DATA_LIST}",
        ),
    output:
        # Not deleted before the job: what is there already and up to date is not trained again.
        update(f"{RUN}/{TRAIN_LIST}"),
    log:
        f"{RUN}/train.log",
    benchmark:
        f"{RUN}/benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        mem_mb=lambda wildcards, attempt: needs.memory_mb(attempt),
        runtime=lambda wildcards, attempt: needs.minutes(attempt, CONFIG.time_limit),
    params:
        command="train",
        run=lambda wildcards: json.dumps(run_of(wildcards).as_dict(), sort_keys=True),
        folder=subpath(output[0], parent=True),
    message:
        "train {wildcards.method} {wildcards.setting} seed {wildcards.seed} on {wildcards.dataset}"
    shell:
        BENCH
        + " {params.command} {params.run:q} {params.folder:q}"
        + IMAGES
        + LIMITS
        + " > {log:q} 2>&1"


# A rule of its own, so that a profile can give it another partition, or a model of GPU.
if ON_GPU := {
    name_of(run) for run in RUNS.values() if needs.wants_gpu(run, is_there=bool(GPUS))
}:

    use rule train as train_on_gpu with:
        wildcard_constraints:
            dataset=in_settings(ON_GPU),
        resources:
            mem_mb=lambda wildcards, attempt: needs.memory_mb(attempt),
            runtime=lambda wildcards, attempt: needs.minutes(attempt, CONFIG.time_limit),
            gpu=1,

    ruleorder: train_on_gpu > train


use rule config as score with:
    input:
        inputs(ALL_SCORES, RESOLVED, *TRAININGS, *ALL_DATA),
    output:
        ALL_SCORES,
    log:
        f"{RESULTS}/{LOGS}/score.log",
    localrule: True
    params:
        command=f"score {FOLDER}",
    message:
        "score all runs"


# Settings of which all seeds are trained in one process.
if CONFIG.seeds_together:

    include: "together.smk"
