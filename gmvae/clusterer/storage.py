"""File of a fitted GMVAE: safetensors with a JSON header; nothing in it is ever executed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gmvae.model.architectures import ImageShape

FORMAT = "gmvae-2"
OLDER_FORMATS = ("gmvae-1",)
"""Earlier formats, whose networks had other parameters (biases before batch normalisations)."""
ATTRIBUTES = (
    "n_features_in_",
    "observation_",
    "reads_pixels_",
    "image_shape_",
    "epochs_",
    "init_",
    "select_by_",
    "best_init_",
    "seed_",
    "elbo_",
)


@dataclass(frozen=True)
class StoredGMVAE:
    """Content of the file.

    Attributes
    ----------
    parameters, attributes : dict
        Constructor arguments, and the fitted attributes named in `ATTRIBUTES`.
    state : dict of str to Tensor
        Parameters and buffers of the networks.
    history : dict of str to ndarray
    labels : ndarray of int
    """

    parameters: dict[str, Any]
    attributes: dict[str, Any]
    state: dict[str, Tensor]
    history: dict[str, NDArray[Any]]
    labels: NDArray[np.intp]


def save(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator; see `gmvae.GMVAE.save`."""
    tensors = {f"model.{name}": value for name, value in estimator.model_.state_dict().items()}
    tensors |= {f"history.{name}": torch.from_numpy(v) for name, v in estimator.history_.items()}
    tensors["labels"] = torch.from_numpy(estimator.labels_)
    parameters = estimator.get_params()
    if not isinstance(parameters["random_state"], int):
        # A generator cannot be stored; the seed that was drawn from it is among the attributes.
        parameters["random_state"] = None
    header = {
        "format": FORMAT,
        "class": type(estimator).__name__,
        "parameters": json.dumps(parameters, default=_plain_number),
        "attributes": json.dumps(
            {name: getattr(estimator, name) for name in ATTRIBUTES}, default=_plain_number
        ),
    }
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, header)


def load(path: str | Path, class_name: str = "GMVAE") -> StoredGMVAE:
    """Read a file that `save` wrote for an estimator of this class.

    Raises
    ------
    ValueError
        If the file is damaged or was not written by `save`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    if header.get("format") in OLDER_FORMATS:
        raise ValueError(
            f"{path} was written by an older version of gmvae, whose networks had other "
            "parameters; fit the model again, or read the file with gmvae 0.1.0"
        )
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by GMVAE.save (no format {FORMAT!r} in it)")
    # Files of 0.3.0 and before have no class: they are GMVAE's.
    if header.get("class", "GMVAE") != class_name:
        raise ValueError(f"{path} holds a {header['class']}; read it with {header['class']}.load")
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "history": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = value
    attributes = json.loads(header["attributes"])
    shape = attributes.get("image_shape_")  # files of 0.6.0 and before have none
    attributes["image_shape_"] = shape and ImageShape(*shape)
    parameters = json.loads(header["parameters"])
    attributes.setdefault("epochs_", parameters.get("epochs"))
    attributes.setdefault("select_by_", "elbo")
    # Files of 0.6.0 and before know no other start.
    only = "random" if class_name == "GMVAE" else "mixture"
    attributes.setdefault("init_", parameters.setdefault("init", only))
    return StoredGMVAE(
        parameters=parameters,
        attributes=attributes,
        state=parts["model"],
        history={name: value.numpy() for name, value in parts["history"].items()},
        labels=tensors["labels"].numpy(),
    )


def _plain_number(value: Any) -> int | float:
    """Convert a NumPy scalar to a number for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__} cannot be saved: {value!r}")
