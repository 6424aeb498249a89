"""The guard of a bot's entries: it takes freqtrade's clients under its care, and keeps a venue's quiet."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import ccxt
import pytest

from adaptive_pkg.adapter.entry_guard import EntryGuard
from adaptive_pkg.exchange.holds import HostHolds
from adaptive_pkg.settings import load_settings

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
REST = "https://api.binance.com/api/v3"


@pytest.fixture
def hands():
    return SimpleNamespace(now=0.0)


def guard(hands, exchange=None, **settings):
    loaded = load_settings({"adaptive": {"components": {"circuit_breaker": False}, "exchange": settings}})
    made = EntryGuard(
        loaded, None, SimpleNamespace(), holds=HostHolds(120.0, lambda: hands.now, lambda: hands.now, {})
    )
    dp = SimpleNamespace(_exchange=exchange, runmode=SimpleNamespace(value="dry_run"))
    made.attach(dp, None, None)
    return made


def is_guarded(client):
    return "fetch" in vars(client)


@pytest.mark.parametrize("respected", [True, False])
def test_a_bots_clients_are_guarded_in_a_dry_run_too_unless_the_setting_says_no(hands, respected):
    exchange = SimpleNamespace(_api=ccxt.binance(), _api_async=None, _ws_async=None)
    guard(hands, exchange, respect_retry_after=respected)
    assert is_guarded(exchange._api) == respected


def test_while_the_venue_wants_quiet_entries_wait_and_the_breaker_counts_no_failure(hands):
    made = guard(hands)
    made.gateway = SimpleNamespace(endpoints=SimpleNamespace(rest=REST))  # asked anything it would raise
    made._holds.refused(f"{REST}/klines", 418, {"Retry-After": "60"})
    verdict = made.admit("BTC/USDT", "long", 100.0, NOW, equity=1000.0, trades=lambda **_: [])
    assert (verdict.allowed, verdict.guard) == (False, "market")
    assert "nothing is sent to api.binance.com" in verdict.reason
    assert made.breaker.failures == 0
