"""The overlay sends every address to the venue and leaves the rest of the user's config alone."""

from copy import deepcopy
from urllib.parse import urlsplit

import ccxt.pro
import pytest
from freqtrade.misc import deep_merge_dicts

from adaptive_pkg.errors import VenueError
from adaptive_pkg.simulator.overlay import overlay

URL = "http://127.0.0.1:5"


def merged(config: dict) -> dict:
    """What freqtrade makes of the config with the overlay named after it."""
    return deep_merge_dicts(overlay(URL, config), deepcopy(config))


def client_settings(config: dict, client: str) -> dict:
    exchange = merged(config)["exchange"]
    return deep_merge_dicts(exchange.get(client, {}), deepcopy(exchange["ccxt_config"]))


def leaves(tree: dict) -> list[str]:
    return [leaf for node in tree.values() for leaf in (leaves(node) if isinstance(node, dict) else [node])]


@pytest.mark.parametrize("client", ["ccxt_sync_config", "ccxt_async_config"])
def test_no_address_leaves_the_machine_whatever_the_user_set(client):
    own = {"urls": {"api": {"public": "https://elsewhere.example/api/v3"}}, "httpsProxy": "http://proxy:3128"}
    settings = client_settings({"exchange": {"name": "binance", client: own}}, client)
    exchange = ccxt.binance(settings)
    for own_client in (exchange, ccxt.pro.binance(settings)):
        hosts = {urlsplit(address).netloc for address in leaves(own_client.urls["api"])}
        assert hosts == {"127.0.0.1:5"}
    assert exchange.urls["api"]["fapiPublicV2"] == f"{URL}/fapi/v2"
    assert exchange.httpsProxy is None


def test_the_users_other_client_options_stay():
    own = {"options": {"recvWindow": 5}, "timeout": 1234, "enableRateLimit": True}
    config = {"exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT"], "ccxt_config": own}}
    exchange = merged(config)["exchange"]
    assert exchange["ccxt_config"]["options"] == {"recvWindow": 5}
    assert exchange["ccxt_config"]["timeout"] == 1234
    assert exchange["pair_whitelist"] == ["BTC/USDT"]


def test_nothing_real_is_traded_or_told():
    telegram = {"enabled": True, "token": "t", "chat_id": "1"}
    result = merged({"dry_run": False, "exchange": {"name": "binance"}, "telegram": telegram})
    assert result["dry_run"] is True
    assert result["telegram"] == {"enabled": False, "token": "t", "chat_id": "1"}
    assert result["exchange"]["enable_ws"] is False and result["exchange"]["only_from_ccxt"] is True
    assert "webhook" not in result  # a block that the user has not written would fail freqtrade's schema


def test_without_a_config_binance_is_meant():
    assert merged({})["exchange"]["name"] == "binance"


def test_another_exchange_is_refused():
    with pytest.raises(VenueError, match="'kraken' cannot run offline"):
        overlay(URL, {"exchange": {"name": "kraken"}})
