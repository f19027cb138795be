rule train:
    input:
        train="data/{dataset}/train-images.npy",
        test="data/{dataset}/test-images.npy",
        source=lambda wildcards: training_sources(run_of(wildcards)),
    output:
        record=run_file("run.json"),
        test=run_file("test.npz"),
        epochs=run_file("epochs.npz"),
        history=run_file("history.csv"),
        model=run_file("model.safetensors"),
    log:
        run_file("train.log"),
    benchmark:
        run_file("benchmark.tsv")
    wildcard_constraints:
        dataset=f"(?!(?:{TRAINED_TOGETHER})/)[^/]+",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    params:
        run=lambda wildcards: json.dumps(run_of(wildcards).as_dict(), sort_keys=True),
        folder=subpath(output[0], parent=True),
        # Not {threads}, which fewer --cores would lower, and the results with it.
        threads=CONFIG.threads,
    message:
        "train {wildcards.method} {wildcards.setting} seed {wildcards.seed} on {wildcards.dataset}; progress in {log}"
    shell:
        "python -m gmvae.bench train {params.run:q} {params.folder:q} --train-images {input.train:q}"
        " --test-images {input.test:q} --threads {params.threads} 2> {log:q}"


rule train_together:
    input:
        train="data/{dataset}/train-images.npy",
        test="data/{dataset}/test-images.npy",
        source=lambda wildcards: training_sources(runs_of_setting(wildcards)[0]),
    output:
        record=files_of_seeds("run.json"),
        test=files_of_seeds("test.npz"),
        epochs=files_of_seeds("epochs.npz"),
        history=files_of_seeds("history.csv"),
        model=files_of_seeds("model.safetensors"),
    log:
        f"{SETTING}/train.log",
    benchmark:
        f"{SETTING}/benchmark.tsv"
    wildcard_constraints:
        dataset=f"(?=(?:{TRAINED_TOGETHER})/)[^/]+",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    params:
        runs=lambda wildcards: json.dumps(
            [run.as_dict() for run in runs_of_setting(wildcards)], sort_keys=True
        ),
        folders=lambda wildcards, output: [
            str(Path(path).parent) for path in output.record
        ],
        threads=CONFIG.threads,
    message:
        "train {wildcards.method} {wildcards.setting}, all seeds together, on {wildcards.dataset}; progress in {log}"
    shell:
        "python -m gmvae.bench train-together {params.runs:q} {params.folders:q}"
        " --train-images {input.train:q} --test-images {input.test:q}"
        " --threads {params.threads} 2> {log:q}"


rule score:
    input:
        record=run_file("run.json"),
        test=run_file("test.npz"),
        epochs=run_file("epochs.npz"),
        labels="data/{dataset}/test-labels.npy",
        source=source_files("gmvae.bench.runs.score.score_run"),
    output:
        run_file("metrics.json"),
    log:
        run_file("score.log"),
    conda:
        "../../environment.yml"
    params:
        folder=subpath(output[0], parent=True),
    message:
        "score {wildcards.method} {wildcards.setting} seed {wildcards.seed} on {wildcards.dataset}"
    shell:
        "python -m gmvae.bench score {params.folder:q} --labels {input.labels:q} > {log:q} 2>&1"
