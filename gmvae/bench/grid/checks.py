"""Checks of runs against their data and the machine, before anything is trained.

Only the heads of data files are read. What they do not show is found when the data are prepared.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gmvae.bench import data as datasets
from gmvae.bench.data import Header
from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.disk.layout import DATA, DATA_LIST
from gmvae.bench.grid import methods
from gmvae.bench.grid.config import Config
from gmvae.bench.grid.runs import Run
from gmvae.bench.grid.sources import is_own
from gmvae.clusterer.parameters import FEW_SAMPLES
from gmvae.model.architectures import ImageShape, architecture, convolution_sizes

ROWS = 1000
"""Rows of prepared data that are looked at."""


def check_runs(config: Config, runs: Collection[Run]) -> None:
    """Refuse runs that do not fit their data.

    Parameters
    ----------
    config : Config
    runs : collection of Run
        Those to be trained.

    Raises
    ------
    ConfigError
        If a number of clusters exceeds the samples, or a convolutional network would get vectors.
        The message has at most three lines: found, expected, remedy.
    DataError
        If a file of a user's own data cannot be used, as far as its head shows.
    """
    names = {run.dataset for run in runs}
    _check_data_dir(config, names)
    headers = {
        spec.name: datasets.header(spec.name, spec.source)
        for spec in config.datasets
        if spec.name in names
    }
    settings = {(run.dataset, run.method, run.setting): run for run in runs}
    for run in settings.values():
        header = headers[run.dataset]
        if header is not None:
            _check_clusters(run, header)
            _check_together(config, run, header)
            _check_network(run, header)


def remarks(config: Config, runs: Collection[Run]) -> list[str]:
    """Lines about what is allowed, but perhaps not meant.

    Parameters
    ----------
    config : Config
    runs : collection of Run
    """
    lines = []
    for spec in config.datasets:
        if spec.source is None or not _are_fractions(spec.name, spec.source):
            continue
        names = [run.method for run in runs if run.dataset == spec.name and _may_see_pixels(run)]
        if names:
            lines.append(
                f"remark: {spec.name} has values from 0 to 1, which are pixels to "
                f"{', '.join(dict.fromkeys(names))}; if they are not, set 'observation: gaussian' "
                "under 'parameters' of each, or 'scale: standard'"
            )
    return lines


def _are_fractions(name: str, source: Mapping[str, Any]) -> bool:
    """Whether real vectors lie between 0 and 1, as far as it is known before they are prepared."""
    path = DATA / name / "train-images.npy"
    if source.get("scale", "none") == "none" and path.is_file():
        first = np.load(path, mmap_mode="r", allow_pickle=False)[:ROWS]
        is_real_vectors = first.ndim == 2 and first.dtype.kind == "f"
        return is_real_vectors and bool(((first >= 0) & (first <= 1)).all())
    return source.get("scale") == "minmax"


def _may_see_pixels(run: Run) -> bool:
    """Whether a run decides by the values themselves if they are pixels."""
    if not is_own(run.class_path) or run.method not in methods.available():
        return False
    return {**methods.find(run.method).arguments, **run.parameters}.get("observation") == "auto"


def check_devices(runs: Iterable[Run]) -> None:
    """Refuse runs that are to be trained on a GPU which this machine does not have.

    Raises
    ------
    ConfigError
        In three lines, as `check_runs`.
    """
    for name in sorted({str(run.parameters.get("device", "")) for run in runs}):
        if name.startswith("cuda"):
            _check_gpu(name)


def _check_data_dir(config: Config, names: Collection[str]) -> None:
    """Refuse a local folder of data that is not there, if data have yet to come from it."""
    found_there = {"mnist", "fashion_mnist"} & {*names}
    needed = [name for name in found_there if not (DATA / name / DATA_LIST).is_file()]
    if needed and config.data_dir and not os.path.isdir(os.path.expanduser(config.data_dir)):
        raise ConfigError(
            f"data_dir: {config.data_dir} is not a folder\n"
            "expected: a folder that holds mnist/ or another data set\n"
            "remedy: correct the path, or leave data_dir out to have the data downloaded"
        )


def _check_clusters(run: Run, header: Header) -> None:
    if run.K is None or header.n_train >= run.K:
        return
    raise ConfigError(
        f"{run.method} on {run.dataset}: K = {run.K:,} is more than the {header.n_train:,} "
        "training samples\n"
        f"expected: K of at most {header.n_train:,}\n"
        f"remedy: lower K, for this data set alone by 'K: {{{run.dataset}: [...]}}'"
    )


def _check_together(config: Config, run: Run, header: Header) -> None:
    if not config.seeds_together or run.class_path != methods.BUILT_IN["gmvae"]:
        return
    init = run.parameters.get("init", "auto")
    if init == "mixture" or (init == "auto" and header.n_train < FEW_SAMPLES):
        raise ConfigError(
            f"{run.method} on {run.dataset}: with init: {init} and {header.n_train:,} training "
            "samples, each seed starts from a mixture of its own, which seeds_together cannot "
            "train\nexpected: a random start\n"
            "remedy: set 'init: random' under its parameters, or leave seeds_together out"
        )


def _check_network(run: Run, header: Header) -> None:
    if not is_own(run.class_path):
        return
    known = methods.find(run.method).arguments if run.method in methods.available() else {}
    arguments = {**known, **run.parameters}
    if "network" not in arguments:
        return
    network, given = architecture(arguments["network"]), arguments.get("image_shape")
    if not network.convolutions:
        return
    shape = given or header.shape
    fit = None if len(shape) == 1 else ImageShape(*shape[:3])
    problem = f"each sample is a vector of {math.prod(header.shape):,} real values"
    if given or header.are_images:
        try:
            convolution_sizes(replace(network, image_shape=fit), math.prod(header.shape))
            return
        except ValueError as error:
            problem = str(error)
    raise ConfigError(
        f"{run.method} on {run.dataset}: network {arguments['network']} is convolutional, but "
        f"{problem}\n"
        "expected: images that are large enough for its convolutions\n"
        "remedy: set 'network: fast-fc'; or, if each vector is an image, 'image_shape: [height, "
        "width, channels]'"
    )


def _check_gpu(name: str) -> None:
    import torch  # takes a second, so only where a GPU is asked for

    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = name.partition(":")[2] or "0"
    if not index.isdecimal() or int(index) >= n_devices:
        raise ConfigError(
            f"device: {name} is asked for, but torch finds {n_devices or 'no'} CUDA "
            f"device{'' if n_devices == 1 else 's'} on this machine\n"
            "expected: a GPU with its driver, and a CUDA build of torch\n"
            "remedy: set 'device: cpu', or 'device: auto', which takes a GPU if there is one"
        )
