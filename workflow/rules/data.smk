rule data:
    input:
        npz=lambda wildcards: NPZ.get(wildcards.dataset) or [],
        source=lambda wildcards: source_files(
            "gmvae.bench.data.{}.load".format(
                "npz" if NPZ.get(wildcards.dataset) else wildcards.dataset
            )
        ),
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
        folder=subpath(output[0], parent=True),
        npz=lambda wildcards, input: (
            "--npz {}".format(shlex.quote(input.npz)) if input.npz else ""
        ),
    message:
        "data set {wildcards.dataset}"
    # Standard error stays on the terminal: it may be the progress of a download.
    shell:
        "python -m gmvae.bench --log {log:q} data {wildcards.dataset:q} {params.folder:q} {params.npz}"
