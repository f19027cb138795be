"""Download of a published file from the first mirror that answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gmvae.bench.disk.errors import DataError

TIMEOUT_SECONDS = 20
MAX_REASON = 160


def download(name: str, known_hash: str, mirrors: Iterable[str], folder: str) -> Path:
    """Download a file, unless it is already in the cache of this user.

    Parameters
    ----------
    name : str
        File name, appended to the address of each mirror.
    known_hash : str
        Checksum of the file, as pooch takes it.
    mirrors : iterable of str
        Addresses, tried in this order.
    folder : str
        Folder in the cache.

    Returns
    -------
    Path
        File in the cache.

    Raises
    ------
    DataError
        If every mirror fails; the message has one line per mirror.
    """
    import pooch  # takes a third of a second, and most runs find their data on disk
    import requests

    failures = []
    for mirror in mirrors:
        try:
            return Path(
                pooch.retrieve(
                    url=f"{mirror}{name}",
                    known_hash=known_hash,
                    fname=name,
                    path=pooch.os_cache("gmvae") / folder,
                    downloader=pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT_SECONDS),
                )
            )
        except (requests.RequestException, ValueError, OSError) as error:
            failures.append(f"  {mirror}: {_first_line(error)}")
    raise DataError("\n".join([f"downloads of {name} that failed:", *failures]))


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 3]}..."
