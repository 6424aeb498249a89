"""A summary through Telegram's Bot API, to the chat that the config names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from adaptive_pkg.doctor.findings import block
from adaptive_pkg.errors import ExchangeError, SettingsError
from adaptive_pkg.polling.client import PollingClient, request_limiter
from adaptive_pkg.polling.source import SourceError
from adaptive_pkg.settings.sources import PollingSettings
from adaptive_pkg.upkeep.report import MaintenanceReport, steps

ADDRESS = "https://api.telegram.org"
LONGEST = 4096  # characters of a message
# sent once: an answer that was lost may belong to a message that arrived
_ONCE = PollingSettings(attempts=1)


def summary(report: MaintenanceReport) -> str:
    """The headline and what to do, within one message."""
    text = "\n".join([report.headline, *steps(report)])
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"


def send(text: str, config: Mapping[str, Any], address: str = ADDRESS) -> None:
    """Send one plain message with the config's telegram.token to its telegram.chat_id.

    Raises:
        SettingsError: token or chat are not set. ExchangeError: Telegram does not take it; the token stands
        in no message.
    """
    settings = block(config, "telegram")
    token, chat = (str(settings.get(name) or "").strip() for name in ("token", "chat_id"))
    for name, value in (("token", token), ("chat_id", chat)):
        if not value:
            raise SettingsError(
                f"telegram.{name}: not set; set FREQTRADE__TELEGRAM__{name.upper()} in the environment"
            )
    try:
        answer = asyncio.run(_send(f"{address}/bot{token}/sendMessage", chat, text))
    except SourceError as error:
        told = str(error).replace(token, "(hidden)")
        raise ExchangeError(f"{told}; see that telegram.token and telegram.chat_id are right") from None
    if not (isinstance(answer, Mapping) and answer.get("ok")):
        raise ExchangeError("Telegram: the answer does not say that the message was taken; try again")


async def _send(url: str, chat: str, text: str) -> Any:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        client = PollingClient("Telegram", session, request_limiter(20, 60), _ONCE)
        form = {"chat_id": chat, "text": text, "disable_web_page_preview": "true"}
        return await client.post(url, form)
