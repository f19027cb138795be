"""Foreign results: assignments of another program to the test samples, read and checked.

They stand in a config in place of a method, and each file becomes a run of `CLASS_PATH`. Its
parameters hold the checksum of the file, so another content is another run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import read_manifest
from gmvae.bench.disk.errors import ConfigError, DataError
from gmvae.bench.disk.layout import DATA, DATA_LIST

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASS_PATH = "gmvae.bench.runs.adapters.assignments.Assignments"
CLUSTERS, PROBABILITIES = "clusters", "probabilities"
TOLERANCE = 1e-3
"""Largest distance of the sum of a sample's probabilities from 1."""
REFUSED = ("class", "M", "parameters")
"""Keys of a method that foreign results do not have."""


def seeds_of(entry: Mapping[str, Any], seeds: Sequence[int]) -> list[int]:
    """Seeds of an entry that gives none: one for each file of a list, or one for a single file.

    Parameters
    ----------
    entry : mapping
        As in a config.
    seeds : sequence of int
        Those of the config, which a path with ``{seed}`` has.
    """
    given = entry["assignments"]
    if isinstance(given, list):
        return list(range(len(given)))
    return list(seeds) if "{seed}" in given else [seeds[0]]


def described(entry: Mapping[str, Any], place: str) -> dict[str, dict[str, str]]:
    """Find and check the files of an entry with ``assignments``.

    Parameters
    ----------
    entry : mapping
        As in a config, with the ``datasets`` and ``seeds`` that it is run for.
    place : str
        Where it stands, for messages.

    Returns
    -------
    dict
        Parameters of each run, by `key_of`.

    Raises
    ------
    ConfigError
        If a key does not fit, or a file is missing or does not hold assignments to K clusters.
    """
    _check_keys(entry, place)
    found = {}
    for K in entry["K"]:
        for number, seed in enumerate(entry["seeds"]):
            given = entry["assignments"]
            template = given[number] if isinstance(given, list) else given
            path = template.replace("{seed}", str(seed)).replace("{K}", str(K))
            try:
                read_assignments(Path(path), K)
                checksum = files.sha256(path)
            except DataError as error:
                raise ConfigError(f"{place}.assignments: {error}") from error
            found[key_of(K, seed)] = {
                "assignments": path,
                "sha256": checksum,
                "data_sha256": entry["data_sha256"],
            }
    return found


def key_of(K: int | None, seed: int) -> str:
    """Name of one file among those of an entry."""
    return f"K{K}-seed{seed}"


def _check_keys(entry: Mapping[str, Any], place: str) -> None:
    for key in REFUSED:
        if key in entry:
            raise ConfigError(f"{place}.{key}: is not for an entry with assignments; remove it")
    for key, example in (("data_sha256", "the checksum of the test images"), ("K", "like [10]")):
        if key not in entry:
            hint = (
                "; leave the entry out for a moment, and gmvae-bench check says how to get it"
                if key == "data_sha256"
                else ""
            )
            raise ConfigError(f"{place}.{key}: is missing; give {example}{hint}")
    if len(entry["datasets"]) != 1:
        raise ConfigError(
            f"{place}.datasets: assignments are for one data set, but this entry has "
            f"{', '.join(entry['datasets'])}; add one of them, like datasets: "
            f"[{entry['datasets'][0]}]"
        )
    if isinstance(entry["K"], Mapping):
        raise ConfigError(f"{place}.K: should be a list, since there is one data set")
    given, seeds = entry["assignments"], entry["seeds"]
    paths = given if isinstance(given, list) else [given]
    if isinstance(given, list) and len(given) != len(seeds):
        raise ConfigError(
            f"{place}.assignments: {len(given)} files for {len(seeds)} seeds; give one for each"
        )
    if isinstance(given, str) and len(seeds) > 1 and "{seed}" not in given:
        raise ConfigError(
            f"{place}.assignments: one file for {len(seeds)} seeds; write {{seed}} into the path, "
            "or give a list of files"
        )
    if len(entry["K"]) > 1 and not all("{K}" in path for path in paths):
        raise ConfigError(
            f"{place}.assignments: one file for {len(entry['K'])} numbers of clusters; write {{K}} "
            "into the path"
        )


def read_assignments(path: Path, K: int | None) -> dict[str, NDArray[Any]]:
    """Read assignments of samples to clusters.

    Parameters
    ----------
    path : Path
        Archive of NumPy with ``clusters``, whole numbers of shape (N,), or ``probabilities`` of
        shape (N, K).
    K : int or None
        Number of clusters.

    Returns
    -------
    dict
        The one of the two that it has; both if it has both.

    Raises
    ------
    DataError
        If the file is missing, or its arrays are not like this.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; give the path of an .npz file")
    try:
        arrays = files.read_arrays(path)
    except (DataError, AttributeError) as error:
        raise DataError(
            f"{path} is not an .npz archive of NumPy without pickled objects; write it by "
            f"numpy.savez(path, {CLUSTERS}=...)"
        ) from error
    found = {name: arrays[name] for name in (CLUSTERS, PROBABILITIES) if name in arrays}
    if not found:
        raise DataError(
            f"{path} has neither {CLUSTERS!r} nor {PROBABILITIES!r}, but "
            f"{', '.join(arrays) or 'nothing'}; name the array by one of these"
        )
    if CLUSTERS in found:
        _check_clusters(path, found[CLUSTERS], K)
    if PROBABILITIES in found:
        _check_probabilities(path, found[PROBABILITIES], K)
    if len(found) == 2 and (
        found[PROBABILITIES].argmax(axis=1).tolist() != found[CLUSTERS].tolist()
    ):
        raise DataError(
            f"{path}: {CLUSTERS!r} are not the most probable ones of {PROBABILITIES!r}; leave one "
            "of the arrays out"
        )
    return found


def _check_clusters(path: Path, clusters: NDArray[Any], K: int | None) -> None:
    if clusters.dtype.kind not in "iu" or clusters.ndim != 1 or not len(clusters):
        raise DataError(
            f"{path}: {CLUSTERS!r} should be whole numbers of shape (N,), one for each test "
            f"sample, but are {clusters.dtype} of shape {clusters.shape}"
        )
    least, most = int(clusters.min()), int(clusters.max())
    if least < -1 or (K is not None and most >= K):
        raise DataError(
            f"{path}: {CLUSTERS!r} should be numbered from 0 to K-1 = {(K or 0) - 1} (or be -1, "
            f"which stands for noise), but go from {least} to {most}"
        )


def _check_probabilities(path: Path, probabilities: NDArray[Any], K: int | None) -> None:
    import numpy as np

    shape = probabilities.shape
    if probabilities.dtype.kind != "f" or len(shape) != 2 or not len(probabilities):
        raise DataError(
            f"{path}: {PROBABILITIES!r} should be floating point of shape (N, K), a row for each "
            f"test sample, but are {probabilities.dtype} of shape {shape}"
        )
    if K is not None and shape[1] != K:
        raise DataError(
            f"{path}: {PROBABILITIES!r} have {shape[1]} columns, but K is {K}; correct one of them"
        )
    if not np.isfinite(probabilities).all():
        rows = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
        raise DataError(f"{path}: {PROBABILITIES!r} of sample {rows[0]} are NaN or infinite")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero((np.abs(sums - 1) > TOLERANCE) | (probabilities < 0).any(axis=1))
    if len(wrong):
        raise DataError(
            f"{path}: {PROBABILITIES!r} should be at least 0 and sum to 1 for each sample, but "
            f"those of sample {wrong[0]} are {np.round(probabilities[wrong[0], :5], 4).tolist()}"
            f"{'...' if shape[1] > 5 else ''}, with the sum {sums[wrong[0]]:.6g} "
            f"({len(wrong)} samples are like this)"
        )


def refuse_other_data(parameters: Mapping[str, Any], dataset: str, test_sha256: str) -> None:
    """Refuse assignments to other samples than the test split of a data set.

    Parameters
    ----------
    parameters : mapping
        Those of a run of `CLASS_PATH`.
    dataset : str
    test_sha256 : str
        Checksum of its prepared test images.

    Raises
    ------
    DataError
        If the checksum is another.
    """
    if parameters["data_sha256"] != test_sha256:
        raise DataError(
            f"{parameters['assignments']} belongs to other data: its data_sha256 is "
            f"{parameters['data_sha256']}, but the test images of {dataset} have {test_sha256} "
            f"(sha256sum {DATA / dataset / 'test-images.npy'}, or gmvae-bench check); if the "
            "assignments are for these samples in this order, put this checksum into the config"
        )


def test_checksum(dataset: str) -> str | None:
    """Checksum of the test images of a data set, if it has been prepared."""
    folder = DATA / dataset
    return read_manifest(folder / DATA_LIST).get(folder / "test-images.npy")
