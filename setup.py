"""Packages of the wheel; everything else about it is in pyproject.toml.

In the project, ``baselines/``, ``config/`` and ``workflow/`` lie beside ``gmvae/``. An installed
package keeps them inside ``gmvae/``, since a wheel should not claim such common names.
"""

from setuptools import find_packages, setup

MOVED = ("baselines", "config", "workflow")

setup(
    packages=[
        *find_packages(include=["gmvae", "gmvae.*", "snakemake_logger_plugin_gmvae"]),
        *(f"gmvae.{name}" for name in find_packages(include=["baselines", "baselines.*"])),
        "gmvae.config",
        "gmvae.workflow",
    ],
    package_dir={f"gmvae.{name}": name for name in MOVED},
)
