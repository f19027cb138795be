"""From a configuration to the list of runs: data set x method x setting x seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae.bench.disk.errors import ConfigError, did_you_mean
from gmvae.bench.grid import methods
from gmvae.bench.grid.entries import foreign
from gmvae.clusterer.parameters import check_parameters, require_integer

if TYPE_CHECKING:
    from gmvae.bench.grid.config import Config, MethodSpec
    from gmvae.bench.grid.methods import Method


@dataclass(frozen=True)
class Run:
    """One training run and everything in the configuration that decides its result.

    Attributes
    ----------
    dataset, method : str
    variant : str or None
        Word that distinguishes settings of the same method, K and M; for methods with a network
        its name.
    K, M : int or None
    seed : int
    class_path : str
        Dotted path of the method's class.
    parameters : mapping
        Constructor arguments of the class, without K, M and the seed.
    """

    dataset: str
    method: str
    variant: str | None
    K: int | None
    M: int | None
    seed: int
    class_path: str
    parameters: Mapping[str, Any]

    @property
    def setting(self) -> str:
        """Folder name of the setting, like ``fast-conv-K10-M1``."""
        parts = [self.variant, self.K and f"K{self.K}", self.M and f"M{self.M}"]
        return "-".join(part for part in parts if part) or "default"

    @property
    def path(self) -> str:
        """Folder of the run below the results folder."""
        return f"runs/{self.dataset}/{self.method}/{self.setting}/seed{self.seed}"

    def arguments(self, accepted: Container[str]) -> dict[str, Any]:
        """Arguments for a constructor that accepts the names `accepted`; all but the seed."""
        found = dict(self.parameters)
        if methods.MAX_SAMPLES not in accepted:
            found.pop(methods.MAX_SAMPLES, None)
        argument = methods.clusters_argument(accepted)
        if self.K is not None and argument is not None:
            found[argument] = self.K
        if self.M is not None:
            found[methods.M_ARGUMENT] = self.M
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values, from which `from_dict` makes the run again."""
        return {**vars(self), "parameters": dict(self.parameters)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Run:
        """Inverse of `as_dict`.

        Raises
        ------
        ConfigError
            If a value is missing or unknown.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(
                f"a run needs the values {', '.join(cls.__dataclass_fields__)}, as under 'run' in "
                f"the run.json of another run; got {str(values)[:200]}"
            ) from error


def make_runs(config: Config) -> list[Run]:
    """All runs of a configuration, in its order.

    Raises
    ------
    ConfigError
        If a method is unknown, an argument does not exist, or two entries give the same run.
    """
    runs = [
        run
        for dataset in config.datasets
        for number, spec in enumerate(config.methods)
        if dataset.name in spec.datasets
        for run in _runs_of(config, dataset.name, spec, f"methods[{number}] ({spec.name})")
    ]
    double = next((path for path, n in Counter(run.path for run in runs).items() if n > 1), None)
    if double is not None:
        raise ConfigError(
            f"two entries under methods give the same run, {double}; remove one, or tell them "
            "apart by 'variant'"
        )
    _refuse_mixed_settings(runs)
    return runs


def _refuse_mixed_settings(runs: Iterable[Run]) -> None:
    """A row of the table stands for runs that differ in their seed alone."""
    first: dict[tuple[str, str, str], Run] = {}
    for run in runs:
        other = first.setdefault((run.dataset, run.method, run.setting), run)
        if run.class_path == other.class_path == foreign.CLASS_PATH:
            continue  # one file for each seed
        if (run.class_path, run.parameters) != (other.class_path, other.parameters):
            raise ConfigError(
                f"{other.path} and {run.path} would be seeds of one setting, but have other "
                "parameters; tell their entries under methods apart by 'variant'"
            )


def is_finished(run: Run, folder: Path) -> bool:
    """Whether `folder` holds the result of exactly this run, parameters included."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return record["run"] == json.loads(json.dumps(run.as_dict()))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def summary(runs: Collection[Run], n_done: int) -> str:
    """One sentence: the number of runs by method, and how many of them need not be done again."""
    by_method = Counter(run.method for run in runs)
    parts = ", ".join(f"{method} {n}" for method, n in by_method.items())
    return f"grid: {len(runs)} runs ({parts}); {n_done} there, {len(runs) - n_done} to do"


def _runs_of(config: Config, dataset: str, spec: MethodSpec, place: str) -> list[Run]:
    if spec.assignments is not None:
        return _foreign_results(dataset, spec, spec.assignments, place)
    try:
        method = methods.find(spec.name, spec.class_path)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    _check(method, spec, place)
    offered = {"precision": config.precision, "device": config.device}
    taken = {name: value for name, value in offered.items() if name in method.arguments}
    return [
        Run(
            dataset=dataset,
            method=spec.name,
            variant=_variant(method, spec),
            K=K,
            M=M,
            seed=seed,
            class_path=method.class_path,
            parameters={**taken, **spec.parameters},
        )
        for K in spec.numbers_of_clusters(dataset)
        for M in spec.M
        for seed in spec.seeds
    ]


def _foreign_results(
    dataset: str, spec: MethodSpec, files: Mapping[str, Any], place: str
) -> list[Run]:
    if spec.name in methods.available():
        raise ConfigError(
            f"{place}: {spec.name!r} is a method of the benchmark; give the assignments of another "
            "program another name"
        )
    return [
        Run(
            dataset=dataset,
            method=spec.name,
            variant=spec.variant,
            K=K,
            M=None,
            seed=seed,
            class_path=foreign.CLASS_PATH,
            parameters=files[foreign.key_of(K, seed)],
        )
        for K in spec.numbers_of_clusters(dataset)
        for seed in spec.seeds
    ]


def _check(method: Method, spec: MethodSpec, place: str) -> None:
    accepted = [*method.arguments, *([methods.MAX_SAMPLES] if method.is_transductive else [])]
    for argument, value in spec.parameters.items():
        if argument in methods.SET_BY_THE_RUN:
            raise ConfigError(
                f"{place}.parameters.{argument}: is set by the benchmark; use K, M and seeds"
            )
        if argument not in accepted:
            valid = [name for name in accepted if name not in methods.SET_BY_THE_RUN]
            raise ConfigError(
                f"{place}.parameters.{argument}: {method.class_path} has no such argument"
                f"{did_you_mean(argument, valid)}; it has: {', '.join(valid) or 'none'}"
            )
        if argument == methods.MAX_SAMPLES and argument not in method.arguments:
            _check_number_of_samples(value, f"{place}.parameters.{argument}")
    try:
        check_parameters(method.annotations, spec.parameters)
    except ValueError as error:
        raise ConfigError(f"{place}.parameters: {error}") from error
    for name, is_taken, values, example in (
        ("K", method.clusters_argument is not None, spec.K, "[10]"),
        ("M", methods.M_ARGUMENT in method.arguments, spec.M, "[1]"),
    ):
        is_given = values != (None,)
        if is_taken and not is_given:
            raise ConfigError(f"{place}.{name}: is missing; give a list like {example}")
        if is_given and not is_taken:
            raise ConfigError(
                f"{place}.{name}: {method.class_path} does not take {name}; remove it"
            )


def _check_number_of_samples(value: Any, place: str) -> None:
    try:
        require_integer(methods.MAX_SAMPLES, value, 2)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error


def _variant(method: Method, spec: MethodSpec) -> str | None:
    if spec.variant is not None:
        return spec.variant
    network = spec.parameters.get("network", method.arguments.get("network"))
    return network if isinstance(network, str) else None
