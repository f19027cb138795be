"""What the scripts of the pipeline do with their errors."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

from gmvae.bench.disk.errors import UserError


@contextlib.contextmanager
def errors_to(path: str) -> Iterator[None]:
    """Write the error that ends the block to the log at `path` and exit with status 1.

    Parameters
    ----------
    path : str
        The pipeline shows it on the terminal when a job fails.
    """
    with open(path, "w", encoding="utf-8") as log:
        try:
            yield
        except UserError as error:
            log.write(f"error: {error}\n")
            raise SystemExit(1) from None
        except Exception:
            log.write(traceback.format_exc())
            raise SystemExit(1) from None
