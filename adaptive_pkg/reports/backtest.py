"""The report `adaptive summary`: a backtest by regime, and the forecast beside persistence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.reports import report_console
from adaptive_pkg.reports.forecast import score_predictions
from adaptive_pkg.settings import load_settings

ALL = "all"


@dataclass(frozen=True)
class RegimeResult:
    """What one regime's trades did, after fees. `regime` is `ALL` for the sum of them."""

    regime: str
    trades: int
    win_rate_pct: float
    profit_factor: float  # inf without a losing trade
    expectancy_abs: float  # stake currency per trade
    mean_profit_pct: float  # of the stake
    mean_profit_pct_ci95: float  # half-width of the 95 % interval of that mean
    total_profit_abs: float


def results_by_regime(trades: pd.DataFrame) -> list[RegimeResult]:
    """Group closed trades by the regime their entry tag names; tags of others count under `ALL` only.

    Args:
        trades: columns enter_tag, profit_abs (stake currency), profit_ratio (of the stake), after fees.
    """
    regimes = [regime_of_tag(tag) for tag in trades["enter_tag"]]
    groups = [(str(regime), [found is regime for found in regimes]) for regime in Regime]
    groups.append((ALL, [True] * len(trades)))
    return [_result(name, trades[np.array(mask, dtype=bool)]) for name, mask in groups]


def _result(name: str, trades: pd.DataFrame) -> RegimeResult:
    n = len(trades)
    if n == 0:
        return RegimeResult(name, 0, *[float("nan")] * 5, 0.0)
    profit, ratio = trades["profit_abs"], 100.0 * trades["profit_ratio"]
    gains, losses = profit[profit > 0].sum(), -profit[profit < 0].sum()
    return RegimeResult(
        regime=name,
        trades=n,
        win_rate_pct=100.0 * float((profit > 0).mean()),
        profit_factor=float(gains / losses) if losses else float("inf"),
        expectancy_abs=float(profit.mean()),
        mean_profit_pct=float(ratio.mean()),
        mean_profit_pct_ci95=1.96 * float(ratio.std(ddof=1)) / n**0.5 if n > 1 else float("nan"),
        total_profit_abs=float(profit.sum()),
    )


def report_backtest(
    result: Path | None, datadir: Path, config: Mapping[str, Any], json_path: Path | None
) -> int:
    """Print what each regime earned in a freqtrade backtest result, and the forecast's error if there is one.

    Args:
        result: result zip; None: the newest in user_data/backtest_results.
        datadir: candles that the backtest ran on.
        config: the configuration it ran with (identifier, timeframe, horizon).

    Raises:
        DataError: no result, no candles, or no predictions where FreqAI was on.
    """
    from freqtrade.data.btanalysis import load_backtest_data, load_backtest_stats

    folder = Path(config.get("user_data_dir", "user_data"))
    source = result or folder / "backtest_results"
    if not source.exists():
        raise DataError(f"{source}: no backtest result there; run `freqtrade backtesting` first")
    stats = load_backtest_stats(source)
    name, strategy = next(iter(stats["strategy"].items()))
    trades = load_backtest_data(source, name)
    console = report_console()
    by_regime = results_by_regime(trades) if len(trades) else []
    currency = strategy["stake_currency"]
    _print_regimes(by_regime, name, currency, console)
    figures: dict[str, Any] = {
        "strategy": name,
        "stake_currency": currency,
        "backtest_start": strategy["backtest_start"],
        "backtest_end": strategy["backtest_end"],
        "profit_total_pct": 100.0 * strategy["profit_total"],
        "market_change_pct": 100.0 * strategy["market_change"],
        "max_drawdown_account_pct": 100.0 * strategy.get("max_drawdown_account", float("nan")),
        "by_regime": [asdict(row) for row in by_regime],
    }
    if config.get("freqai", {}).get("enabled") and strategy.get("freqai_identifier"):
        forecast = score_predictions(
            folder / "models" / strategy["freqai_identifier"],
            datadir,
            strategy["pairlist"],
            strategy["timeframe"],
            horizon=int(config["freqai"]["feature_parameters"]["label_period_candles"]),
            start=pd.Timestamp(strategy["backtest_start"], tz="UTC"),
            end=pd.Timestamp(strategy["backtest_end"], tz="UTC"),
            indicators=load_settings(config).indicators,
        )
        forecast.render(console)
        figures["forecast"] = forecast.as_json()
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _print_regimes(rows: list[RegimeResult], strategy: str, currency: str, console: Console) -> None:
    table = Table(title=f"{strategy}: trades by regime at entry, after fees", box=box.SIMPLE)
    table.add_column("regime")
    for heading in (
        "trades", "win rate", "profit factor", f"expectancy {currency}", "mean profit %", f"total {currency}",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for row in rows:
        if row.trades == 0:
            table.add_row(row.regime, "0", *["–"] * 5)
            continue
        table.add_row(
            row.regime,
            str(row.trades),
            f"{row.win_rate_pct:.1f} %",
            f"{row.profit_factor:.2f}",
            f"{row.expectancy_abs:+.2f}",
            f"{row.mean_profit_pct:+.2f}" + (f" ± {row.mean_profit_pct_ci95:.2f}" if row.trades > 1 else ""),
            f"{row.total_profit_abs:+.2f}",
        )
    console.print(table)
