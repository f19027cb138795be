rule tables:
    input:
        metrics=[f"{path}/metrics.json" for path in RUN_PATHS],
        source=source_files("gmvae.bench.report.table_files.write_tables")
        + ["gmvae/bench/report/published.csv"],
    output:
        report(
            TABLES,
            caption="../report/caption.rst",
            category="Tables",
            labels={"kind": "table"},
        ),
    log:
        f"{RESULTS}/logs/tables.log",
    conda:
        "../../environment.yml"
    params:
        folders=RUN_PATHS,
        results=subpath(output[0], parent=True),
        mark=CONFIG.mark,
        caption="A row a setting (table1), a run (runs, times) or an epoch (curves).",
    message:
        "tables in {RESULTS}"
    script:
        "../scripts/tables.py"


rule figure:
    input:
        runs=lambda wildcards: figure_inputs(wildcards.figure),
        source=lambda wildcards: source_files(
            f"gmvae.bench.report.figures.{wildcards.figure}.draw"
        ),
    output:
        svg=report(
            f"{RESULTS}/{{figure}}.svg",
            caption="../report/caption.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png=f"{RESULTS}/{{figure}}.png",
    log:
        f"{RESULTS}/logs/{{figure}}.log",
    wildcard_constraints:
        figure="|".join(
            name for name in FIGURE_NAMES if "csv" not in bench_figures.endings(name)
        ),
    conda:
        "../../environment.yml"
    params:
        folders=lambda wildcards: figure_runs(wildcards.figure),
        results=subpath(output.svg, parent=True),
        mark=CONFIG.mark,
        caption=lambda wildcards: bench_figures.caption(wildcards.figure),
    message:
        "figure {wildcards.figure}"
    script:
        "../scripts/figure.py"


use rule figure as figure_with_table with:
    output:
        svg=report(
            f"{RESULTS}/{{figure}}.svg",
            caption="../report/caption.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png=f"{RESULTS}/{{figure}}.png",
        csv=f"{RESULTS}/{{figure}}.csv",
    wildcard_constraints:
        figure="|".join(
            name for name in FIGURE_NAMES if "csv" in bench_figures.endings(name)
        )
        or "(?!)",


rule page:
    input:
        metrics=[f"{path}/metrics.json" for path in RUN_PATHS],
        tables=TABLES,
        figures=FIGURES,
        source=source_files("gmvae.bench.report.page.write_page") + PAGE_FILES,
    output:
        report(
            REPORT,
            caption="../report/caption.rst",
            category="Report",
            labels={"kind": "page"},
        ),
    log:
        f"{RESULTS}/logs/page.log",
    conda:
        "../../environment.yml"
    params:
        folders=RUN_PATHS,
        figures=FIGURE_NAMES,
        results=subpath(output[0], ancestor=2),
        mark=CONFIG.mark,
        command=COMMAND,
        caption="All tables, figures, methods and runs on one page.",
    message:
        "report {output}"
    script:
        "../scripts/page.py"


rule synthetic:
    input:
        figure_files("synthetic"),


rule generation:
    input:
        figure_files("generation"),


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
        command=COMMAND,
    message:
        "tables, figures and report of the finished runs, in {RESULTS}/partial"
    script:
        "../scripts/partial.py"
