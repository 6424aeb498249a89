"""Fixtures rooms share: real candles where they are at hand, seeded random ones, a service to poll."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

# the same examples on every machine and run, and no verdict from a busy clock
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

ROOT = Path(__file__).resolve().parents[1]


def real_data_dir() -> Path:
    """Folder of real candles: $ADAPTIVE_DATA, else `../shared/data` beside the checkout."""
    return Path(os.environ.get("ADAPTIVE_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def real_datadir() -> Path:
    """The folder `binance` of the real data, or a skip that says why."""
    folder = real_data_dir() / "binance"
    if not folder.is_dir():
        pytest.skip(f"no real candles at {folder}; set ADAPTIVE_DATA to a folder holding binance/*.feather")
    return folder


@pytest.fixture(scope="session")
def real_candles(real_datadir: Path) -> Callable[..., pd.DataFrame]:
    """Load one pair's real candles: `real_candles("BTC/USDT", "1h")`."""
    cache: dict[tuple[str, str], pd.DataFrame] = {}

    def load(pair: str, timeframe: str = "1h") -> pd.DataFrame:
        key = (pair, timeframe)
        if key not in cache:
            cache[key] = pd.read_feather(real_datadir / f"{pair.replace('/', '_')}-{timeframe}.feather")
        return cache[key].copy()

    return load


@pytest.fixture
def random_candles() -> Callable[..., pd.DataFrame]:
    """Geometric random-walk candles: `random_candles(n=1000, seed=1, freq="1h")`."""

    def make(n: int = 1000, seed: int = 1, freq: str = "1h", sigma: float = 0.006) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(rng.normal(0, sigma, n)))
        open_ = np.concatenate([[100.0], close[:-1]])
        wick = np.abs(rng.normal(0, sigma / 2, (2, n)))
        return pd.DataFrame(
            {
                "date": pd.date_range("2022-01-01", periods=n, freq=freq, tz="UTC"),
                "open": open_,
                "high": np.maximum(open_, close) * (1 + wick[0]),
                "low": np.minimum(open_, close) * (1 - wick[1]),
                "close": close,
                "volume": rng.lognormal(3, 0.5, n),
            }
        )

    return make


@asynccontextmanager
async def serving(handler, settings, clock):
    """A service on this machine, and a polling client of it."""
    import aiohttp
    from aiohttp import web
    from aiohttp.test_utils import TestServer

    from adaptive_pkg.polling.client import PollingClient, request_limiter

    async def answer(request):
        service.requests.append(request)
        service.forms.append(dict(await request.post()))
        return await handler(request)

    service = SimpleNamespace(requests=[], forms=[], slept=[])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)

    async def sleep(seconds):
        service.slept.append(seconds)

    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        service.url = str(server.make_url("")).rstrip("/")
        service.session = session
        service.client = PollingClient(
            "service", session, request_limiter(100, 1), settings, sleep=sleep, **clock
        )
        yield service


@pytest.fixture
def ask():
    """`ask(handler, scenario)`: run the scenario with the service's url, client and log of requests."""
    from adaptive_pkg.settings.sources import PollingSettings

    patient = PollingSettings(timeout_seconds=10.0)

    def run(handler, scenario, settings=patient, **clock):
        async def whole():
            async with serving(handler, settings, clock) as service:
                return await scenario(service)

        return asyncio.run(whole())

    return run


@pytest.fixture
def say():
    """`say(body, status, headers)`: a handler that always answers the same."""
    from aiohttp import web

    def make(body, status=200, headers=None):
        async def handler(request):
            if isinstance(body, str):
                return web.Response(text=body, status=status, headers=headers)
            return web.json_response(body, status=status, headers=headers)

        return handler

    return make
