"""Source files behind a method or a product, found by following imports.

They are files of this project, and a user's own in the folder that the workflow runs in.

The files are read, never imported. Their checksum leaves out comments and docstrings, so that
mending a word makes no result out of date.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from gmvae.bench.data import KINDS
from gmvae.bench.disk import files
from gmvae.bench.disk.checksums import key_of
from gmvae.bench.disk.errors import ConfigError, DataError

ROOT = Path(__file__).parents[3]
OWN_PACKAGES = ("gmvae", "baselines")
Span = tuple[tuple[int, int], tuple[int, int]]
"""Row and column of the first character of a piece of text, and of the end."""


def project_folder() -> Path:
    """The folder of ``baselines/``, ``config/`` and ``workflow/``.

    In the project they lie beside ``gmvae/``; an installed package keeps them inside it.
    """
    inside = ROOT / "gmvae"
    return inside if (inside / "baselines").is_dir() else ROOT


def importable(dotted: str) -> str:
    """The path by which Python finds a dotted path of this project.

    A method is called ``baselines.NAME`` in every config and record, so that they mean the same in
    the project and with an installed package, whose baselines are in ``gmvae.baselines``.
    """
    is_moved = dotted.partition(".")[0] == "baselines" and project_folder() != ROOT
    return f"gmvae.{dotted}" if is_moved else dotted


def is_own(dotted: str) -> bool:
    """Whether a dotted path leads into this project."""
    return dotted.partition(".")[0] in OWN_PACKAGES


@cache
def source_files(module: str) -> tuple[Path, ...]:
    """Files of this project, and the user's own, that a module is made of, itself included.

    Parameters
    ----------
    module : str
        Dotted path. A module of an installed package has no files here.

    Returns
    -------
    tuple of Path
        Relative to the folder that the module is imported from, sorted.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = module_path(waiting.pop())
        if path is not None and path not in found:
            found.add(path)
            waiting += _imports(path)
    return tuple(sorted(path.relative_to(_folder_of(path)) for path in found))


@cache
def source_checksum(*modules: str, more: tuple[Path, ...] = ()) -> str:
    """SHA-256 of the code that several modules are made of.

    Parameters
    ----------
    *modules : str
        Dotted paths; their imports are followed.
    more : tuple of Path
        Single files, whose imports are not followed. If one is not Python, every byte counts.
    """
    digest = hashlib.sha256()
    for name in sorted({path for module in modules for path in source_files(module)}):
        path = _import_folder(name.parts[0].removesuffix(".py")) / name
        digest.update(f"{name.as_posix()}\0{code_of(path)}\0".encode())
    for path in more:
        digest.update(code_of(path).encode() if path.suffix == ".py" else path.read_bytes())
    return digest.hexdigest()


@cache
def code_of(path: Path) -> str:
    """Text of a Python file without its comments, docstrings and blank lines."""
    text = path.read_text(encoding="utf-8")
    spans = [*_docstrings(syntax_tree(path)), *_comments(text)]
    # As bytes, since the columns of a syntax tree count those of UTF-8.
    lines = [line.encode() for line in text.splitlines()]
    for (row, column), (end_row, end_column) in sorted(spans, reverse=True):
        lines[row - 1 : end_row] = [lines[row - 1][:column] + lines[end_row - 1][end_column:]]
    return b"\n".join(line.rstrip() for line in lines if line.strip()).decode()


def _docstrings(tree: ast.Module) -> Iterable[Span]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in _statements(tree):
        if isinstance(node, owners) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            end = text.end_lineno or text.lineno, text.end_col_offset or 0
            yield (text.lineno, text.col_offset), end


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """A module and all statements in it, without expressions, which are most of a tree."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, name, ())


def _comments(text: str) -> Iterable[Span]:
    if "#" not in text:
        return
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            line = lines[row - 1]
            yield (row, len(line[:column].encode())), (row, len(line.encode()))


def imported_from(path: Path, name: str) -> Path | None:
    """File that the file at `path` imports `name` from, if it is ours or the user's."""
    for node in syntax_tree(path).body:
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return module_path(_absolute(node, path))
    return None


def module_path(module: str) -> Path | None:
    """File of a module of this project or of the user, if it is one."""
    path = _import_folder(module).joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _import_folder(module: str) -> Path:
    """The folder from which a module is imported, unless it is installed."""
    if module.partition(".")[0] == "baselines":
        return project_folder()
    return ROOT if is_own(module) else Path.cwd()


def _folder_of(path: Path) -> Path:
    """The folder from which the module in a file is imported."""
    if path.is_relative_to(project_folder() / "baselines"):
        return project_folder()
    is_ours = any(path.is_relative_to(ROOT / name) for name in OWN_PACKAGES)
    return ROOT if is_ours else Path.cwd()


@cache
def syntax_tree(path: Path) -> ast.Module:
    """Parsed source of a file.

    Raises
    ------
    ConfigError
        If it is not valid Python.
    """
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ConfigError(f"{path} is not valid Python: {error}") from error


@cache
def _imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in _statements(syntax_tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, path)
            modules = [f"{origin}.{alias.name}" for alias in node.names]
            # A name that is not a module is in the module that it is imported from.
            names += [name if module_path(name) else origin for name in modules]
    return [name for name in names if module_path(name)]


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Full name of the module that a from-import names, relative imports included."""
    package = ".".join(path.relative_to(_folder_of(path)).parts[:-1])
    return resolve_name("." * node.level + (node.module or ""), package)


def data_key(name: str, source: Mapping[str, Any] | None) -> str:
    """Key of what the arrays of a data set are made from: its code, and the user's files.

    Parameters
    ----------
    name : str
    source : mapping or None
        The user's own data, as for `gmvae.bench.data.load`; a missing file counts as empty.
    """
    if source is None:
        return key_of(name=name, code=source_checksum(f"gmvae.bench.data.{name}"))
    kind = next(kind for kind in KINDS if kind in source)
    modules = (f"gmvae.bench.data.readers.{module}" for module in (KINDS[kind], "scaling"))
    paths = [key for key in (kind, "test") if key in source and kind != "openml"]
    options = {key: value for key, value in source.items() if key not in paths}
    content = [_content(Path(source[key])) for key in paths]
    return key_of(name=name, code=source_checksum(*modules), options=options, content=content)


def _content(path: Path) -> Any:
    """Checksum of a file, or of each file below a folder."""
    try:
        if path.is_dir():
            return {
                str(one.relative_to(path)): files.sha256(one)
                for one in sorted(path.rglob("*"))
                if one.is_file()
            }
        return files.sha256(path) if path.is_file() else ""
    except OSError as error:
        where = error.filename or path
        reason = error.strerror or error
        raise DataError(f"{where} cannot be read: {reason}; make it readable") from error
