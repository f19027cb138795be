rule data:
    input:
        lambda wildcards: inputs(f"{DATA}/{wildcards.dataset}/{DATA_LIST}"),
    output:
        f"{DATA}/{{dataset}}/{DATA_LIST}",
    log:
        f"{DATA}/{{dataset}}/data.log",
    # The nodes of a cluster may have no network.
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
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
