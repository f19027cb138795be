"""Constraints of parameters, declared by the annotations of an estimator's fields; no torch here.

An estimator with a network is a dataclass, and the annotation of a field is its constraint:
``masked: Share = 0.2``. An estimator checks its parameters when it is fitted. The benchmark checks
them when it reads a config, so a wrong value is reported before anything is trained.
"""

from __future__ import annotations

import itertools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Literal

import numpy as np

from gmvae.model.architectures import architecture

FEW_SAMPLES = 10_000
"""Number of training samples from which on `gmvae.GMVAE` starts as in the paper by default."""


@dataclass(frozen=True)
class AtLeast:
    """Integers of at least `least`."""

    least: int

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        if not isinstance(value, Integral) or isinstance(value, bool) or value < self.least:
            raise ValueError(f"{name} must be an integer of at least {self.least}, got {value!r}")


@dataclass(frozen=True)
class CountOrRisingCounts:
    """Integers of at least 1, or lists of such integers in rising order."""

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        if not isinstance(value, list):
            AtLeast(1).check(name, value)
            return
        for one in value:
            AtLeast(1).check(f"each value in {name}", one)
        if not value or any(one >= other for one, other in itertools.pairwise(value)):
            raise ValueError(f"{name} must be in rising order, like [2, 4]; got {value!r}")


@dataclass(frozen=True)
class Above:
    """Finite numbers above 0, or from 0 on if zero is included."""

    zero_included: bool

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        number = isinstance(value, Real) and not isinstance(value, bool)
        if number and math.isfinite(value) and (value > 0 or (value == 0 and self.zero_included)):
            return
        bound = "of at least 0" if self.zero_included else "above 0"
        # YAML reads 1e-3 as text.
        hint = (
            "; in YAML write it with a point and a sign, like 1.0e-3"
            if isinstance(value, str) and "e" in value.lower() and value[:1].isdigit()
            else ""
        )
        raise ValueError(f"{name} must be a finite number {bound}, got {value!r}{hint}")


@dataclass(frozen=True)
class From0ToBelow1:
    """Shares, from 0 to below 1."""

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < 1:
            raise ValueError(f"{name} must be a number from 0 to below 1, like 0.2; got {value!r}")


@dataclass(frozen=True)
class TrueOrFalse:
    """Booleans; the plain annotation ``bool`` is not a constraint."""

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")


@dataclass(frozen=True)
class Network:
    """Names of architectures."""

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        architecture(value)


@dataclass(frozen=True)
class DeviceName:
    """Names of devices, such as ``cuda:1``."""

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        if not isinstance(value, str) or value.partition(":")[0] not in ("cpu", "cuda", "auto"):
            raise ValueError(f"{name} must be one of cpu, cuda, auto; got {value!r}")


@dataclass(frozen=True)
class ImageSizes:
    """Two or three integers of at least 1: height, width and, for colours, channels."""

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless `value` is one."""
        if not isinstance(value, (list, tuple)) or len(value) not in (2, 3):
            raise ValueError(f"{name} must be like [28, 28] or [40, 24, 3]; got {value!r}")
        for one in value:
            AtLeast(1).check(f"each value in {name}", one)


Count = Annotated[int, AtLeast(1)]
# Batch normalisation has nothing to normalise in a batch of one.
BatchSize = Annotated[int, AtLeast(2)]
Epochs = Annotated[int | list[int], CountOrRisingCounts()]
Positive = Annotated[float, Above(zero_included=False)]
NonNegative = Annotated[float, Above(zero_included=True)]
Share = Annotated[float, From0ToBelow1()]
Flag = Annotated[bool, TrueOrFalse()]
Shape = Annotated[Sequence[int], ImageSizes()]
NetworkName = Annotated[str, Network()]
Device = Annotated[str, DeviceName()]
Observation = Literal["auto", "bernoulli", "gaussian"]
Objective = Literal["paper", "exact"]
Precision = Literal["float32", "bfloat16"]
Schedule = Literal["cosine", "constant"]
Start = Literal["auto", "random", "mixture"]
Criterion = Literal["elbo", "conditional_prior", "agreement"]
CriterionOrAuto = Literal["auto", "elbo", "conditional_prior", "agreement"]
ElboOrAgreement = Literal["elbo", "agreement"]
OnlyAgreement = Literal["agreement"]
Covariance = Literal["full", "tied", "diag", "spherical"]
Seed = int | np.random.RandomState | None


def check_parameters(annotations: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Check values against the annotations of their fields.

    Parameters
    ----------
    annotations : mapping of str to type
    values : mapping of str to object
        A value passes if its name has no annotation, or one that is not a constraint.

    Raises
    ------
    ValueError
        Naming the parameter, the values that it can have and the value that was found.
    """
    for name, value in values.items():
        if name in annotations:
            _check(annotations[name], name, value)


def require_integer(name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless `value` is an integer of at least `least`."""
    AtLeast(least).check(name, value)


def require_alike(parameters: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError unless there are estimators, whose parameters differ in the seed alone."""
    if not parameters:
        raise ValueError("at least one estimator is needed")
    for number, other in enumerate(parameters):
        names = sorted(other.keys() - {"random_state", "verbose"})
        different = [name for name in names if other[name] != parameters[0][name]]
        if different:
            raise ValueError(
                "estimators that are fitted together may differ in random_state alone, but number "
                f"{number} differs from the first in {', '.join(different)}"
            )


def _check(annotation: Any, name: str, value: Any) -> None:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        _check_optional(typing.get_args(annotation), name, value)
    elif origin is Literal:
        choices = typing.get_args(annotation)
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    elif origin is Annotated:
        annotation.__metadata__[0].check(name, value)


def _check_optional(choices: tuple[Any, ...], name: str, value: Any) -> None:
    if value is None:
        return
    for choice in choices:
        try:
            _check(choice, name, value)
        except ValueError as error:
            raise ValueError(f"{error}; null (None) is possible, too") from error
