"""Origin of the results of a page, and files to take from it."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gmvae
from gmvae.bench.report.drawing.source import Source
from gmvae.bench.runs import environment

BIBTEX = f"""\
@misc{{dilokthanakul2016gmvae,
  title = {{Deep Unsupervised Clustering with Gaussian Mixture Variational Autoencoders}},
  author = {{Dilokthanakul, Nat and Mediano, Pedro A. M. and Garnelo, Marta and Lee, Matthew C. H.
    and Salimbeni, Hugh and Arulkumaran, Kai and Shanahan, Murray}},
  year = {{2016}},
  eprint = {{1611.02648v2}},
  archivePrefix = {{arXiv}}
}}

@software{{gmvae_benchmark,
  title = {{gmvae: a reproducible benchmark of deep generative clustering}},
  author = {{{{The GMVAE benchmark authors}}}},
  version = {{{gmvae.__version__}}}
}}
"""


def provenance_of(source: Source) -> dict[str, Any]:
    """Machines, libraries, commits and data of all runs, in words.

    Parameters
    ----------
    source : Source

    Returns
    -------
    dict
        ``machines``, ``libraries`` and ``commits``: list of str, each with its number of runs;
        ``data``: dict of str to dict, the SHA-256 of each file of a data set; ``here``: the machine
        on which the page was made; ``program``: the program that made it.
    """
    records = [source.record(path) for path in source.runs["path"]]
    return {
        "machines": _counted(_machine(record.machine) for record in records),
        "libraries": _counted(
            ", ".join(f"{name} {version}" for name, version in record.libraries.items())
            for record in records
        ),
        "commits": _counted(_commit(record.program) for record in records),
        "data": {record.run.dataset: record.data_sha256 for record in records},
        "here": _machine(environment.machine()),
        "program": environment.program(),
    }


def data_uri(path: Path) -> str:
    """A CSV file as an address within the page."""
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:text/csv;charset=utf-8;base64,{content}"


def _machine(known: Mapping[str, Any]) -> str:
    gpu = known.get("gpu")
    parts = [f"{known.get('processor')}"]
    if "cpus" in known:
        parts.append(f"{known['cpus']} CPUs, {known['system']}")
    if gpu:
        parts.append(f"{gpu['name']}, driver {gpu['driver']}, CUDA {gpu['cuda']}")
    return "; ".join(parts)


def _commit(program: Mapping[str, Any]) -> str:
    commit = program.get("git_commit")
    name = f"version {program.get('version')}"
    if commit:
        name += f", commit {commit[:10]}"
    return name + (" with changes" if program.get("git_dirty") else "")


def _counted(names: Any) -> list[str]:
    counts = Counter(names)
    return [f"{name} ({n} {'run' if n == 1 else 'runs'})" for name, n in counts.items()]
