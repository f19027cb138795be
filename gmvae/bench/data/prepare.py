"""The data step: any data set into four arrays, images and labels in separate files, and names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gmvae.bench import data as datasets
from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import write_manifest
from gmvae.bench.disk.layout import CLASS_NAMES, DATA_LIST


def prepare(name: str, source: Mapping[str, Any] | None, folder: Path, made_from: str = "") -> str:
    """Write ``{train,test}-images.npy``, ``{train,test}-labels.npy`` and ``classes.json``.

    Parameters
    ----------
    name : str
    source : mapping or None
        The user's own data, as for `gmvae.bench.data.load`.
    folder : Path
    made_from : str
        Key of what the data set is made from, for the list of checksums.

    Returns
    -------
    str
        One line about the data set.
    """
    data = datasets.load(name, source)
    products: list[Path] = []
    for split_name, split in (("train", data.train), ("test", data.test)):
        files.write_array(folder / f"{split_name}-images.npy", split.images)
        # Without labels the file is there all the same, and empty.
        labels = np.zeros(0, np.int64) if split.labels is None else split.labels
        files.write_array(folder / f"{split_name}-labels.npy", labels)
        products += [folder / f"{split_name}-{kind}.npy" for kind in ("images", "labels")]
    files.write_json(folder / CLASS_NAMES, list(data.class_names))
    products.append(folder / CLASS_NAMES)
    write_manifest(folder / DATA_LIST, products, made_from)
    shape = "x".join(map(str, data.train.images.shape[1:]))
    return (
        f"{name}: {len(data.train.images):,} training and {len(data.test.images):,} test samples "
        f"of {shape}, {data.train.images.dtype}"
    )
