"""What is a secret wherever it stands in a config, and where it may stand instead."""

import pytest

from adaptive_pkg.doctor.access import (
    password_paths,
    secret_paths,
    secret_values,
    secrets_in_files,
    secrets_in_the_log,
    without_passwords,
)
from adaptive_pkg.doctor.facts import Facts
from adaptive_pkg.doctor.findings import HIDDEN, Severity


@pytest.mark.parametrize(
    "name",
    [
        "api_token",
        "accessToken",
        "client_secret",
        "Passphrase",
        "userPassw",
        "bearer",
        "Authorization",
        "twofa",
    ],
)
def test_a_name_that_tells_of_a_secret_is_one_at_any_depth(name):
    config = {"webhook": {"entry": [{name: "hidden", "text": "shown"}]}}
    assert secret_paths(config) == (("webhook", "entry", "0", name),)
    assert secret_values(config) == ("hidden",)


def test_every_header_is_a_secret():
    headers = {"X-Auth": "one", "Authorization": "Bearer two", "deep": {"list": ["three", 4]}, "off": False}
    assert set(secret_values({"ccxt_config": {"headers": headers}})) == {
        "one", "Bearer two", "two", "three", "4",
    }  # fmt: skip


def test_an_address_that_grants_tokens_and_authorized_users_are_none():
    config = {"token_url": "https://x.example/grant", "authorized_users": ["1"], "stake": "a", "token": ""}
    assert secret_values(config) == () and secret_paths(config) == () and without_passwords(config) == config


@pytest.mark.parametrize(
    ("address", "clean", "secrets"),
    [
        ("http://u:p%40ss@h:1/x", "http://h:1/x", {"p%40ss", "p@ss"}),
        ("socks5://atoken@h", "socks5://h", {"atoken"}),
        ("http://u:p@q@h", "http://h", {"p@q"}),
        ("https://h/@user/feed?a=b@c", "https://h/@user/feed?a=b@c", set()),
        ("me@example.org", "me@example.org", set()),
        ("sqlite:////srv/t.sqlite", "sqlite:////srv/t.sqlite", set()),
    ],
)
def test_user_and_password_are_taken_out_of_an_address(address, clean, secrets):
    config = {"a": [{"proxy": address, "n": 1}]}
    assert without_passwords(config) == {"a": [{"proxy": clean, "n": 1}]}
    assert set(secret_values(config)) == secrets
    assert password_paths(config) == ((("a", "0", "proxy"),) if secrets else ())


def test_a_proxy_s_password_is_named_with_where_it_may_stand_and_stops_no_live_bot():
    proxy = {"httpsProxy": "http://u:leak@h"}
    config = {"dry_run": False, "exchange": {"ccxt_config": {**proxy, "apiKey": "leak"}}}
    found = {item.key: item for item in secrets_in_files(config, Facts(written=config))}
    assert "FREQTRADE__EXCHANGE__CCXT_CONFIG__httpsProxy" in found["exchange.ccxt_config.httpsProxy"].remedy
    assert "FREQTRADE__EXCHANGE__KEY" in found["exchange.ccxt_config.apiKey"].remedy
    logged = {item.key.rpartition(".")[2]: item for item in secrets_in_the_log(config, Facts())}
    assert logged["apiKey"].severity is Severity.ERROR  # it has another place
    assert logged["httpsProxy"].severity is Severity.WARNING
    every = [*found.values(), *logged.values()]
    assert {item.value for item in every} == {HIDDEN} and "leak" not in str(every)
