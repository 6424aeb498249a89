"""One backtest to be made, and what it left behind: plain values that travel between machines and files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.conditions import SAMPLE, STRATEGY, Conditions, code_digest
from adaptive_pkg.forecast.fingerprint import canonical, fingerprint
from adaptive_pkg.settings import load_settings

FORMAT = 1
# of a closed trade, as freqtrade reports it, and what the strategy knew when it was opened
TRADE_COLUMNS = (
    *("pair", "open_date", "close_date", "open_rate", "close_rate", "amount", "stake_amount"),
    *("max_stake_amount", "fee_open", "fee_close", "profit_ratio", "profit_abs", "enter_tag", "exit_reason"),
    *("min_rate", "max_rate", "leverage", "is_short", "orders", "turnover"),
    *("confidence", "atr", "initial_stop", "final_stop", "target_price"),
)
_TEXTS = {"pair", "enter_tag", "exit_reason"}
_DATES = {"open_date", "close_date"}
NUMBERS = tuple(name for name in TRADE_COLUMNS if name not in {*_TEXTS, *_DATES, "is_short"})
DAILY_COLUMNS = ("equity", "exposure", "open_trades")


@dataclass(frozen=True)
class StrategyJob:
    """One backtest.

    Args:
        pairs: traded together, from one wallet.
        start, end: traded span [start, end), midnights, UTC. Indicators warm up before it.
        adaptive: settings laid over the conditions' own, e.g. {"components": {"kelly": False}}.
        cost_multiple: on fee and slippage.
        strategy: the bundle's, or freqtrade's sample.
    """

    pairs: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp
    adaptive: Mapping[str, Any] = field(default_factory=dict)
    cost_multiple: float = 1.0
    strategy: str = STRATEGY

    def __post_init__(self) -> None:
        if not self.pairs or len(set(self.pairs)) < len(self.pairs):
            raise SettingsError(f"pairs: {', '.join(self.pairs) or 'none'}; name at least one, each once")
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment.tzinfo is None or moment != moment.tz_convert("UTC").normalize():
                raise SettingsError(f"{name}: {moment} is not a midnight in UTC; give a day")
        if self.end <= self.start:
            raise SettingsError(f"end: {self.end:%Y-%m-%d} is not after start ({self.start:%Y-%m-%d})")
        if self.strategy not in (STRATEGY, SAMPLE):
            raise SettingsError(f"strategy: {self.strategy!r} is neither {STRATEGY} nor {SAMPLE}")
        if not np.isfinite(self.cost_multiple) or self.cost_multiple < 0:
            raise SettingsError(f"cost_multiple: {self.cost_multiple!r}; give a number of at least 0")

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def work(self) -> int:
        """Pair days: what its time is roughly proportional to."""
        return self.days * len(self.pairs)

    def inputs(self, conditions: Conditions) -> dict[str, Any]:
        """Everything the result follows from. Raises DataError for a pair without candles."""
        return {
            "format": FORMAT,
            "conditions": conditions.digest,
            "candles": {pair: conditions.candles_digest(pair, self.end) for pair in self.pairs},
            "span": [str(self.start.date()), str(self.end.date())],
            # the sample knows none of these settings
            "adaptive": self.adaptive if self.strategy == STRATEGY else {},
            "cost_multiple": float(self.cost_multiple),
            "strategy": self.strategy,
        }

    def laid_over(self, conditions: Conditions) -> dict[str, Any]:
        """The block `adaptive` of its configuration: the job's settings over the conditions' own."""
        from freqtrade.misc import deep_merge_dicts

        return deep_merge_dicts(
            deepcopy(dict(self.adaptive)), deepcopy(dict(conditions.config.get("adaptive", {})))
        )

    def forecast_id(self, conditions: Conditions) -> str:
        """Name of the forecasts that the job reads; jobs that differ in rules, sizes or stops share them."""
        indicators = load_settings({"adaptive": self.laid_over(conditions)}).indicators
        reads = {
            "conditions": [conditions.config["freqai"], conditions.models, code_digest(True)],
            "candles": {pair: conditions.candles_digest(pair, self.end) for pair in self.pairs},
            "indicators": asdict(indicators),  # and with them the candles read before the span
            "start": str(self.start.date()),
        }
        return f"lab-{fingerprint(reads)}"

    def key(self, conditions: Conditions) -> str:
        """Fingerprint of `inputs`; the same for the same result."""
        return fingerprint(self.inputs(conditions))


@dataclass(frozen=True)
class JobResult:
    """What a backtest left behind.

    Attributes:
        trades: one row a closed trade, `TRADE_COLUMNS`, by close date. confidence, atr (price), initial_stop
            and target_price are those of the entry, NaN where the strategy has none; final_stop is where the
            stop stood at the end; turnover is the value of all its orders.
        daily: index midnights UTC from start to end; equity (money, positions at the market; the last row
            after every position is closed), exposure (mean share of equity in positions during the day that
            ends there, NaN in the first row), open_trades (mean number, likewise).
        counts: freqtrade's, such as rejected_signals; warnings of the strategy by text.
    """

    trades: pd.DataFrame
    daily: pd.DataFrame
    counts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def equity(self) -> pd.Series:
        return self.daily["equity"]

    @property
    def returns(self) -> pd.Series:
        """(days,) simple daily returns, by the day they were made on."""
        equity = self.daily["equity"]
        made = equity.iloc[1:].to_numpy() / equity.iloc[:-1].to_numpy() - 1.0
        return pd.Series(made, index=equity.index[:-1], name="return")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: numbers come back bit for bit, NaN as null."""
        return {
            "trades": {name: _plain(self.trades[name]) for name in TRADE_COLUMNS},
            "dates": _plain(self.daily.index.to_series()),
            "daily": {name: _plain(self.daily[name]) for name in DAILY_COLUMNS},
            "counts": dict(self.counts),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> JobResult:
        """Raises DataError for values that are no result."""
        try:
            columns = {name: _column(name, values["trades"][name]) for name in TRADE_COLUMNS}
            index = pd.DatetimeIndex(_moments(values["dates"]), name="date")
            daily = pd.DataFrame(
                {name: np.array(values["daily"][name], dtype=float) for name in DAILY_COLUMNS}, index=index
            )
            return cls(trade_table(columns), daily, dict(values["counts"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"not a result of a backtest ({error!r}); make it again") from None

    @property
    def digest(self) -> str:
        """Hash of every number in it: equal for results that are the same bit for bit."""
        return hashlib.sha256(canonical(self.to_dict()).encode()).hexdigest()


def _plain(series: pd.Series) -> list:
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return series.astype("datetime64[s, UTC]").astype("int64").tolist()
    return [None if value is None or value != value else value for value in series.tolist()]


def _moments(seconds: list) -> pd.Series:
    return pd.to_datetime(pd.Series(seconds, dtype="int64"), unit="s", utc=True).dt.as_unit("s")


def _column(name: str, values: list) -> Any:
    if name in _DATES:
        return _moments(values)
    return [np.nan if value is None else value for value in values] if name in NUMBERS else values


def trade_table(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Trades with the type that each column of `TRADE_COLUMNS` has, also when there are none."""
    table = pd.DataFrame(columns, columns=list(TRADE_COLUMNS))
    for name in TRADE_COLUMNS:
        if name in _DATES:
            table[name] = pd.to_datetime(table[name], utc=True).dt.as_unit("s")
        else:
            table[name] = table[name].astype(
                "str" if name in _TEXTS else bool if name == "is_short" else float
            )
    return table
