"""Fixtures of the tests of tables, figures and page."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """Pyplot keeps what is drawn, and warns at the twenty-first figure."""
    yield
    plt.close("all")
