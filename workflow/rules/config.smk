# Every command reads the configuration there, also where `onstart` does not run: in a module.
# The steps after the trainings are like this one: a command on the whole results folder.
rule config:
    input:
        inputs(RESOLVED),
    output:
        RESOLVED,
    log:
        f"{RESULTS}/{LOGS}/config.log",
    # Before any training, since `status` reads it.
    priority: 1
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        # From a function, whose result may hold words in braces.
        command=lambda wildcards: (
            f"config {shlex.quote(json.dumps(dataclasses.asdict(CONFIG)))}"
        ),
    message:
        "configuration"
    shell:
        BENCH + " {params.command} > {log:q} 2>&1"
