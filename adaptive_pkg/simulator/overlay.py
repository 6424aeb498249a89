"""The config that makes freqtrade talk to the loopback venue instead of the internet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import ccxt.pro

from adaptive_pkg.errors import VenueError

_CLIENTS = ("ccxt_config", "ccxt_sync_config", "ccxt_async_config")
_PROXIES = (
    *("proxy", "proxies", "aiohttp_proxy", "proxyUrl", "httpProxy", "httpsProxy", "socksProxy"),
    *("http_proxy", "https_proxy", "socks_proxy", "proxy_url", "aiohttp_trust_env", "requests_trust_env"),
)
_MESSENGERS = ("telegram", "webhook", "discord")


def overlay(url: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Config to merge over `config` (freqtrade merges key by key), so that nothing leaves this machine.

    Every Binance address points at `url`, also in the client blocks that freqtrade lays over `ccxt_config`;
    proxies, WebSocket, archive downloads and messengers are off, and so are real orders (`dry_run`). All else
    that the user set, such as other ccxt options, stays.

    Raises:
        VenueError: the config names an exchange other than binance.
    """
    exchange = config.get("exchange") or {}
    name = exchange.get("name") or "binance"
    if name != "binance":
        raise VenueError(
            f"exchange.name: {name!r} cannot run offline; the loopback venue speaks binance only"
        )
    addresses = _moved(ccxt.pro.binance().urls["api"], url)
    merged: dict[str, Any] = {"name": name, "enable_ws": False, "only_from_ccxt": True}
    for client in _CLIENTS:
        own = exchange.get(client) or {}
        # A proxy cannot reach the loopback address; a null wins over what the user's config says.
        proxies = {key: None for key in _PROXIES if key in own}
        if client == "ccxt_config" or own:  # freqtrade prints these blocks: no more of them than needed
            merged[client] = {"urls": {"api": addresses}, "enableRateLimit": False, **proxies}
    silenced = {block: {"enabled": False} for block in _MESSENGERS if config.get(block)}
    return {"dry_run": True, "exchange": merged, **silenced}


def _moved(addresses: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Addresses, however deep they lie, with the venue's scheme and host."""
    venue = urlsplit(url)
    moved: dict[str, Any] = {}
    for key, address in addresses.items():
        if isinstance(address, Mapping):
            moved[key] = _moved(address, url)
        else:
            parts = urlsplit(address)
            scheme = "ws" if parts.scheme == "wss" else venue.scheme
            moved[key] = f"{scheme}://{venue.netloc}{parts.path}"
    return moved


def live_overlay(url: str, config: Mapping[str, Any], key: str, secret: str) -> dict[str, Any]:
    """Config for a bot that trades for real, against the venue: with its account's key, and its streams.

    Everything else as `overlay`. The venue's account is made up, so is its secret.

    Raises:
        VenueError: the config names an exchange other than binance.
    """
    merged = overlay(url, config)
    exchange = merged["exchange"] | {"key": key, "secret": secret, "enable_ws": True}
    for client in exchange.keys() & set(_CLIENTS):
        # unpaced, ccxt subscribes faster than a venue takes it, and is thrown out again and again
        exchange[client] |= {"enableRateLimit": True}
    return merged | {"dry_run": False, "exchange": exchange}
