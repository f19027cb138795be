"""Rules for the parameters that methods with a network share, without torch.

The estimators apply them when they are fitted, and the benchmark when it reads a config, so that a
wrong value is told before anything is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from gmvae.model.architectures import architecture

PRECISIONS = ("float32", "bfloat16")
SCHEDULES = ("cosine", "constant")
OBJECTIVES = ("paper", "exact")
OBSERVATIONS = ("auto", "bernoulli", "gaussian")

Rule = Callable[[str, Any], None]


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check all parameters that have a rule.

    Parameters
    ----------
    parameters : mapping of str to object
        Constructor arguments by name; those without a rule pass.

    Raises
    ------
    ValueError
        Names the parameter, what is expected and what was found.
    """
    for name, value in parameters.items():
        if name in RULES:
            RULES[name](name, value)


def require_integer(name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless `value` is an integer of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def require_one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def _integer(least: int) -> Rule:
    return lambda name, value: require_integer(name, value, least)


def _one_of(choices: tuple[str, ...]) -> Rule:
    return lambda name, value: require_one_of(name, value, choices)


def _optional(rule: Rule) -> Rule:
    def check(name: str, value: Any) -> None:
        if value is not None:
            try:
                rule(name, value)
            except ValueError as error:
                raise ValueError(f"{error}; null (None) is possible, too") from error

    return check


def _number(*, above_zero: bool) -> Rule:
    def check(name: str, value: Any) -> None:
        bound = "above 0" if above_zero else "of at least 0"
        number = isinstance(value, Real) and not isinstance(value, bool)
        if number and math.isfinite(value) and (value > 0 or (value == 0 and not above_zero)):
            return
        # YAML reads 1e-3 as text.
        hint = (
            "; in YAML write it with a point and a sign, like 1.0e-3"
            if isinstance(value, str) and "e" in value.lower() and value[:1].isdigit()
            else ""
        )
        raise ValueError(f"{name} must be a finite number {bound}, got {value!r}{hint}")

    return check


def _share(name: str, value: Any) -> None:
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < 1:
        raise ValueError(f"{name} must be a number from 0 to below 1, like 0.2; got {value!r}")


def _boolean(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


def _network(name: str, value: Any) -> None:
    architecture(value)


def _device(name: str, value: Any) -> None:
    if not isinstance(value, str) or value.partition(":")[0] not in ("cpu", "cuda", "auto"):
        raise ValueError(f"{name} must be one of cpu, cuda, auto; got {value!r}")


RULES: dict[str, Rule] = {
    "n_clusters": _integer(1),
    "n_samples_mc": _integer(1),
    "n_init": _integer(1),
    "init_epochs": _optional(_integer(1)),
    "network": _network,
    "x_dim": _optional(_integer(1)),
    "w_dim": _optional(_integer(1)),
    "observation": _one_of(OBSERVATIONS),
    "objective": _one_of(OBJECTIVES),
    "z_prior_threshold": _number(above_zero=False),
    "z_prior_warmup_epochs": _number(above_zero=False),
    "epochs": _integer(1),
    "pretrain_epochs": _integer(1),
    "pretrain_learning_rate": _number(above_zero=True),
    "jitter": _number(above_zero=False),
    "masked": _share,
    "tolerance": _share,
    "input_noise": _number(above_zero=False),
    "code_dim": _integer(1),
    "sharpness": _optional(_number(above_zero=True)),
    "adversarial_weight": _number(above_zero=False),
    # Batch normalisation has nothing to normalise in a batch of one.
    "batch_size": _integer(2),
    "learning_rate": _number(above_zero=True),
    "schedule": _one_of(SCHEDULES),
    "precision": _one_of(PRECISIONS),
    "device": _device,
    "verbose": _boolean,
}
