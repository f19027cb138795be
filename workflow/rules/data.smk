rule data:
    output:
        expand(
            "data/{{dataset}}/{split}-{kind}.npy",
            split=["train", "test"],
            kind=["images", "labels"],
        ),
    log:
        "data/{dataset}/data.log",
    conda:
        "../../environment.yml"
    params:
        npz=lambda wildcards: NPZ.get(wildcards.dataset),
        option=lambda wildcards: (
            "--npz {}".format(shlex.quote(NPZ[wildcards.dataset]))
            if NPZ.get(wildcards.dataset)
            else ""
        ),
    message:
        "data set {wildcards.dataset}"
    shell:
        "python -m gmvae.bench data {wildcards.dataset:q} data/{wildcards.dataset:q} {params.option} 2> {log:q}"
