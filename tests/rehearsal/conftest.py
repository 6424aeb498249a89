"""A synthetic market for the rehearsals. They need `faketime`, and fail loudly where it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptive_pkg.rehearsal.market import write_market


@pytest.fixture(scope="session")
def market(tmp_path_factory) -> Path:
    """A folder of synthetic candles. See `rehearsal.market`."""
    return write_market(tmp_path_factory.mktemp("market"))
