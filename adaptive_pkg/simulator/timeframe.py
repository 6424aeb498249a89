"""How long a candle is, in freqtrade's and Binance's notation."""

from adaptive_pkg.errors import SettingsError


def timeframe_hours(timeframe: str) -> float:
    """Length of a candle in hours. Raises SettingsError for an unknown notation."""
    units = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}
    number, unit = timeframe[:-1], timeframe[-1:]
    if unit not in units or not number.isdigit() or int(number) == 0:
        raise SettingsError(f"timeframe: {timeframe!r} is not a number with m, h, d or w, such as 5m or 1h")
    return int(number) * units[unit]
