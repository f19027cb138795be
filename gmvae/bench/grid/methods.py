"""Methods of the benchmark: found by name, checked before they run, built for one run.

A file ``baselines/NAME.py`` with one public class is method ``NAME``. The files are read, not
imported, until a method is built: importing torch for each look at the grid would take seconds.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gmvae.bench.disk.errors import ConfigError, did_you_mean

ROOT = Path(__file__).parents[3]
BUILT_IN = {"gmvae": "gmvae.estimator.GMVAE"}
OWN_PACKAGES = ("gmvae", "baselines")
SET_BY_THE_RUN = ("n_clusters", "n_components", "n_samples_mc", "random_state", "verbose")


@dataclass(frozen=True)
class Method:
    """What the grid has to know of a method.

    Attributes
    ----------
    name : str
    class_path : str
        Dotted path of its class.
    arguments : mapping of str to object
        Constructor arguments and their defaults (None where a default is not a constant).
    """

    name: str
    class_path: str
    arguments: Mapping[str, Any]

    @property
    def is_own(self) -> bool:
        """Whether the class is one of this project."""
        return self.class_path.split(".")[0] in OWN_PACKAGES

    @property
    def clusters_argument(self) -> str | None:
        """Name of the argument that takes K."""
        names = ("n_clusters", "n_components")
        return next((name for name in names if name in self.arguments), None)


def available() -> list[str]:
    """Names of the methods that come with the project."""
    files = (ROOT / "baselines").glob("[!_]*.py")
    return sorted([*BUILT_IN, *(path.stem for path in files)])


def find(name: str, class_path: str | None = None) -> Method:
    """Look a method up.

    Parameters
    ----------
    name : str
    class_path : str, optional
        Dotted path of any scikit-learn style clusterer; without it, `name` is one of `available`.

    Raises
    ------
    ConfigError
        If there is no such method, or its class lacks ``fit`` or ``predict``.
    """
    if class_path is not None:
        return _foreign(name, class_path)
    if name not in available():
        names = available()
        raise ConfigError(
            f"unknown method {name!r}{did_you_mean(name, names)}; choose from {', '.join(names)}, "
            "or name a clusterer by its dotted path: {name: birch, class: sklearn.cluster.Birch}"
        )
    if name in BUILT_IN:
        module, class_name = BUILT_IN[name].rsplit(".", 1)
        return _own(name, module, class_name)
    return _own(name, f"baselines.{name}", None)


def _own(name: str, module: str, class_name: str | None) -> Method:
    path = _module_path(module)
    assert path is not None
    classes = [node for node in _tree(path).body if isinstance(node, ast.ClassDef)]
    public = [node for node in classes if not node.name.startswith("_")]
    if class_name is not None:
        public = [node for node in public if node.name == class_name]
    if len(public) != 1:
        raise ConfigError(
            f"{path.relative_to(ROOT)} should define exactly one public class, the method, but "
            f"defines {len(public)}; let the names of the others begin with an underscore"
        )
    return Method(name, f"{module}.{public[0].name}", _arguments(path, public[0]))


def _arguments(path: Path, node: ast.ClassDef) -> dict[str, Any]:
    """Constructor arguments of a class in source form, and those defaults that are constants."""
    init = next(
        (f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None
    )
    if init is None:
        return _inherited_arguments(path, node)
    if init.args.kwarg is not None or init.args.vararg is not None:
        return _signature(path, node)
    plain, keyword_only = init.args.args[1:], init.args.kwonlyargs
    padding = [None] * (len(plain) - len(init.args.defaults))
    defaults = [*padding, *init.args.defaults, *init.args.kw_defaults]
    return {
        argument.arg: default.value if isinstance(default, ast.Constant) else None
        for argument, default in zip([*plain, *keyword_only], defaults, strict=True)
    }


def _inherited_arguments(path: Path, node: ast.ClassDef) -> dict[str, Any]:
    for base in node.bases:
        found = _find_class(path, base.id) if isinstance(base, ast.Name) else None
        if found is not None:
            return _arguments(*found)
    return _signature(path, node)


def _signature(path: Path, node: ast.ClassDef) -> dict[str, Any]:
    """What the source does not tell, importing the class does."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return _signature_of(import_class(f"{module}.{node.name}"))


def _signature_of(cls: type) -> dict[str, Any]:
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    arguments = inspect.signature(cls).parameters.values()
    return {
        argument.name: argument.default for argument in arguments if argument.kind not in variadic
    }


def _find_class(path: Path, name: str) -> tuple[Path, ast.ClassDef] | None:
    """Where a class is defined that goes by `name` in the file at `path`, if it is our own."""
    for node in _tree(path).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return path, node
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            imported = _module_path(_absolute(node, path))
            return _find_class(imported, name) if imported else None
    return None


def _foreign(name: str, class_path: str) -> Method:
    cls = import_class(class_path)
    missing = [method for method in ("fit", "predict") if not hasattr(cls, method)]
    if missing:
        raise ConfigError(
            f"method {name!r}: {class_path} has no {' and no '.join(missing)}; the benchmark fits "
            "on the training split and predicts on the test split"
        )
    return Method(name, class_path, _signature_of(cls))


def import_class(class_path: str) -> type:
    """Import the class at a dotted path.

    Raises
    ------
    ConfigError
        If there is no such module or class.
    """
    module, _, class_name = class_path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), class_name)
    except Exception as error:  # a module of the user's can raise anything when it is imported
        kind = (
            "" if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: "
        )
        raise ConfigError(f"class {class_path!r} cannot be imported: {kind}{error}") from error
    if not isinstance(found, type):
        raise ConfigError(f"{class_path!r} is not a class")
    return found


def source_files(class_path: str) -> list[str]:
    """Files of this project that a method is made of, relative to its root.

    A run is out of date when one of them changes. Imports are followed through the project's own
    packages; what comes from elsewhere is pinned by the lock file instead.
    """
    module = class_path.rpartition(".")[0]
    if module.split(".")[0] not in OWN_PACKAGES:
        return []
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _module_path(waiting.pop())
        if path is None or path in found:
            continue
        found.add(path)
        waiting += _imports(path)
    return sorted(str(path.relative_to(ROOT)) for path in found)


def source_checksum(class_path: str) -> str:
    """SHA-256 of the files of this project that a method is made of."""
    digest = hashlib.sha256()
    for name in source_files(class_path):
        digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return digest.hexdigest()


def _imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, path)
            modules = [f"{origin}.{alias.name}" for alias in node.names]
            # What is not a module is a name in the module that it is imported from.
            names += [name if _module_path(name) else origin for name in modules]
    return [name for name in names if name.split(".")[0] in OWN_PACKAGES]


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Full name of the module that a from-import names, relative ones included."""
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _module_path(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ConfigError(f"{path} is not valid Python: {error}") from error
