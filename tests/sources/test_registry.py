"""Which sources are made: those the settings ask for, with the keys of the environment."""

import asyncio
import sys

import aiohttp
import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.polling.source import SourceError
from adaptive_pkg.settings.schema import parse
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.sources.registry import SourceKeys, SourceRegistry, read_keys

ENVIRONMENT = {
    "ADAPTIVE_REDDIT_CLIENT_ID": " id ",
    "ADAPTIVE_REDDIT_CLIENT_SECRET": "reddit-secret",
    "ADAPTIVE_X_BEARER_TOKEN": "x-secret",
}


def settings(**blocks):
    return parse(SourcesSettings, blocks, "adaptive.sources")


def made(registry):
    async def make():
        async with aiohttp.ClientSession() as session:
            return [source.name for source in registry(session)]

    return asyncio.run(make())


def test_by_default_nothing_is_on_and_of_the_sources_those_that_need_no_key():
    assert not SourcesSettings().enabled
    assert made(SourceRegistry(settings(), ["BTC"], SourceKeys())) == [
        "fear_greed",
        "coin_metrics",
        "futures",
    ]


def test_with_keys_all_five_are_made():
    own = settings(reddit={"enabled": True}, x={"enabled": True})
    registry = SourceRegistry(own, ["BTC", "ETH"], read_keys(ENVIRONMENT))
    assert (
        made(registry) == list(registry.enabled) == ["fear_greed", "reddit", "x", "coin_metrics", "futures"]
    )


@pytest.mark.parametrize(("name", "missing"), [("reddit", "CLIENT_SECRET"), ("x", "ADAPTIVE_X_BEARER_TOKEN")])
def test_a_source_without_its_key_is_refused_at_the_start(name, missing):
    with pytest.raises(SettingsError, match=rf"sources\.{name}\.enabled.*{missing}"):
        SourceRegistry(settings(**{name: {"enabled": True}}), ["BTC"], read_keys({missing: ""}))


def test_texts_that_cannot_be_read_are_told_at_the_start(monkeypatch):
    monkeypatch.setitem(sys.modules, "vaderSentiment.vaderSentiment", None)
    with pytest.raises(SourceError, match="install vaderSentiment"):
        SourceRegistry(settings(x={"enabled": True}), ["BTC"], read_keys(ENVIRONMENT))
    assert made(SourceRegistry(settings(), ["BTC"], SourceKeys()))


def test_keys_are_trimmed_whole_and_never_shown():
    keys = read_keys(ENVIRONMENT)
    assert keys.reddit.client_id == "id"
    assert "reddit-secret" not in repr(keys) and "x-secret" not in repr(keys)
    assert read_keys({**ENVIRONMENT, "ADAPTIVE_REDDIT_CLIENT_ID": ""}).reddit is None
