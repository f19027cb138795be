"""Damaged and random input to the readers of data: a valid result or a declared error."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
from fuzzing import NUMBERS, changed, fuzz, tried, unchanged_too
from hypothesis import given
from hypothesis import strategies as st

from gmvae.bench.data.readers.formats.idx import MAX_INFLATION, MAX_VALUES, read_idx
from gmvae.bench.data.readers.npz import read_npz

# Memory allowed besides the declared size: chunks and their copies, zlib's windows, and what
# Python's zipfile, gzip and hashing keep. An entry of a zip directory has at least 46 bytes and
# becomes an object of about 600, with its name and its place in two tables; hence the allowance per
# byte of the file.
SLACK, SLACK_PER_BYTE = 1 << 20, 40


def tried_with_memory(name, declared, size, read, *arguments):
    tracemalloc.start()
    try:
        result = tried(name, read, *arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    limit = 2 * declared + SLACK + SLACK_PER_BYTE * size
    assert peak <= limit, f"{peak:,} bytes of memory for {declared:,} declared and {size:,} read"
    return result


def idx_declared(content):
    """Size that the header declares, parsed here independently; 0 if it is missing or invalid."""
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        return 0
    size = 1
    for axis in range(content[3]):
        size *= int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big")
    return size if size <= MAX_VALUES else 0


@given(
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    before=unchanged_too,
    after=unchanged_too,
    packed=st.booleans(),
    ending=st.sampled_from([".gz", ""]),
    with_sha256=st.sampled_from([False, False, True]),
    with_shape=st.booleans(),
)
@fuzz
def test_idx_mutated(folder, shape, before, after, packed, ending, with_sha256, with_shape):
    array = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
    good = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + array.tobytes()
    content = changed(good, before)
    written = changed(gzip.compress(content, mtime=0) if packed else content, after)
    path = folder / f"file{ending}"
    path.write_bytes(written)
    expected = (hashlib.sha256(good).hexdigest() if with_sha256 else None,)
    expected += (tuple(shape) if with_shape else None,)
    declared = idx_declared(_unpacked(written) if ending else written)
    found = tried_with_memory("idx mutated", declared, len(written), read_idx, path, *expected)
    if found is not None:
        assert found.dtype == np.uint8
        assert found.nbytes == declared
    if written == (gzip.compress(good, mtime=0) if ending else good):
        np.testing.assert_array_equal(found, array)


def _unpacked(content):
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return file.read(4 + 4 * 255)
    except Exception:
        return b""


@given(
    start=st.sampled_from([b"", b"\0\0\x08\x01", b"\0\0\x08\x03", b"\x1f\x8b\x08\0"]),
    content=st.binary(max_size=400),
    ending=st.sampled_from([".gz", ""]),
    packed=st.booleans(),
)
@fuzz
def test_idx_of_random_bytes(folder, start, content, ending, packed):
    content = start + content
    written = gzip.compress(content) if packed else content
    path = folder / f"file{ending}"
    path.write_bytes(written)
    declared = idx_declared(_unpacked(written) if ending else written)
    tried_with_memory("idx random", declared, len(written), read_idx, path)


IMAGE_TYPES = ["<f4", ">f4", "<f8", ">f8", "<f2", "g", "u1", "?", "<i4", "<c8", "<U3"]


LABEL_TYPES = ["<i8", ">i4", "u1", "?", "<U3", ">U2", "S2", "<f8"]


def npz_declared(content):
    """Size that the directory declares and the file can hold, doubled for half precision."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except Exception:
        return 0
    sizes = [
        min(entry.file_size, MAX_INFLATION * min(entry.compress_size, len(content)))
        for entry in entries
    ]
    return sum(sizes) * 2


def try_npz(name, folder, content):
    path = folder / "file.npz"
    path.write_bytes(content)
    declared = npz_declared(content)
    data = tried_with_memory(name, declared, len(content), read_npz, path)
    if data is not None:
        for split in (data.train, data.test):
            assert split.images.dtype in (np.uint8, np.float32)
            assert np.isfinite(split.images).all()
            assert split.labels is None or len(split.labels) == len(split.images)
            if split.images.ndim > 2 and split.images.dtype == np.float32:
                assert split.images.min() >= 0
                assert split.images.max() <= 1
    return data


@st.composite
def arrays_of_a_user(draw):
    n = draw(st.sampled_from([0, 9, 10, 15, 20, 30, 40]))
    axes = draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5]), min_size=1, max_size=3))
    dtype = draw(st.sampled_from(IMAGE_TYPES[:7] * 3 + IMAGE_TYPES))
    order = draw(st.sampled_from("CF"))
    largest = draw(st.sampled_from([1, 1, 255, 1e30]))
    numbers = np.random.default_rng(n)
    names = draw(st.sampled_from([("X", "y"), ("images", "labels")]))
    arrays = {}
    for ending, n_samples in (("", n), ("_test", draw(st.integers(0, 30)))):
        values = numbers.random((n_samples, *axes)) * (255 if dtype == "u1" else largest)
        if ending and draw(st.booleans()):
            break
        with np.errstate(all="ignore"):
            arrays[names[0] + ending] = np.asarray(values, order=order).astype(dtype)
        if draw(st.booleans()):
            labels = numbers.integers(0, draw(st.integers(1, 4)), n_samples)
            arrays[names[1] + ending] = labels.astype(draw(st.sampled_from(LABEL_TYPES)))
    return arrays


@given(
    arrays=arrays_of_a_user(),
    compress=st.booleans(),
    steps=unchanged_too,
    entry=st.integers(0, 9),
    field=st.integers(4, 46),
    value=st.sampled_from(NUMBERS),
    in_directory=st.booleans(),
)
@fuzz
def test_npz_mutated(folder, arrays, compress, steps, entry, field, value, in_directory):
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **arrays)
    content = bytearray(file.getvalue())
    marks = [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\1\2"]
    if in_directory:  # one number of an entry of the zip's own directory
        place = content.find(marks[entry % 4]) + field
        width = 2 if value <= 0xFFFF else 4
        content[place : place + width] = value.to_bytes(width, "little")
    try_npz("npz mutated", folder, changed(bytes(content), steps))


SHAPES = st.one_of(
    st.tuples(st.integers(10, 30), st.integers(1, 5)),
    st.tuples(st.integers(10, 30), st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(10, 30)),
    st.lists(st.sampled_from([-1, 0, 1, 2, 20, 10**6, 10**9, 10**12, 2**62, 2**64, 10**400])).map(
        tuple
    ),
    st.sampled_from(["x", None, [20, 2], (20.0, 2), (True,) * 2, ("20", 2), {}, (1,) * 40]),
)


DESCRIPTIONS = st.one_of(
    st.sampled_from(IMAGE_TYPES + LABEL_TYPES),
    st.sampled_from(
        ["|O", "<U0", "S0", "|V8", "<M8[s]", "a5", "=f4", "T", "f4,f4", "(2,)f4", "<U99999999"]
    ),
    st.sampled_from(
        [[("a", "<f4")], ("<f4", (3,)), [], None, 4, [("a",)], {}, ("<f4", 2**40), "<f99", "<f3"]
    ),
    st.text(max_size=5),
)


@st.composite
def npy_members(draw):
    """Header with arbitrary text, followed by bytes that may fit it."""
    shape, description = draw(SHAPES), draw(DESCRIPTIONS)
    if draw(st.booleans()):
        shape, description = (20, *draw(st.sampled_from([(), (3,), (2, 2)]))), "u1"
    fields = {"descr": description, "fortran_order": draw(st.booleans()), "shape": shape}
    header = repr(fields)
    if draw(st.sampled_from([True] + [False] * 9)):
        header = draw(st.one_of(st.text(max_size=40), st.just("[" * 300), st.just("{1:2}")))
    version = draw(st.sampled_from([b"\1\0"] * 12 + [b"\2\0", b"\3\0", b"\0\0", b"\xff\xff"]))
    encoded = header.encode("utf-8", "replace")
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(encoded))
    try:
        size = min(int(np.prod(shape)) * np.dtype(description).itemsize, 1 << 16)
    except Exception:
        size = 100
    body = random.Random(size).randbytes(
        max(0, size + draw(st.sampled_from([0] * 12 + [-1, 1, 99])))
    )
    if description != "u1" and draw(st.booleans()):
        body = bytes(len(body))
    return b"\x93NUMPY" + version + length + encoded + body


NAMES = ["X", "X", "X", "images", "y", "labels", "X_test", "y_test", "other"]


@given(
    members=st.lists(st.tuples(st.sampled_from(NAMES), npy_members()), min_size=1, max_size=3),
    ending=st.sampled_from([".npy", ".npy", ""]),
    method=st.sampled_from(
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
    ),
    steps=unchanged_too,
)
@fuzz
def test_npz_of_made_up_headers(folder, members, ending, method, steps):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")  # about two members with one name
        for name, content in members:
            archive.writestr(name + ending, content)
    try_npz("npz made up", folder, changed(file.getvalue(), steps))


@given(content=st.binary(max_size=400), end=st.sampled_from([b"", b"PK\5\6" + bytes(18)]))
@fuzz
def test_npz_of_random_bytes(folder, content, end):
    try_npz("npz random", folder, content + end)
