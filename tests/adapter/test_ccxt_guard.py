"""freqtrade's ccxt clients against a venue that refuses them: what is told is kept, what is strange left alone."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import ccxt
import ccxt.pro
import pytest

from adaptive_pkg.adapter.ccxt_guard import guard_client, guard_exchange
from adaptive_pkg.exchange.holds import HostHolds
from adaptive_pkg.simulator.faults import Fault, FaultKind

from ..simulator.conftest import make_venue  # noqa: F401
