rule data:
    input:
        lambda wildcards: inputs(f"{DATA}/{wildcards.dataset}/{DATA_LIST}"),
    output:
        f"{DATA}/{{dataset}}/{DATA_LIST}",
    log:
        f"{DATA}/{{dataset}}/data.log",
    conda:
        "../../environment.yml"
    params:
        source=lambda wildcards: option("source", SOURCES.get(wildcards.dataset)),
        data_dir=option("data-dir", CONFIG.data_dir),
    message:
        "data {wildcards.dataset}"
    # Standard error stays on the terminal: it may be the progress of a download.
    shell:
        BENCH
        + " --log {log:q} data {wildcards.dataset:q} {params.source} {params.data_dir}"
        " > /dev/null"
