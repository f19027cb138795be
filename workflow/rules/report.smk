WITH_TABLE = {name for name in FIGURE_NAMES if "csv" in figures.endings(name)}


use rule config as tables with:
    input:
        inputs(job_list("tables"), ALL_SCORES),
    output:
        job_list("tables"),
        tables=shown(TABLES, "Tables", kind="table"),
    log:
        f"{RESULTS}/{LOGS}/tables.log",
    localrule: True
    params:
        command=f"tables {FOLDER}",
        caption="One row per setting (table1), run (runs, times) or epoch (curves).",
    message:
        "tables"


use rule config as figure with:
    input:
        lambda wildcards: inputs(
            job_list(wildcards.figure), job_list("tables"), *ALL_DATA
        ),
    output:
        job_list("{figure}"),
        svg=shown(f"{RESULTS}/{{figure}}.svg", "Figures", figure="{figure}"),
        png=f"{RESULTS}/{{figure}}.png",
    log:
        f"{RESULTS}/{LOGS}/{{figure}}.log",
    wildcard_constraints:
        figure=one_of(name for name in FIGURE_NAMES if name not in WITH_TABLE),
    localrule: True
    params:
        command=lambda wildcards: f"figure {FOLDER} {wildcards.figure}",
        caption=lambda wildcards: figures.caption(wildcards.figure),
    message:
        "figure {wildcards.figure}"


use rule figure as figure_with_table with:
    output:
        job_list("{figure}"),
        svg=shown(f"{RESULTS}/{{figure}}.svg", "Figures", figure="{figure}"),
        png=f"{RESULTS}/{{figure}}.png",
        csv=f"{RESULTS}/{{figure}}.csv",
    wildcard_constraints:
        figure=one_of(WITH_TABLE),
    localrule: True


use rule config as page with:
    input:
        inputs(job_list("page"), *TABLES, *FIGURES),
    output:
        job_list("page"),
        page=shown(PAGE, "Report", kind="page"),
    log:
        f"{RESULTS}/{LOGS}/page.log",
    localrule: True
    params:
        command=lambda wildcards: (f"page {FOLDER} --command {shlex.quote(COMMAND)}"),
        caption="All tables, figures, methods and runs on one page.",
    message:
        "report {output.page}"


# Figures that can be asked for by their names.
for name in ("synthetic", "generation"):
    if name in FIGURE_NAMES:

        rule:
            name:
                name
            input:
                figure_files(name),
