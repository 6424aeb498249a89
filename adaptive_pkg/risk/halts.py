"""Halts of the whole account after losses, for freqtrade's own protections to watch and to lock."""

from __future__ import annotations

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings import PortfolioSettings

_STOPS_IN_A_DAY = 4  # stop losses within a day after which all pairs rest for half a day


def halt_protections(settings: PortfolioSettings, candles_per_day: int) -> list[dict]:
    """What the strategy's `protections` returns: stop-loss guard, daily-loss halt and drawdown halt.

    Freqtrade reads them whenever a trade closes, so they see closed trades only: open losses are what the
    heat limit is for, and the worst day is about daily_loss + max_heat. "Daily" is the last 24 hours, and a
    trade that closes during a halt prolongs it. Shortest halt first: of several that begin at one exit,
    freqtrade reports the last.

    StoplossGuard counts freqtrade's own stop exits; a candle that opens beyond its stop leaves as
    "stop_passed" in a backtest and is not among them.

    Args:
        candles_per_day: 24 for "1h".

    Raises:
        SettingsError: a candle is longer than a day.
    """
    if candles_per_day < 1:
        raise SettingsError(
            f"candles_per_day: {candles_per_day!r}; a daily-loss halt needs candles of a day or less"
        )
    halts = [
        {
            "method": "StoplossGuard",
            "lookback_period_candles": candles_per_day,
            "trade_limit": _STOPS_IN_A_DAY,
            "stop_duration_candles": max(candles_per_day // 2, 1),
        },
        _loss_halt(candles_per_day, settings.daily_loss, candles_per_day),
        _loss_halt(7 * candles_per_day, settings.drawdown_halt, settings.drawdown_halt_candles),
    ]
    return sorted(halts, key=lambda halt: halt["stop_duration_candles"])


def _loss_halt(lookback: int, loss: float, duration: int) -> dict:
    return {
        "method": "MaxDrawdown",
        "calculation_mode": "equity",
        "lookback_period_candles": lookback,
        "trade_limit": 1,  # one trade that loses so much is reason enough
        "stop_duration_candles": duration,
        "max_allowed_drawdown": loss,
    }
