rule tables:
    input:
        inputs(job_list("tables"), ALL_SCORES),
    output:
        job_list("tables"),
        tables=report(
            TABLES,
            caption="../report/caption.rst",
            category="Tables",
            labels={"kind": "table"},
        ),
    log:
        f"{RESULTS}/{LOGS}/tables.log",
    conda:
        "../../environment.yml"
    params:
        results=subpath(output[0], ancestor=2),
        caption="One row per setting (table1), run (runs, times) or epoch (curves).",
    message:
        "tables"
    shell:
        f"{BENCH} tables {{params.results:q}} > {{log:q}} 2>&1"


rule figure:
    input:
        lambda wildcards: inputs(
            job_list(wildcards.figure), job_list("tables"), *ALL_DATA
        ),
    output:
        job_list("{figure}"),
        svg=report(
            f"{RESULTS}/{{figure}}.svg",
            caption="../report/caption.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png=f"{RESULTS}/{{figure}}.png",
    log:
        f"{RESULTS}/{LOGS}/{{figure}}.log",
    wildcard_constraints:
        figure="|".join(
            name for name in FIGURE_NAMES if "csv" not in figures.endings(name)
        )
        or "(?!)",
    conda:
        "../../environment.yml"
    params:
        results=subpath(output[0], ancestor=2),
        caption=lambda wildcards: figures.caption(wildcards.figure),
    message:
        "figure {wildcards.figure}"
    shell:
        f"{BENCH} figure {{params.results:q}} {{wildcards.figure}} > {{log:q}} 2>&1"


use rule figure as figure_with_table with:
    output:
        job_list("{figure}"),
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
            name for name in FIGURE_NAMES if "csv" in figures.endings(name)
        )
        or "(?!)",


rule page:
    input:
        inputs(job_list("page"), *TABLES, *FIGURES),
    output:
        job_list("page"),
        page=report(
            PAGE,
            caption="../report/caption.rst",
            category="Report",
            labels={"kind": "page"},
        ),
    log:
        f"{RESULTS}/{LOGS}/page.log",
    conda:
        "../../environment.yml"
    params:
        results=subpath(output[0], ancestor=2),
        command=COMMAND,
        caption="All tables, figures, methods and runs on one page.",
    message:
        "report {output.page}"
    shell:
        BENCH + " page {params.results:q} --command {params.command:q} > {log:q} 2>&1"


if "synthetic" in FIGURE_NAMES:

    rule synthetic:
        input:
            figure_files("synthetic"),


if "generation" in FIGURE_NAMES:

    rule generation:
        input:
            figure_files("generation"),


localrules:
    tables,
    figure,
    figure_with_table,
    page,
