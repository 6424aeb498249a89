"""Runs freqtrade's command line with Telegram's address turned to a loopback one; all else is as it is."""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace

import freqtrade.rpc.telegram as rpc_telegram
from freqtrade.main import main
from telegram.ext import Application

BASE_URL = "LOOPBACK_TELEGRAM"  # environment variable


def hasty_asyncio() -> SimpleNamespace:
    """asyncio for freqtrade's Telegram, whose thread looks only every 10 s whether it should end."""
    hasty = SimpleNamespace(**vars(asyncio))
    hasty.sleep = lambda seconds: asyncio.sleep(min(seconds, 0.2))
    return hasty


def application(base_url: str, token: str) -> Application:
    return Application.builder().token(token).base_url(base_url).build()


if __name__ == "__main__":
    rpc_telegram.asyncio = hasty_asyncio()
    rpc_telegram.Telegram._init_telegram_app = lambda self: application(
        os.environ[BASE_URL], self._config["telegram"]["token"]
    )
    main(sys.argv[1:])
