rule train:
    input:
        train="data/{dataset}/train-images.npy",
        test="data/{dataset}/test-images.npy",
        # A change to the method's own source makes its runs, and no others, out of date.
        source=lambda wildcards: bench_methods.source_files(
            run_of(wildcards).class_path
        ),
    output:
        record=RUN + "/run.json",
        test=RUN + "/test.npz",
        epochs=RUN + "/epochs.npz",
        history=RUN + "/history.csv",
        model=RUN + "/model.safetensors",
    log:
        RUN + "/train.log",
    benchmark:
        RUN + "/benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    params:
        run=lambda wildcards: json.dumps(run_of(wildcards).as_dict(), sort_keys=True),
        folder=RUN,
    message:
        "train {wildcards.method} {wildcards.setting} seed {wildcards.seed} on {wildcards.dataset}; progress in {log}"
    shell:
        "{BENCH} train {params.run:q} {params.folder:q} --train-images {input.train:q}"
        " --test-images {input.test:q} --threads {threads} 2> {log:q}"


rule score:
    input:
        record=rules.train.output.record,
        test=rules.train.output.test,
        epochs=rules.train.output.epochs,
        labels="data/{dataset}/test-labels.npy",
    output:
        RUN + "/metrics.json",
    log:
        RUN + "/score.log",
    conda:
        "../../environment.yml"
    params:
        folder=RUN,
    message:
        "score {wildcards.method} {wildcards.setting} seed {wildcards.seed} on {wildcards.dataset}"
    shell:
        "{BENCH} score {params.folder:q} --labels {input.labels:q} > {log:q} 2>&1"
