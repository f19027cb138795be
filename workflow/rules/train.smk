rule train:
    input:
        train="data/{dataset}/train-images.npy",
        test="data/{dataset}/test-images.npy",
        # A change to the method's own source makes its runs, and no others, out of date.
        source=lambda wildcards: source_files(run_of(wildcards).class_path)
        + ["gmvae/bench/train.py", "gmvae/bench/assignments.py"],
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


rule score:
    input:
        record=rules.train.output.record,
        test=rules.train.output.test,
        epochs=rules.train.output.epochs,
        labels="data/{dataset}/test-labels.npy",
        source=source_files("gmvae.bench.score.score_run"),
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
