"""The report `adaptive regimes`: what the detector makes of the candles on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.market.regime import MarketRegimeDetector, RegimeFrame
from adaptive_pkg.market.statistics import RegimeStatistics, pooled_statistics, regime_statistics
from adaptive_pkg.settings import AdaptiveSettings

# What a day of trading would care about, in hours.
HORIZON_HOURS = 24
POOLED = "all pairs"


@dataclass(frozen=True)
class RegimeReport:
    """Statistics by pair, in the order reported; the pooled ones under `POOLED` when there are several."""

    timeframe: str
    settings: AdaptiveSettings
    first: dict[str, str]
    last: dict[str, str]
    statistics: dict[str, RegimeStatistics]


def report_regimes(
    datadir: Path,
    pairs: list[str] | None,
    timeframe: str,
    settings: AdaptiveSettings,
    json_path: Path | None,
    console: Console,
) -> int:
    """Print regime statistics per pair and pooled, and write them as JSON if asked. Returns 0.

    `datadir` holds freqtrade's feather files (`BTC_USDT-1h.feather`); `pairs` None means every pair of
    that timeframe found there. Gaps are filled as freqtrade fills them.

    Raises:
        DataError: no such folder or file, or unusable candles; names what is there instead.
    """
    report = build_report(datadir, pairs, timeframe, settings, console)
    render(report, console)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
        console.print(f"written: {json_path}")
    return 0


def build_report(
    datadir: Path, pairs: list[str] | None, timeframe: str, settings: AdaptiveSettings, console: Console
) -> RegimeReport:
    """Compute the report. Raises DataError."""
    files = find_candle_files(datadir, pairs, timeframe)
    detector = MarketRegimeDetector(settings.regime)
    series: list[tuple[pd.DataFrame, RegimeFrame]] = []
    statistics: dict[str, RegimeStatistics] = {}
    first, last = {}, {}
    horizon = 1
    for pair, path in track(list(files.items()), "judging candles", console=console, transient=True):
        candles = read_candles(path)
        need = startup_candles(settings.indicators)
        if len(candles) <= need:
            raise DataError(f"{path.name}: {len(candles)} candles; the indicators need more than {need}")
        step = (candles["date"].iloc[1] - candles["date"].iloc[0]).total_seconds() / 3600
        horizon = max(1, round(HORIZON_HOURS / step))
        try:
            regimes = detector.detect(compute_indicators(candles, settings.indicators))
        except DataError as error:
            raise DataError(f"{path.name}: {error}") from None
        judged = candles[["date", "close"]]
        statistics[pair] = regime_statistics(judged, regimes, horizon)
        series.append((judged, regimes))
        first[pair], last[pair] = (f"{candles['date'].iloc[row]:%Y-%m-%d}" for row in (0, -1))
    if len(series) > 1:
        statistics[POOLED] = pooled_statistics(series, horizon)
        first[POOLED], last[POOLED] = min(first.values()), max(last.values())
    return RegimeReport(timeframe, settings, first, last, statistics)


def find_candle_files(datadir: Path, pairs: list[str] | None, timeframe: str) -> dict[str, Path]:
    """Map pair to its feather file. Raises DataError naming what is missing and what is there."""
    if not datadir.is_dir():
        raise DataError(f"datadir: {datadir} is not a folder; give the folder that holds the feather files")
    found = {
        path.name.removesuffix(f"-{timeframe}.feather").replace("_", "/", 1): path
        for path in sorted(datadir.glob(f"*-{timeframe}.feather"))
    }
    if not found:
        others = sorted({path.stem.rsplit("-", 1)[-1] for path in datadir.glob("*.feather")})
        raise DataError(
            f"datadir: no *-{timeframe}.feather in {datadir}; timeframes there: {', '.join(others) or 'none'}"
        )
    if pairs is None:
        return found
    if missing := [pair for pair in pairs if pair not in found]:
        raise DataError(
            f"no {timeframe} candles of {', '.join(missing)} in {datadir}; there are: {', '.join(found)}"
        )
    return {pair: found[pair] for pair in pairs}


def read_candles(path: Path) -> pd.DataFrame:
    """Read one feather file and fill gaps with flat candles without volume, as freqtrade does.

    Raises:
        DataError: the file cannot be read, or its candles are not in order of time.
    """
    try:
        candles = pd.read_feather(path)
        dates = candles["date"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: not a feather file of candles ({error}); download it again") from None
    if len(candles) < 2:
        return candles
    if not dates.is_monotonic_increasing or not dates.is_unique:
        raise DataError(f"{path}: dates are not strictly increasing; download it again")
    step = dates.diff().median()
    full = pd.date_range(dates.iloc[0], dates.iloc[-1], freq=step, name="date")
    if len(full) == len(candles):
        return candles
    filled = candles.set_index("date").reindex(full)
    outage = ~full.isin(dates)
    close = filled["close"].ffill()
    for name in ("open", "high", "low", "close"):
        filled[name] = filled[name].where(~outage, close)
    filled["volume"] = filled["volume"].where(~outage, 0.0)
    return filled.reset_index()


def render(report: RegimeReport, console: Console) -> None:
    """Print two tables per pair: what each regime was, and what followed it when it ended."""
    limits = report.settings.regime
    console.print(
        f"[bold]Market regimes[/bold], {report.timeframe} candles, threshold set "
        f"[bold]{limits.threshold_set}[/bold]. Dwell is in candles. Forward: the next {HORIZON_HOURS} hours "
        "(volatility per candle); ± is one standard error that respects overlap and coins moving "
        "together. η² is the part of the variance of forward log volatility that the label explains."
    )
    for name, statistics in report.statistics.items():
        per_pair = " per pair" if name == POOLED else ""
        console.print(
            f"\n[bold]{name}[/bold]  {report.first[name]} – {report.last[name]}  "
            f"{statistics.candles:,} candles\n{statistics.switches_per_year:.0f} switches a year{per_pair}, "
            f"shortest dwell {statistics.shortest_dwell_candles} candles, "
            f"η² {statistics.eta_squared_volatility:.3f}",
            highlight=False,
        )
        console.print(_figures_table(statistics))
        console.print(_transition_table(statistics))


def _figures_table(statistics: RegimeStatistics) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("regime", no_wrap=True)
    for column in ("share\n%", "dwell\nmean", "dwell\nmedian", "stays\n%", "forward\nvolatility %"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("forward\nreturn %", justify="right", no_wrap=True)
    for row in statistics.regimes:
        table.add_row(
            row.regime,
            f"{100 * row.share:.1f}",
            _cell(row.mean_dwell_candles, ".1f"),
            _cell(row.median_dwell_candles, ".0f"),
            _cell(100 * row.stay_probability, ".1f"),
            _cell(row.forward_volatility_pct, ".3f", row.forward_volatility_error_pct),
            _cell(row.forward_return_pct, "+.3f", row.forward_return_error_pct),
        )
    return table


def _cell(value: float, form: str, error: float | None = None) -> str:
    """Format a figure, with its error if it has one; a dash where there is none (regime never seen)."""
    if not np.isfinite(value):
        return "–"
    return f"{value:{form}}" if error is None else f"{value:{form}} ± {error:.3f}"


def _transition_table(statistics: RegimeStatistics) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("when it ends, % to →", no_wrap=True)
    for regime in Regime:
        table.add_column(regime.replace("_", "\n"), justify="right", no_wrap=True)
    for row in statistics.regimes:
        cells = ["·" if other is row.regime else f"{100 * row.next_regime[other]:.0f}" for other in Regime]
        table.add_row(row.regime, *cells)
    return table


def as_json(report: RegimeReport) -> dict[str, Any]:
    """Return all printed figures, units in the key names; a figure that does not exist is null."""
    limits = report.settings.regime
    return {
        "timeframe": report.timeframe,
        "threshold_set": str(limits.threshold_set),
        "horizon_hours": HORIZON_HOURS,
        "pairs": {
            name: {
                "first_date": report.first[name],
                "last_date": report.last[name],
                "candles": statistics.candles,
                "horizon_candles": statistics.horizon_candles,
                "switches_per_year": _number(statistics.switches_per_year),
                "shortest_dwell_candles": statistics.shortest_dwell_candles,
                "eta_squared_forward_log_volatility": _number(statistics.eta_squared_volatility),
                "regimes": {
                    str(row.regime): {
                        "share_fraction": _number(row.share),
                        "mean_dwell_candles": _number(row.mean_dwell_candles),
                        "median_dwell_candles": _number(row.median_dwell_candles),
                        "stay_probability": _number(row.stay_probability),
                        "next_regime_probability": {
                            str(other): _number(value) for other, value in row.next_regime.items()
                        },
                        "forward_volatility_pct_per_candle": _number(row.forward_volatility_pct),
                        "forward_volatility_standard_error_pct": _number(row.forward_volatility_error_pct),
                        "forward_return_pct": _number(row.forward_return_pct),
                        "forward_return_standard_error_pct": _number(row.forward_return_error_pct),
                    }
                    for row in statistics.regimes
                },
            }
            for name, statistics in report.statistics.items()
        },
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
