# Every command reads the configuration there, also where `onstart` does not run: in a module.
rule config:
    input:
        inputs(RESOLVED),
    output:
        RESOLVED,
    log:
        f"{RESULTS}/{LOGS}/config.log",
    conda:
        "../../environment.yml"
    params:
        config=json.dumps(dataclasses.asdict(CONFIG)),
    message:
        "configuration"
    shell:
        BENCH + " config {params.config:q} > {log:q} 2>&1"


localrules:
    config,
