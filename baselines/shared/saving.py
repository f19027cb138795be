"""Files of fitted methods: safetensors with a JSON header; nothing in them is ever executed.

``saved_network.py`` adds the network of a method that has one; this file does without torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from gmvae.model.architectures import ImageShape

FORMAT = "method-1"
PARTS: dict[str, Any] = {cls.__name__: cls for cls in (KMeans, PCA, GaussianMixture)}
"""Estimators that a method may be made of; a file cannot name any other class."""
NOT_SAVED = ("model_", "records_", "feature_names_in_")
"""Networks are saved as their tensors; records belong to the training."""


Arrays = dict[str, NDArray[Any]]


class Saved:
    """`save` and `load` for a method whose fitted attributes are numbers, text and arrays.

    Estimators among `PARTS`, and dicts of arrays, are possible, too.
    """

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one safetensors file, without pickle.

        Parameters
        ----------
        path : str or Path
        """
        check_is_fitted(self)
        arrays: Arrays = {}
        described = _described(self, "", arrays)
        arrays |= {f"model.{name}": _copy(value) for name, value in self._network().items()}
        header = {"format": FORMAT, "class": type(self).__name__, "estimator": _json(described)}
        save_file(arrays, path, header)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "cpu") -> Self:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : str or Path
        device : {"cpu", "cuda", "auto"}, default="cpu"
            For the network, if the method has one.

        Returns
        -------
        Self

        Raises
        ------
        ValueError
            If the file is damaged or was not written by `save` of this class.
        """
        described, arrays, network = _read(path, cls.__name__)
        if "device" in described["parameters"]:
            described["parameters"]["device"] = device
        estimator = cls(**described["parameters"])
        _restore(estimator, described, "", arrays)
        estimator._set_network(network)
        return estimator

    def _network(self) -> Arrays:
        """Parameters and buffers of the network, if there is one."""
        return {}

    def _set_network(self, arrays: Arrays) -> None:
        """Make the network again."""


def _described(estimator: Any, place: str, arrays: Arrays) -> dict[str, Any]:
    """All that makes an estimator, for JSON; its arrays go to `arrays`."""
    parameters = estimator.get_params(deep=False)
    if not isinstance(parameters.get("random_state"), int | None):
        parameters["random_state"] = None  # a generator cannot be stored
    attributes: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for name, value in vars(estimator).items():
        if name in parameters or name in NOT_SAVED:
            continue
        if type(value).__name__ in PARTS:
            described = _described(value, f"{place}{name}.", arrays)
            parts[name] = {"class": type(value).__name__, **described}
        elif isinstance(value, np.ndarray):
            arrays[f"array.{place}{name}"] = _copy(value)
        elif isinstance(value, dict):
            for key, array in value.items():
                arrays[f"array.{place}{name}.{key}"] = _copy(array)
            attributes[name] = {}
        else:
            attributes[name] = value
    return {"parameters": parameters, "attributes": attributes, "parts": parts}


def _copy(array: Any) -> NDArray[Any]:
    """A copy in the order that the file format wants."""
    return np.array(array, order="C")


def _restore(estimator: Any, described: dict[str, Any], place: str, arrays: Arrays) -> None:
    """Give an estimator its attributes; the names of its arrays begin with `place`."""
    for name, value in described["attributes"].items():
        if name == "image_shape_":
            value = value and ImageShape(*value)  # noqa: PLW2901
        setattr(estimator, name, value)
    for name, part in described["parts"].items():
        inner = PARTS[part["class"]](**part["parameters"])
        _restore(inner, part, f"{place}{name}.", arrays)
        setattr(estimator, name, inner)
    for name, array in arrays.items():
        owner, _, key = name.removeprefix(place).partition(".")
        if not name.startswith(place) or owner in described["parts"]:
            continue
        if key:
            getattr(estimator, owner)[key] = array
        else:
            setattr(estimator, owner, array)


def _read(path: str | Path, class_name: str) -> tuple[dict[str, Any], Arrays, Arrays]:
    """Description, arrays and network in a file of this class."""
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    try:
        description, _ = json.loads(header["estimator"]), header["class"]
    except (KeyError, ValueError):
        header = {}
    if header.get("format") != FORMAT:
        raise ValueError(
            f"{path} was not written by {class_name}.save (no format {FORMAT!r} in it)"
        )
    if header["class"] != class_name:
        raise ValueError(f"{path} holds a {header['class']}; read it with {header['class']}.load")
    parts: dict[str, Arrays] = {"array": {}, "model": {}}
    for name, value in stored.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = value
    return description, parts["array"], parts["model"]


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    """A NumPy scalar as a number for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__} cannot be saved: {value!r}")
