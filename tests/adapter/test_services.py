"""What lives beside the strategy begins, lives and ends with it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from adaptive_pkg.adapter.services import Services, coin_of
from adaptive_pkg.adapter.trade_desk import TradeDesk
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.market.closed_candles import ClosedCandles
from adaptive_pkg.risk.planner import CANDLE_COLUMNS, EntryPlanner
from adaptive_pkg.settings import load_settings

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9"  # nobody listens


@pytest.fixture
def make(tmp_path):
    made = []

    def services(**adaptive):
        sources = {
            "enabled": True, "path": str(tmp_path / "s.sqlite"), "fear_greed": {"url": NOWHERE},
            "coin_metrics": {"enabled": False}, "futures": {"enabled": False},
        } | adaptive.pop("sources", {})  # fmt: skip
        settings = load_settings(
            {
                "adaptive": {
                    "components": {"market_gate": False},
                    "journal": {"path": str(tmp_path / "j.sqlite")},
                    "sources": sources,
                    **adaptive,
                }
            }
        )
        desk = TradeDesk(EntryPlanner(settings), ClosedCandles(CANDLE_COLUMNS, 3600))
        made.append((Services(settings, desk, "1h", 3600), settings))
        return made[-1]

    yield services
    for one, _ in made:
        one.end()


@pytest.fixture
def bot():
    """A bot's parts as far as they are asked: a dry run with two pairs and no exchange of its own."""
    told = []
    dp = SimpleNamespace(
        runmode=SimpleNamespace(value="dry_run"), current_whitelist=lambda: ["BTC/USDT", "ETH/USDT"],
        market=lambda pair: None, send_msg=lambda text, **_: told.append(text), _exchange=None,
    )  # fmt: skip
    return SimpleNamespace(dp=dp, told=told)


def pollers():
    return [thread for thread in threading.enumerate() if thread.name == "source-keeper"]


def test_a_backtest_has_no_guard_and_asks_nobody(make):
    services, settings = make()
    services.begin("backtest", {}, settings)
    services.beat({}, None, NOW, [])
    assert services.guard is None and not pollers()


def test_while_trading_it_is_guarded_and_asks_and_after_the_end_nothing_is_left(make, bot):
    services, settings = make()
    services.begin("dry_run", {}, settings)
    services.trade(bot.dp, None, lambda **_: [], [], environment={})
    assert services.guard is not None and len(pollers()) == 1
    services.beat({}, bot.dp, NOW, [])
    services.end()
    assert not pollers()


def test_sources_that_are_off_are_never_asked(make, bot):
    services, settings = make(sources={"enabled": False})
    services.begin("dry_run", {}, settings)
    services.trade(bot.dp, None, lambda **_: [], [], environment={})
    assert not pollers()
    frame = object()
    assert services.outside_data(frame, "BTC/USDT") is frame


def test_a_source_without_its_key_stops_the_start(make, bot):
    services, settings = make(sources={"x": {"enabled": True}})
    services.begin("dry_run", {}, settings)
    with pytest.raises(SettingsError, match="ADAPTIVE_X_BEARER_TOKEN"):
        services.trade(bot.dp, None, lambda **_: [], [], environment={})


def test_a_store_that_cannot_be_opened_stops_the_start(make, tmp_path):
    (tmp_path / "s.sqlite").write_text("no database at all, but long enough to be read as a file" * 20)
    services, settings = make()
    with pytest.raises(DataError, match=r"s\.sqlite"):
        services.begin("backtest", {}, settings)


@pytest.mark.parametrize(("error", "counts"), [(DataError("no candles"), 0), (ZeroDivisionError("ours"), 1)])
def test_only_a_defect_of_ours_counts_for_the_breaker(make, bot, error, counts):
    services, settings = make()
    services.begin("dry_run", {}, settings)
    services.trade(bot.dp, None, lambda **_: [], [], environment={})
    services.failed("BTC/USDT", "long", error, NOW)
    assert services.guard.breaker.failures == counts


def test_a_coin_is_what_a_pair_trades():
    assert [coin_of(pair) for pair in ("BTC/USDT", "ETH/USDT:USDT")] == ["BTC", "ETH"]


@pytest.mark.parametrize("broken", ["guard.close", "_sources.stop", "journal.close"])
def test_every_part_is_ended_whatever_another_raises(make, bot, monkeypatch, broken):
    services, settings = make()
    services.begin("dry_run", {}, settings)
    services.trade(bot.dp, None, lambda **_: [], [], environment={})
    ended = []

    def ends(name, end):
        def close():
            ended.append(name)
            end()
            if name == broken:
                raise OSError("the disk is full")

        return close

    with monkeypatch.context() as patched:
        for name in ("guard.close", "_sources.stop", "journal.close"):
            part, _, method = name.partition(".")
            owner = getattr(services, part)
            patched.setattr(owner, method, ends(name, getattr(owner, method)))
        with pytest.raises(OSError, match="the disk is full"):
            services.end()
    assert ended == ["guard.close", "_sources.stop", "journal.close"]
    assert not pollers()


def test_the_store_of_outside_data_lies_in_freqtrades_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load_settings({"adaptive": {"sources": {"enabled": True}}})
    desk = TradeDesk(EntryPlanner(settings), ClosedCandles(CANDLE_COLUMNS, 3600))
    services = Services(settings, desk, "1h", 3600)
    services.begin("backtest", {"user_data_dir": tmp_path / "bot"}, settings)
    services.end()
    assert (tmp_path / "bot" / "sources.sqlite").is_file()
    assert list((tmp_path / "elsewhere").iterdir()) == []
