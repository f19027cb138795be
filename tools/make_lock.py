"""Write requirements.lock and environment.yml from what is installed beside this interpreter.

Called by ``make lock`` in a virtual environment that holds nothing but this project and its needs.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = {"pip", "gmvae"}
LOCK_HEADER = """\
# The exact versions that the tests ran with. Written by `make lock`; do not edit.
"""
CONDA_HEADER = """\
# The versions of requirements.lock for conda users. Written by `make lock`; do not edit.
# They come by pip, since conda channels do not carry every one of these versions.
name: gmvae
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def main() -> None:
    """Write both files."""
    found = {}
    for package in importlib.metadata.distributions():
        name = package.metadata["Name"].lower().replace("_", "-")
        # "2.13.0+cpu" names one build of a version; the pin is meant for all of them.
        found[name] = package.version.partition("+")[0]
    pins = [f"{name}=={found[name]}\n" for name in sorted(found) if name not in LEFT_OUT]
    (ROOT / "requirements.lock").write_text(LOCK_HEADER + "".join(pins))
    conda = CONDA_HEADER + "".join(f"      - {pin}" for pin in pins) + "      - -e .\n"
    (ROOT / "environment.yml").write_text(conda)


if __name__ == "__main__":
    main()
