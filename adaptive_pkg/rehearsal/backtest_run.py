"""freqtrade's own backtest of the span a live bot has just traded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.rehearsal.bot_config import RULES, write_configs
from adaptive_pkg.rehearsal.fast_time import RehearsalError
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.joined_candles import join_missing
from adaptive_pkg.simulator.venue import LoopbackVenue


def backtest_trades(
    folder: Path,
    datadir: Path,
    start: datetime,
    end: datetime,
    pairs: Sequence[str],
    timeframe: str,
    length: timedelta,
    *,
    config: Iterable[str | Path],
    config_extra: Mapping[str, Any],
    wallet: float,
    project: Path,
) -> list[dict[str, Any]]:
    """Trades of `freqtrade backtesting` with protections, first entries possible at `start`.

    Raises:
        RehearsalError: the backtest fails. Its output is in `folder`/backtest.out.
    """
    from freqtrade.data.btanalysis import load_backtest_data

    folder, project = Path(folder).resolve(), Path(project).resolve()
    store = CandleStore(Path(datadir).resolve())
    joined = join_missing(store, pairs, HIGHER_TIMEFRAMES, folder / "candles")
    own = {
        "timeframe": timeframe,
        "user_data_dir": str(folder / "user_data"),
        "dry_run_wallet": wallet,
        "exchange": {"pair_whitelist": list(pairs)},
        "adaptive": dict(RULES),
    }
    with LoopbackVenue(store, pairs) as venue:
        paths = write_configs(
            folder, {"backtest": own, "extra": config_extra, "venue": venue.overlay(config_extra)}
        )
        # freqtrade drops the first candle of a span, for nobody saw the signal before it
        span = f"{round((start - length).timestamp())}-{round(end.timestamp())}"
        argv = [sys.executable, "-m", "freqtrade", "backtesting", "--timerange", span]
        for path in [*(str((project / name).resolve()) for name in config), *paths]:
            argv += ["--config", path]
        argv += ["--strategy", "AdaptiveGRU", "--strategy-path", str(project / "user_data/strategies")]
        argv += ["--datadir", str(joined), "--enable-protections", "--export", "trades", "--cache", "none"]
        output = folder / "backtest.out"
        with output.open("w") as file:
            code = subprocess.run(argv, stdout=file, stderr=subprocess.STDOUT, cwd=folder).returncode
    if code:
        raise RehearsalError(f"the backtest ended with {code}; see {output}:\n{output.read_text()[-1500:]}")
    trades = load_backtest_data(folder / "user_data/backtest_results", "AdaptiveGRU")
    if trades.empty:  # and then without columns
        return []
    return trades.sort_values(["open_date", "pair"]).to_dict("records")
