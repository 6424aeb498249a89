"""Access: secrets, the API, Telegram, and the clock that signed requests carry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from adaptive_pkg.doctor.facts import Facts
from adaptive_pkg.doctor.findings import HIDDEN, Finding, block, error, is_live, note, warning
from adaptive_pkg.settings.safety import api_problems

# Last names of keys that hold a secret wherever they stand, in lower case.
SECRET_NAMES = frozenset(
    {
        *("key", "secret", "password", "token", "apikey", "api_key", "api_secret"),
        *("uid", "account_id", "accountid", "private_key", "privatekey", "wallet_address", "walletaddress"),
        *("jwt_secret_key", "ws_token", "webhook_url", "login", "twofa", "headers"),
    }
)
# Parts of such names, unless the value is an address: a token_url grants tokens and is none.
SECRET_PARTS = ("token", "secret", "passw", "passphrase", "bearer", "authorization")
ADDRESSES = ("url", "uri")
USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")  # of an address: user:password@
SCHEMES = ("bearer ", "basic ", "token ")  # of an Authorization header
KEEP_CASE = ("ccxt_config", "ccxt_sync_config", "ccxt_async_config")
CCXT_NAMES = {"apiKey": "key", "privateKey": "private_key", "walletAddress": "wallet_address"}
# What freqtrade hands to ccxt from the exchange block, which it does not log.
EXCHANGE_KEYS = frozenset(
    {"key", "secret", "password", "uid", "account_id", "accountId", "private_key", "wallet_address"}
)
CREDENTIALS = ("key", "apiKey", "privateKey", "private_key", "walletAddress", "wallet_address")
AHEAD_LIMIT = 1.0  # seconds; Binance refuses a request stamped further than this in its future
LATE_LIMIT = 1.0  # seconds behind that are worth a warning
RECEIVE_WINDOW_MS = 10_000  # ccxt's default for Binance


def secrets_in_files(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """A file is copied, shown and committed with whatever it holds."""
    written = facts.written or {}
    for path, in_list in _secrets(written):
        yield warning(".".join(path), HIDDEN, "a secret written in a config file", _instead(path, in_list))
    for path, in_list in _passwords(written):
        if path != ("db_url",):
            problem = "an address with a password written in a config file"
            yield warning(".".join(path), HIDDEN, problem, _instead(path, in_list))
    if _url_password(written.get("db_url")):
        yield warning(
            "db_url", HIDDEN, "a database password written in a config file", _instead(("db_url",), False)
        )


def secrets_in_the_log(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """freqtrade logs the blocks for ccxt at every start, as they are."""
    finding = error if is_live(config) else warning
    problem = "freqtrade writes this block into its log, and the secret with it"
    for client in KEEP_CASE:
        settings = block(config, "exchange", client)
        for path, _ in (*_secrets(settings), *_passwords(settings)):
            key = ".".join(("exchange", client, *path))
            if len(path) == 1 and CCXT_NAMES.get(path[0], path[0]) in EXCHANGE_KEYS:
                remedy = "move it to exchange.key, exchange.secret and the like, which it does not log"
                yield finding(key, HIDDEN, problem, remedy)
            else:  # a proxy, a header: they have no other place
                yield warning(key, HIDDEN, problem, "do without it, or let nobody read the log")


def api_server(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """Nobody but the owner gives the bot orders."""
    api = block(config, "api_server")
    if not api.get("enabled"):
        return
    problems = api_problems(config)
    for problem in problems:
        hidden = HIDDEN if api.get(problem.key.rpartition(".")[2]) else None
        yield error(problem.key, hidden, problem.problem, problem.remedy)
    address = api.get("listen_ip_address", "127.0.0.1")
    local = str(address).startswith("127.") or address == "::1"
    if not local and "api_server.listen_ip_address" not in {problem.key for problem in problems}:
        yield warning(
            "api_server.listen_ip_address",
            address,
            "other machines can reach the API, and it speaks plain HTTP",
            "use 127.0.0.1, or in a container publish the port on 127.0.0.1 alone",
        )
    if local and not is_live(config) and not api.get("password"):
        yield note(
            "api_server.password",
            None,
            "any program on this machine may give the dry run orders; with real money the start is refused",
            "set FREQTRADE__API_SERVER__PASSWORD in the environment",
        )


def force_entry(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """A forced entry has no signal, no confidence and no regime."""
    if is_live(config) and config.get("force_entry_enable"):
        yield warning(
            "force_entry_enable",
            True,
            "whoever reaches Telegram or the API can open trades that no rule has asked for",
            "set it to false unless you mean to trade by hand",
        )


def telegram(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """freqtrade's schema asks for the two keys, but takes empty ones."""
    settings = block(config, "telegram")
    for key in ("token", "chat_id") if settings.get("enabled") else ():
        if not str(settings.get(key) or "").strip():
            yield error(
                f"telegram.{key}",
                None,
                "missing, while telegram.enabled is true",
                f"set FREQTRADE__TELEGRAM__{key.upper()} in the environment, or telegram.enabled to false",
            )


def audience(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """Whoever else may give orders: the members of a chat, a page in the owner's browser."""
    chat = block(config, "telegram")
    group = str(chat.get("chat_id") or "").strip().startswith("-")  # so Telegram numbers them
    if chat.get("enabled") and group and not chat.get("authorized_users"):
        yield warning(
            "telegram.authorized_users",
            None,
            "telegram.chat_id is a group, and everybody in it may give the bot orders",
            'name the users\' numbers, such as ["123456789"]',
        )
    api = block(config, "api_server")
    if api.get("enabled") and "*" in (api.get("CORS_origins") or []):
        yield warning(
            "api_server.CORS_origins",
            "*",
            "any page open in your browser may use the API as you",
            "name the pages that may, or leave the list empty",
        )


def credentials(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """Real orders need an account."""
    exchange = block(config, "exchange")
    clients = [exchange, *(block(exchange, name) for name in KEEP_CASE)]
    if is_live(config) and not any(client.get(key) for client in clients for key in CREDENTIALS):
        yield warning(
            "exchange.key",
            None,
            "dry_run is false and there is no account to trade with",
            "set FREQTRADE__EXCHANGE__KEY and FREQTRADE__EXCHANGE__SECRET in the environment",
        )


def clock(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """Binance takes a request stamped at most recvWindow before its own time and 1 s after it."""
    reading = facts.clock
    if reading is None:
        return
    remedy = "synchronise the system's clock with NTP (systemd-timesyncd, chrony)"
    if reading.failed:
        yield warning("clock", None, f"the venue's time could not be read: {reading.failed}", "try again")
        return
    window = receive_window(config)
    value = f"{-reading.behind:+.2f} s ± {reading.uncertainty:.2f} s against the venue"
    # only what is certain counts: a slow answer is no wrong clock
    late, ahead = reading.behind - reading.uncertainty, -reading.behind - reading.uncertainty
    if late > window:
        yield error("clock", value, f"late by more than recvWindow ({window:g} s): requests expire", remedy)
    elif ahead > AHEAD_LIMIT and is_live(config):
        yield error("clock", value, f"ahead by more than {AHEAD_LIMIT:g} s: signed requests fail", remedy)
    elif ahead > window:
        yield error("clock", value, f"ahead by more than recvWindow ({window:g} s)", remedy)
    elif max(late, ahead) > LATE_LIMIT:
        yield warning("clock", value, "out of sync: candles are read late, or too early", remedy)


def receive_window(config: Mapping[str, Any]) -> float:
    """recvWindow in seconds, as the config's ccxt options or ccxt's default say."""
    for client in reversed(KEEP_CASE):
        window = block(config, "exchange", client, "options").get("recvWindow")
        if isinstance(window, (int, float)):
            return window / 1000.0
    return RECEIVE_WINDOW_MS / 1000.0


def secret_paths(config: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Where a config holds secrets: names, and positions in lists, from the top."""
    return tuple(path for path, _ in _secrets(config))


def secret_values(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The secrets themselves, for whoever must not repeat them; passwords in addresses among them."""
    found: list[str] = []
    for path in secret_paths(config):
        for text in _leaves(_at(config, path)):
            found.append(text)
            found += (text[len(scheme) :].strip() for scheme in SCHEMES if text.lower().startswith(scheme))
    for path, _ in _passwords(config):
        for userinfo in USERINFO.findall(_at(config, path)):
            user, _, password = userinfo[:-1].partition(":")
            found += (password or user, unquote(password or user))  # a user alone is a token
    if password := _url_password(config.get("db_url")):
        found.append(password)
    return tuple(dict.fromkeys(filter(None, found)))


def without_passwords(value: Any) -> Any:
    """A config, or a part of one, with user and password taken out of every address in it."""
    if isinstance(value, Mapping):
        return {name: without_passwords(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_passwords(inner) for inner in value]
    return USERINFO.sub("", value) if isinstance(value, str) else value


def password_paths(config: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Where `without_passwords` changes something."""
    return tuple(path for path, _ in _passwords(config))


def _at(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = config[int(name)] if isinstance(config, list) else config[name]
    return config


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, (Mapping, list)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _secrets(
    value: Any, path: tuple[str, ...] = (), in_list: bool = False, beneath: bool = False
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Paths of the secrets, and whether one lies in a list. beneath: a block above has a secret's name."""
    beneath = beneath or (bool(path) and _is_secret(path))
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _secrets(inner, (*path, str(name)), in_list, beneath)
    elif beneath:
        if value not in (None, "", [], False, True):
            yield path, in_list
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _secrets(inner, (*path, str(at)), True)


def _passwords(
    value: Any, path: tuple[str, ...] = (), in_list: bool = False
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Paths of the addresses that hold a user or a password, but for those that are a secret as a whole."""
    if path and _is_secret(path):
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _passwords(inner, (*path, str(name)), in_list)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _passwords(inner, (*path, str(at)), True)
    elif isinstance(value, str) and USERINFO.search(value):
        yield path, in_list


def _is_secret(path: tuple[str, ...]) -> bool:
    last = path[-1].lower()
    named = any(part in last for part in SECRET_PARTS) and not last.endswith(ADDRESSES)
    # a webhook's address is its password
    return last in SECRET_NAMES or named or path == ("webhook", "url")


def _instead(path: tuple[str, ...], in_list: bool) -> str:
    if in_list:
        return "keep this block in a file of its own that git ignores, added with --config"
    last = path[-1].upper()
    if set(KEEP_CASE) & set(path):  # freqtrade logs these blocks: see secrets_in_the_log
        known = CCXT_NAMES.get(path[-1], path[-1])
        if known in EXCHANGE_KEYS:
            path, last = ("exchange", known), known.upper()
        else:
            last = path[-1]  # there freqtrade keeps its case
    variable = "__".join(["FREQTRADE", *(name.upper() for name in path[:-1]), last])
    return f"remove it there and set {variable} in the environment"


def _url_password(url: Any) -> str:
    try:
        return (make_url(url).password or "") if isinstance(url, str) else ""
    except ArgumentError:
        return ""
