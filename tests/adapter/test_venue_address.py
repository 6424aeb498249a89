"""The added calls go where the bot itself goes."""

import ccxt.pro

from adaptive_pkg.adapter.venue_address import endpoints_of, proxy_of
from adaptive_pkg.simulator.overlay import overlay


def config(trading_mode="spot", **exchange):
    return {"trading_mode": trading_mode, "exchange": {"name": "binance"} | exchange}


def test_without_more_in_the_config_it_is_the_exchanges_own_address():
    spot, futures = endpoints_of(config()), endpoints_of(config("futures"))
    known = ccxt.pro.binance().urls["api"]
    assert (spot.rest, futures.rest) == (known["public"], known["fapiPublic"])
    assert spot.stream == known["ws"]["spot"].removesuffix("/ws") + "/stream"
    assert futures.stream == known["ws"]["linear"].removesuffix("/ws") + "/public/stream"
    assert futures.perpetual
    assert not spot.perpetual


def test_the_configs_addresses_win_the_asynchronous_clients_last():
    own = {"urls": {"api": {"public": "https://mirror.example/api/v3", "ws": {"spot": "wss://m.example/ws"}}}}
    later = {"urls": {"api": {"public": "https://later.example/api/v3"}}}
    found = endpoints_of(config(ccxt_config=own, ccxt_async_config=later))
    assert found.rest == "https://later.example/api/v3"
    assert found.stream == "wss://m.example/stream"


def test_the_loopback_venues_overlay_keeps_every_call_on_this_machine():
    for mode in ("spot", "futures"):
        found = endpoints_of(config(mode) | overlay("http://127.0.0.1:5", {}))
        assert found.rest.startswith("http://127.0.0.1:5/")
        assert found.stream.startswith("ws://127.0.0.1:5/")


def test_another_exchange_has_no_gateway():
    assert endpoints_of({"exchange": {"name": "kraken"}}) is None
    assert endpoints_of({}) is None


def test_the_proxy_is_the_clients():
    assert proxy_of(config()) is None
    assert proxy_of(config(ccxt_config={"httpsProxy": "http://p:1"})) == "http://p:1"
    blocks = {
        "ccxt_config": {"httpsProxy": "http://p:1"},
        "ccxt_async_config": {"aiohttp_proxy": "http://p:2"},
    }
    assert proxy_of(config(**blocks)) == "http://p:2"
