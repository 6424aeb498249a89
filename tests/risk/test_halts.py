"""What freqtrade's protections are told to watch (that they really halt: tests/strategies/test_halts.py)."""

import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.risk.halts import halt_protections
from adaptive_pkg.settings import PortfolioSettings


def by_loss(halts):
    return {halt["max_allowed_drawdown"]: halt for halt in halts if halt["method"] == "MaxDrawdown"}


def test_a_lost_day_costs_a_day_and_a_lost_week_what_the_settings_say():
    settings = PortfolioSettings(daily_loss=0.02, drawdown_halt=0.1, drawdown_halt_candles=60)
    day, week = by_loss(halt_protections(settings, 24))[0.02], by_loss(halt_protections(settings, 24))[0.1]
    assert (day["lookback_period_candles"], day["stop_duration_candles"]) == (24, 24)
    assert (week["lookback_period_candles"], week["stop_duration_candles"]) == (168, 60)
    # a share of equity: freqtrade's "ratios" adds up the trades' own percentages, whatever their size
    assert day["calculation_mode"] == week["calculation_mode"] == "equity"


@pytest.mark.parametrize("candles_per_day", [1, 6, 24, 288])
def test_a_day_is_a_day_on_every_timeframe(candles_per_day):
    guard, day, week = sorted(
        halt_protections(PortfolioSettings(), candles_per_day), key=lambda h: h.get("max_allowed_drawdown", 0)
    )
    assert guard["method"] == "StoplossGuard"
    assert guard["lookback_period_candles"] == day["lookback_period_candles"] == candles_per_day
    assert week["lookback_period_candles"] == 7 * candles_per_day
    assert all(halt["stop_duration_candles"] >= 1 for halt in (guard, day, week))


@pytest.mark.parametrize("candles", [1, 12, 20, 24, 48, 9_000])
def test_the_longest_halt_comes_last_whatever_its_length(candles):
    """Of several that begin at one exit, freqtrade tells Telegram only the last."""
    halts = halt_protections(PortfolioSettings(drawdown_halt_candles=candles), 24)
    lengths = [halt["stop_duration_candles"] for halt in halts]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("bad", [0, -1])
def test_candles_longer_than_a_day_have_no_daily_halt(bad):
    with pytest.raises(SettingsError, match="candles_per_day"):
        halt_protections(PortfolioSettings(), bad)
