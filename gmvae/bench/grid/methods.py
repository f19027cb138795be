"""Methods of the benchmark, found by name and checked before they run.

A file ``baselines/NAME.py`` with one public class is method ``NAME``. The files are read, not
imported, until a method is built: importing torch for each look at the grid would take seconds.
Installed packages offer methods by entry points of the group `ENTRY_POINTS`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gmvae.bench.disk.errors import ConfigError, did_you_mean
from gmvae.bench.grid.sources import (
    ROOT,
    importable,
    imported_from,
    module_path,
    project_folder,
    source_checksum,
    syntax_tree,
)
from gmvae.clusterer import parameters

BUILT_IN = {"gmvae": "gmvae.estimator.GMVAE"}
K_ARGUMENTS = ("n_clusters", "n_components")
M_ARGUMENT = "n_samples_mc"
MAX_SAMPLES = "max_samples"
"""Parameter of transductive methods, read by the benchmark if their class has no such argument."""
ENTRY_POINTS = "gmvae.methods"
_RUNS = Path(__file__).parents[1] / "runs"
FIT = _RUNS / "fit.py"
TRANSDUCTIVE = _RUNS / "adapters" / "transductive.py"
SET_BY_THE_RUN = (*K_ARGUMENTS, M_ARGUMENT, "random_state", "verbose")


@dataclass(frozen=True)
class Method:
    """A method as the grid sees it.

    Attributes
    ----------
    name : str
    class_path : str
        Dotted path of its class.
    arguments : mapping of str to object
        Constructor arguments and their defaults (None where a default is not a constant).
    annotations : mapping of str to object
        Types of the arguments of the project's own classes, which are their constraints.
    """

    name: str
    class_path: str
    arguments: Mapping[str, Any]
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_transductive(self) -> bool:
        """Whether the class has no ``predict``, so it is fitted to the test samples, too."""
        return is_transductive(self.class_path)

    @property
    def clusters_argument(self) -> str | None:
        """Name of the argument that takes K."""
        return clusters_argument(self.arguments)


def clusters_argument(arguments: Container[str]) -> str | None:
    """Name of the constructor argument that takes K, if there is one."""
    return next((name for name in K_ARGUMENTS if name in arguments), None)


def available() -> list[str]:
    """Names of the methods of this project, and of those that installed packages offer."""
    return sorted({*_own_names(), *installed()})


def _own_names() -> list[str]:
    files = (project_folder() / "baselines").glob("[!_]*.py")
    return [*BUILT_IN, *(path.stem for path in files)]


@cache
def installed() -> dict[str, tuple[str, ...]]:
    """Dotted paths of the classes that installed packages offer, by the name of the method."""
    found: dict[str, set[str]] = {}
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        found.setdefault(point.name, set()).add(point.value.replace(":", ".").replace(" ", ""))
    return {name: tuple(sorted(paths)) for name, paths in found.items()}


@cache
def is_transductive(class_path: str) -> bool:
    """Whether a class has no ``predict``: its clusters are those of the samples of its fit."""
    module, _, name = class_path.rpartition(".")
    path = module_path(module)
    found = path and _class_of(path, name)
    if found and _defines(*found, "predict"):
        return False  # without importing it
    return not hasattr(import_class(class_path), "predict")


@cache
def training_sources(class_path: str) -> str:
    """Checksum of the code that decides the result of a method's runs."""
    more = (FIT, TRANSDUCTIVE) if is_transductive(class_path) else (FIT,)
    return source_checksum(class_path.rpartition(".")[0], more=more)


def find(name: str, class_path: str | None = None) -> Method:
    """Look a method up.

    Parameters
    ----------
    name : str
    class_path : str, optional
        Dotted path of any scikit-learn style clusterer; without it, `name` is one of `available`,
        and this project's methods come before those of installed packages.

    Raises
    ------
    ConfigError
        If there is no such method, two packages offer it, or its class lacks ``fit`` and one of
        ``predict`` and ``fit_predict``.
    """
    module = BUILT_IN[name].rpartition(".")[0] if name in BUILT_IN else f"baselines.{name}"
    may_be_own = class_path is None or class_path.rpartition(".")[0] == module
    if may_be_own and name in _own_names():
        own = _own(name, module)
        if class_path in (None, own.class_path):  # figures know the class, too
            return own
    if class_path is not None:
        return _foreign(name, class_path)
    if name not in available():
        names = available()
        raise ConfigError(
            f"unknown method {name!r}{did_you_mean(name, names)}; choose from {', '.join(names)}, "
            "or name a clusterer by its dotted path: {name: birch, class: sklearn.cluster.Birch}"
        )
    return _of_package(name)


def import_class(class_path: str) -> type:
    """Import the class at a dotted path.

    Raises
    ------
    ConfigError
        If there is no such module or class.
    """
    module, _, class_name = class_path.rpartition(".")
    try:
        found = getattr(importlib.import_module(importable(module)), class_name)
    except Exception as error:  # a user's module can raise anything when it is imported
        is_told = isinstance(error, ImportError | AttributeError)  # by the message itself
        kind = "" if is_told else f"{type(error).__name__}: "
        raise ConfigError(f"class {class_path!r} cannot be imported: {kind}{error}") from error
    if not isinstance(found, type):
        raise ConfigError(f"{class_path!r} is not a class")
    return found


def _foreign(name: str, class_path: str) -> Method:
    cls = import_class(class_path)
    missing = [method for method in ("fit", "predict") if not hasattr(cls, method)]
    if missing and not (hasattr(cls, "fit") and hasattr(cls, "fit_predict")):
        raise ConfigError(
            f"method {name!r}: {class_path} has no {' and no '.join(missing)}; the benchmark fits "
            "on the training split and predicts on the test split, or else needs fit_predict, as "
            "scikit-learn's clusterers have it, and fits to both splits together"
        )
    return Method(name, class_path, _signature(cls))


def _of_package(name: str) -> Method:
    paths = installed()[name]
    if len(paths) > 1:
        raise ConfigError(
            f"method {name!r} is offered by several installed packages: {', '.join(paths)}; name "
            f"the one that is meant, like {{name: {name}, class: {paths[0]}}}"
        )
    return _foreign(name, paths[0])


def _own(name: str, module: str) -> Method:
    path = module_path(module)
    assert path is not None
    classes = (node for node in syntax_tree(path).body if isinstance(node, ast.ClassDef))
    public = [node for node in classes if not node.name.startswith("_")]
    if len(public) != 1:
        raise ConfigError(
            f"{path.relative_to(ROOT)} should define exactly one public class, the method, but "
            f"defines {len(public)}; let the names of the others begin with an underscore"
        )
    class_path = f"{module}.{public[0].name}"
    arguments = _init_arguments(path, public[0])
    fields = _fields(path, public[0]) if arguments is None else {}
    if arguments is None:
        defaults = {argument: default for argument, (_, default) in fields.items()}
        arguments = defaults or _signature(import_class(class_path))
    known = vars(parameters)
    annotations = {argument: eval(text, {}, known) for argument, (text, _) in fields.items()}
    return Method(name, class_path, arguments, annotations)


def _init_arguments(path: Path, node: ast.ClassDef) -> dict[str, Any] | None:
    """Arguments of a constructor that is written out in a class of ours or in a base of it."""
    functions = (line for line in node.body if isinstance(line, ast.FunctionDef))
    init = next((function for function in functions if function.name == "__init__"), None)
    if init is None:
        inherited = (_init_arguments(*base) for base in _own_bases(path, node))
        return next((found for found in inherited if found is not None), None)
    if init.args.kwarg or init.args.vararg:
        return None
    plain, keyword_only = init.args.args[1:], init.args.kwonlyargs
    padding = [None] * (len(plain) - len(init.args.defaults))
    defaults = [*padding, *init.args.defaults, *init.args.kw_defaults]
    arguments = zip([*plain, *keyword_only], defaults, strict=True)
    return {argument.arg: _constant(default) for argument, default in arguments}


def _defines(path: Path, node: ast.ClassDef, function: str) -> bool:
    """Whether a class of ours, or a base of it that is ours, defines a function."""
    names = [line.name for line in node.body if isinstance(line, ast.FunctionDef)]
    return function in names or any(_defines(*base, function) for base in _own_bases(path, node))


def _fields(path: Path, node: ast.ClassDef) -> dict[str, tuple[str, Any]]:
    """Annotation and default of each field of a dataclass, those of its own bases first."""
    found: dict[str, tuple[str, Any]] = {}
    for base in _own_bases(path, node):
        found |= _fields(*base)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
            found[line.target.id] = ast.unparse(line.annotation), _constant(line.value)
    return found


def _constant(node: ast.expr | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _own_bases(path: Path, node: ast.ClassDef) -> list[tuple[Path, ast.ClassDef]]:
    named = (base.id for base in node.bases if isinstance(base, ast.Name))
    return [found for name in named if (found := _class_of(path, name)) is not None]


def _class_of(path: Path, name: str) -> tuple[Path, ast.ClassDef] | None:
    """File and definition of a class that goes by `name` in the file at `path`, if it is ours."""
    for node in syntax_tree(path).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return path, node
    origin = imported_from(path, name)
    return _class_of(origin, name) if origin else None


def _signature(cls: type) -> dict[str, Any]:
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    arguments = inspect.signature(cls).parameters.values()
    return {
        argument.name: argument.default for argument in arguments if argument.kind not in variadic
    }
