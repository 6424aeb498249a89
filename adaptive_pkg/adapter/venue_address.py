"""Where a freqtrade config's added calls go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adaptive_pkg.exchange.endpoints import Endpoints, binance_endpoints

# Binance's own, under the names ccxt's `urls` has for them
_REST = {"public": "https://api.binance.com/api/v3", "fapiPublic": "https://fapi.binance.com/fapi/v1"}
_STREAMS = {"spot": "wss://stream.binance.com:9443/ws", "linear": "wss://fstream.binance.com/ws"}
_PROXIES = ("aiohttp_proxy", "httpsProxy", "https_proxy", "httpProxy", "http_proxy")
_BLOCKS = ("ccxt_config", "ccxt_async_config")  # the later lies over the earlier, as freqtrade does it


def endpoints_of(config: Mapping[str, Any]) -> Endpoints | None:
    """The addresses the bot itself uses: Binance's, and over them what the config says. None: not Binance."""
    exchange = config.get("exchange") or {}
    if exchange.get("name") != "binance":
        return None
    addresses, streams = dict(_REST), dict(_STREAMS)
    for block in _BLOCKS:
        own = ((exchange.get(block) or {}).get("urls") or {}).get("api") or {}
        addresses |= own
        streams |= own.get("ws") or {}
    if config.get("trading_mode", "spot") == "futures":
        return binance_endpoints(addresses["fapiPublic"], streams["linear"], perpetual=True)
    return binance_endpoints(addresses["public"], streams["spot"], perpetual=False)


def proxy_of(config: Mapping[str, Any]) -> str | None:
    """The HTTP proxy that the config names for the exchange."""
    exchange = config.get("exchange") or {}
    for block in reversed(_BLOCKS):
        own = exchange.get(block) or {}
        for key in _PROXIES:
            if isinstance(own.get(key), str) and own[key]:
                return own[key]
    return None
