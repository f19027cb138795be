"""Numbers as people read them."""

from __future__ import annotations

import math


def number(value: float | None, decimals: int = 1) -> str:
    """A number with fixed decimals; empty for None and NaN."""
    return "" if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def signed(value: float, decimals: int = 1) -> str:
    """A difference with its sign, a minus as printers set it."""
    return f"{value:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """A time in the unit that suits it: seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
