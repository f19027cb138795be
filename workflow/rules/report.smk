rule tables:
    input:
        metrics=[f"{path}/metrics.json" for path in RUN_PATHS],
        source=source_files("gmvae.bench.report_tables.write_tables")
        + ["gmvae/bench/published.csv"],
    output:
        TABLES,
    log:
        f"{RESULTS}/logs/tables.log",
    conda:
        "../../environment.yml"
    params:
        folders=RUN_PATHS,
        results=subpath(output[0], parent=True),
        mark=CONFIG.mark,
    message:
        "tables in {RESULTS}"
    script:
        "../scripts/tables.py"


rule figure:
    input:
        runs=f"{RESULTS}/runs.csv",
        times=f"{RESULTS}/times.csv",
        curves=f"{RESULTS}/curves.csv",
        source=lambda wildcards: source_files(
            f"gmvae.bench.figures.{wildcards.figure}.draw"
        ),
    output:
        multiext(f"{RESULTS}/{{figure}}", ".svg", ".png"),
    log:
        f"{RESULTS}/logs/{{figure}}.log",
    wildcard_constraints:
        figure="|".join(bench_figures.available()),
    conda:
        "../../environment.yml"
    params:
        results=subpath(output[0], parent=True),
        mark=CONFIG.mark,
    message:
        "figure {wildcards.figure}"
    script:
        "../scripts/figure.py"


# Has no inputs, so that it never starts a training run, and no outputs, so that it always runs.
rule partial:
    log:
        f"{RESULTS}/logs/partial.log",
    conda:
        "../../environment.yml"
    params:
        runs=[run.as_dict() for run in RUNS.values()],
        results=RESULTS,
        mark=CONFIG.mark,
    message:
        "tables and figures of the finished runs, in {RESULTS}/partial"
    script:
        "../scripts/partial.py"
