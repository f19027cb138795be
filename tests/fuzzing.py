"""Damage to good input, and the outcomes that are allowed, for the fuzz tests.

An ordinary test run tries a few inputs of each kind, always the same ones.
GMVAE_FUZZ_EXAMPLES, which `make fuzz` sets, asks for that many random ones instead.
"""

from __future__ import annotations

import os
import struct
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gmvae.bench.disk.errors import ConfigError, DataError

N_EXAMPLES = os.environ.get("GMVAE_FUZZ_EXAMPLES")
settings.register_profile(
    "fuzz",
    max_examples=int(N_EXAMPLES or 100),
    derandomize=N_EXAMPLES is None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
fuzz = settings.get_profile("fuzz")

OUTCOMES: Counter[tuple[str, str]] = Counter()


def tried(name, read, *arguments):
    """Result of `read`, or None if it refuses its input with a declared error."""
    try:
        result = read(*arguments)
    except (ConfigError, DataError) as error:
        OUTCOMES[name, "refused"] += 1
        message = str(error)
        assert 20 < len(message) < 4000, message
        message.encode("utf-8", "surrogateescape")
        return None
    OUTCOMES[name, "accepted"] += 1
    assert result is not None
    return result


NUMBERS = [0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 20, 1 << 28, 0x7FFFFFFF, 0xFFFFFFFF]
changes = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "number", "insert", "delete", "truncate", "repeat"]),
        st.integers(0, 1 << 16),
        st.integers(0, 255),
        st.binary(max_size=8),
        st.sampled_from(NUMBERS),
        st.sampled_from("<>"),
    ),
    max_size=4,
)


def changed(content, steps):
    """`content` with some bytes flipped, overwritten, inserted, removed or repeated."""
    content = bytearray(content)
    for kind, place, value, piece, number, order in steps:
        # Half of all changes are in the first bytes, where headers are.
        at = (place // 2) % (len(content) + 1) if place % 2 else (place // 2) % 24
        if kind == "flip" and at < len(content):
            content[at] ^= 1 << value % 8
        elif kind == "set" and at < len(content):
            content[at] = value
        elif kind == "number":
            content[at : at + 4] = struct.pack(f"{order}I", number)
        elif kind == "insert":
            content[at:at] = piece
        elif kind == "delete":
            del content[at : at + 1 + value]
        elif kind == "truncate":
            del content[at:]
        elif kind == "repeat":
            content[at:at] = content[at : at + value]
    return bytes(content)


unchanged_too = st.one_of(st.just([]), changes)
