"""Files of new methods and data sets: modules that work as they are, copied under a new name."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from gmvae.bench import data as datasets
from gmvae.bench.disk import files
from gmvae.bench.disk.errors import ConfigError
from gmvae.bench.grid import methods
from gmvae.bench.grid.sources import ROOT

HERE = Path(__file__).parent
FOLDERS = {"method": Path("baselines"), "dataset": Path("gmvae/bench/data")}
CLASS = "NewMethod"
RUN = "snakemake all --cores 2 --config results=results/{name} {more} 'seeds=[0]'"
NEXT = {
    "method": (
        "python -m pytest tests/baselines -k '{name} or {cls}'",
        RUN.replace("{more}", "'datasets=[digits]' 'methods=[{{name: {name}, K: [10]}}]'"),
    ),
    "dataset": (
        "python -m pytest tests/bench/data/test_contract.py -k {name}",
        RUN.replace("{more}", "'datasets=[{name}]' 'methods=[{{name: kmeans, K: [4]}}]'"),
    ),
}


def write_new(kind: str, name: str, root: Path = ROOT) -> str:
    """Write the file of a new method or data set.

    Parameters
    ----------
    kind : {"method", "dataset"}
    name : str
        Its name in configs, and that of the file.
    root : Path
        Folder of the project.

    Returns
    -------
    str
        The path of the file, and the next two commands.

    Raises
    ------
    ConfigError
        If the name cannot be used, or there is something of this name already.
    """
    _check_name(kind, name)
    path = root / FOLDERS[kind] / f"{name}.py"
    if not (root / "Snakefile").is_file():
        raise ConfigError(
            f"{root} is not a checkout of the project, so there is no folder for {path.name}; "
            "clone the project, or keep the class in a file of your own and name it in a config by "
            "its dotted path, like {name: mine, class: mine.Mine}"
        )
    if path.exists():
        raise ConfigError(f"{path} exists and is not overwritten; choose another name")
    cls = "".join(part.capitalize() for part in name.split("_"))
    text = (HERE / f"{kind}.py").read_text(encoding="utf-8")
    # In its folder it is imported as a part of a package of either name.
    text = text.replace("from baselines.shared.", "from .shared.")
    files.write_text(path, text.replace("NAME", name).replace(CLASS, cls))
    commands = (f"  {command.format(name=name, cls=cls)}" for command in NEXT[kind])
    return "\n".join([f"{path} is there and works as it is; test it, then run it:", *commands])


def _check_name(kind: str, name: str) -> None:
    known = methods.available() if kind == "method" else datasets.available()
    if name in known:
        raise ConfigError(f"there is a {kind} {name!r} already; choose another name than {known}")
    taken = [one.stem for one in (ROOT / FOLDERS[kind]).iterdir()]
    is_free = name not in taken and not keyword.iskeyword(name)
    if not is_free:
        raise ConfigError(f"{name!r} is a word with another meaning here; choose another name")
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        near = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_").lstrip("0123456789_")
        hint = f" (did you mean {near!r}?)" if near else ""
        raise ConfigError(
            f"{name!r} cannot be the name of a {kind}: it should be small letters, digits and "
            f"'_', beginning with a letter{hint}"
        )
