"""Names of settings and runs, the same in every figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from gmvae.bench.report.tables import SETTING


def setting_of(row: Mapping[str, Any], leave_out: Iterable[str] = ()) -> str:
    """Name of a setting, such as "mnist, gmvae, fast-conv, K = 10, M = 1".

    Parameters
    ----------
    row : mapping
        The values of `SETTING`; those that a method does not have are missing. An ``origin`` among
        them is named, too: such runs were not made as the others were.
    leave_out : iterable of str
        Names among `SETTING` that need no mention.
    """
    known = [name for name in (*SETTING, "origin") if not pd.isna(row.get(name))]
    shown = [name for name in known if name not in leave_out]
    return ", ".join(f"{name} = {row[name]}" if name in ("K", "M") else row[name] for name in shown)


def short_names(rows: pd.DataFrame) -> list[str]:
    """Names of the settings of one data set, without the variant where a method has only one."""
    variants = rows.groupby("method")["variant"].nunique()
    return [
        setting_of(row, ["dataset"] + ["variant"] * bool(variants[row["method"]] <= 1))
        for row in rows.to_dict("records")
    ]


def counted(n: int, noun: str) -> str:
    """A number with its noun, such as "1 run" or "5 runs"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(parts: Sequence[str], most: int = 4) -> str:
    """Parts of a sentence, the first few if there are many."""
    more = f"; and {len(parts) - most} more" if len(parts) > most else ""
    return "; ".join(parts[:most]) + more
