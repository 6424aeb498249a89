"""What a config must not say before a bot trades."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from adaptive_pkg.errors import SettingsError

MIN_JWT_KEY = 32
PUBLIC_JWT_KEY = (
    "somethingRandomSomethingRandom123"  # freqtrade's schema fills it in where the key is missing
)


def check_api_server(config: Mapping[str, Any]) -> None:
    """Refuse an API that anybody could use, once real money or another machine could reach it.

    A dry run on this machine's own address may leave the password out.

    Raises:
        SettingsError: names the missing key and where to put it.
    """
    api = config.get("api_server", {})
    if not api.get("enabled"):
        return
    address = api.get("listen_ip_address", "127.0.0.1")
    if config.get("dry_run", True) and ip_address(address).is_loopback:
        return
    for key, least in (("password", 1), ("jwt_secret_key", MIN_JWT_KEY)):
        if len(value := str(api.get(key, ""))) < least or value == PUBLIC_JWT_KEY:
            raise SettingsError(
                f"api_server.{key}: missing, and the API listens on {address} "
                f"with dry_run {config.get('dry_run', True)}; set FREQTRADE__API_SERVER__{key.upper()} in "
                f"the environment (at least {least} characters) or set api_server.enabled to false"
            )
