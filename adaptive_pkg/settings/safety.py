"""What a config must not say before a bot trades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from adaptive_pkg.errors import SettingsError

MIN_JWT_KEY = 32
PUBLIC_JWT_KEY = (
    "somethingRandomSomethingRandom123"  # freqtrade's schema fills it in where the key is missing
)


@dataclass(frozen=True)
class ApiProblem:
    """Why an API must not be started. It never holds the password or the key themselves.

    Attributes:
        key: the setting, such as `api_server.password`.
        problem: what is wrong.
        remedy: what to do.
    """

    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}; {self.remedy}"


def api_problems(config: Mapping[str, Any]) -> tuple[ApiProblem, ...]:
    """Everything that lets anybody use the API, once real money or another machine could reach it.

    A dry run on this machine's own address may leave the password out.
    """
    api = config.get("api_server") or {}
    if not api.get("enabled"):
        return ()
    address = api.get("listen_ip_address", "127.0.0.1")
    try:
        local = ip_address(address).is_loopback
    except ValueError:
        key, problem = "api_server.listen_ip_address", f"{address!r} is no IP address"
        return (ApiProblem(key, problem, "write 127.0.0.1 for this machine"),)
    dry_run = config.get("dry_run", True)
    if dry_run and local:
        return ()
    return tuple(
        ApiProblem(
            f"api_server.{key}",
            f"{_fault(str(api.get(key) or ''), least)}, and the API listens on {address} "
            f"with dry_run {dry_run}",
            f"set FREQTRADE__API_SERVER__{key.upper()} in the environment (at least {least} characters; "
            "`adaptive credentials` writes it into .env) or set api_server.enabled to false",
        )
        for key, least in (("password", 1), ("jwt_secret_key", MIN_JWT_KEY))
        if _fault(str(api.get(key) or ""), least)
    )


def check_api_server(config: Mapping[str, Any]) -> None:
    """Refuse an API that anybody could use; see `api_problems`.

    Raises:
        SettingsError: names every missing key and where to put it.
    """
    if problems := api_problems(config):
        raise SettingsError("\n".join(map(str, problems)))


def _fault(secret: str, least: int) -> str:
    if not secret:
        return "missing"
    if secret == PUBLIC_JWT_KEY:
        return "freqtrade's default, which everybody knows"
    return "too short" if len(secret) < least else ""
