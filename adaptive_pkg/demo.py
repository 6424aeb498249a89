"""The demo: a synthetic market with known regimes, a real backtest of AdaptiveGRU, and what came out."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pandas as pd
from rich.table import Table

from adaptive_pkg.enums import Regime
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.market.regime import MarketRegimeDetector
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.offline import run_offline
from adaptive_pkg.reports import report_console
from adaptive_pkg.reports.backtest import report_backtest
from adaptive_pkg.settings import load_settings
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_markets

CONFIG = Path("user_data/config.json")
PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
TIMEFRAME = "1h"
TRAIN_DAYS = 120
BACKTEST_DAYS = 84
RETRAIN_DAYS = 7
IDENTIFIER = "adaptive-gru-demo"


def run_demo(workdir: Path, seed: int, json_path: Path | None) -> int:
    """Build the market in `workdir`, backtest with FreqAI, print the tables; return freqtrade's status."""
    from freqtrade.configuration.load_config import load_from_files

    console = report_console()
    settings = load_settings(load_from_files([str(CONFIG)]))
    start = pd.Timestamp("2023-01-01", tz="UTC")
    warm_up = math.ceil(startup_candles(settings.indicators) * timeframe_hours(TIMEFRAME) / 24) + 1
    first_backtest = start + pd.Timedelta(days=TRAIN_DAYS + warm_up)
    end = first_backtest + pd.Timedelta(days=BACKTEST_DAYS)
    candles = int((end - start) / pd.Timedelta(TIMEFRAME))
    console.print(
        f"Building a synthetic market: {', '.join(PAIRS)}, {candles} candles of {TIMEFRAME}, seed {seed}."
    )
    frames = simulate_markets(PAIRS, candles=candles, seed=seed, timeframe=TIMEFRAME, start=start)
    datadir = workdir / "data" / "binance"
    write_candles(frames, datadir, TIMEFRAME, also=HIGHER_TIMEFRAMES)
    _print_market(frames, settings, console)

    overlay = workdir / "demo.json"
    overlay.write_text(
        json.dumps(
            {
                "exchange": {"pair_whitelist": list(PAIRS)},
                "freqai": {
                    "identifier": IDENTIFIER,
                    "train_period_days": TRAIN_DAYS,
                    "backtest_period_days": RETRAIN_DAYS,
                },
            },
            indent=2,
        )
    )
    # the demo's own models only: predictions of an earlier seed must not answer for this one
    shutil.rmtree(Path("user_data/models") / IDENTIFIER, ignore_errors=True)
    timerange = f"{first_backtest:%Y%m%d}-{end:%Y%m%d}"
    trainings = len(PAIRS) * BACKTEST_DAYS // RETRAIN_DAYS
    console.print(
        f"Backtesting {timerange}: the GRU is trained {trainings} times on the {TRAIN_DAYS} days before.\n"
    )
    status = run_offline(
        ["backtesting", "--timerange", timerange, "--cache", "none", "--breakdown", "month"],
        datadir=datadir,
        config_paths=[CONFIG, overlay],
    )
    if status:
        return status
    config = load_from_files([str(CONFIG), str(overlay)])
    console.print()
    report_backtest(None, datadir, config, json_path)
    console.print(
        "The market is made up and easier to forecast than a real one: these figures show that the parts "
        "work together, not that they earn money. For real candles see the README."
    )
    return 0


def _print_market(frames: dict[str, pd.DataFrame], settings, console) -> None:
    """Known regimes beside what the detector reports: share of the time, and how often it agrees."""
    table = Table("pair", "regime", "true share", "reported share", "agreement", title="the market's regimes")
    for pair, frame in frames.items():
        candles = frame.drop(columns="regime")
        codes = (
            MarketRegimeDetector(settings.regime)
            .detect(compute_indicators(candles, settings.indicators))
            .codes
        )
        for regime in Regime:
            true, reported = frame["regime"] == regime, codes == regime.code
            agreement = f"{100 * (true.to_numpy() & reported).sum() / max(true.sum(), 1):.0f} %"
            table.add_row(
                pair, str(regime), f"{100 * true.mean():.0f} %", f"{100 * reported.mean():.0f} %", agreement
            )
    console.print(table)
