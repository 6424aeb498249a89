"""What every backtest of an evaluation shares: the candles, the user's configuration, the code, the costs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

import adaptive_pkg
from adaptive_pkg.adapter.parameters import parameters
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.forecast.fingerprint import fingerprint
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.settings import load_settings
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.joined_candles import join_missing
from adaptive_pkg.simulator.markets import market_of
from adaptive_pkg.simulator.tape import Tape

STRATEGY = "AdaptiveGRU"
SAMPLE = "SampleStrategy"  # freqtrade's own template
FEE, SLIPPAGE = 0.001, 0.0005  # fractions of an order's value, one side

# of a configuration: what decides no trade of a backtest, or is nobody else's business
_IRRELEVANT = {
    *("$schema", "api_server", "telegram", "webhook", "discord", "bot_name", "db_url", "initial_state"),
    *("force_entry_enable", "internals", "logfile", "log_config", "verbosity", "external_message_consumer"),
    *("datadir", "user_data_dir", "strategy_path", "freqaimodel_path", "recursive_strategy_search", "export"),
    *("exportfilename", "fee", "timerange", "pairs", "strategy", "strategy_list", "dry_run", "config_files"),
    *("original_config", "backtest_cache", "pairlists", "add_config_files"),
}
_SECRET = {"key", "secret", "password", "uid", "pair_whitelist", "walletAddress", "privateKey", "accountId"}
# a strategy with hyperopt parameters cannot be started without the block, even when it is switched off
_NO_FORECAST = {
    "enabled": False,
    "identifier": "none",
    "train_period_days": 0,
    "backtest_period_days": 7,
    "feature_parameters": {
        "include_timeframes": ["1h"],
        "include_corr_pairlist": [],
        "label_period_candles": 12,
        "include_shifted_candles": 0,
        "indicator_periods_candles": [14],
    },
    "data_split_parameters": {},
}
# the rooms that decide a trade; the others only show, serve or measure
_ROOMS = ("settings", "market", "policy", "risk", "adapter")
_FORECAST_ROOMS = ("forecast", "freqai")
_ALSO = ("enums.py", "forecast/targets.py", "simulator/markets.py")
_HERE = ("conditions.py", "jobs.py", "backtester.py", "quick_drawdown.py", "wallet.py")
_LIBRARIES = ("freqtrade", "ccxt", "pandas", "numpy", "TA-Lib", "technical")


@dataclass(frozen=True)
class Conditions:
    """The same for every job of an evaluation. Picklable; a worker on another machine needs nothing else.

    Args:
        datadir: folder of candle files, with every timeframe the strategy reads; at the same path on all
            machines.
        config: what of the user's configuration decides trades.
        sources: strategy → its source text. models: FreqAI model → its source text.
        predictions: folder in which FreqAI keeps what its models predicted, for all jobs.
        fee, slippage: of one side, fractions of the order's value; slippage is charged as a fee.
    """

    datadir: Path
    config: Mapping[str, Any]
    sources: Mapping[str, str] = field(repr=False)
    fee: float = FEE
    slippage: float = SLIPPAGE
    models: Mapping[str, str] = field(default_factory=dict, repr=False)
    predictions: Path | None = None

    def __post_init__(self) -> None:
        for name in ("fee", "slippage"):
            if not 0.0 <= getattr(self, name) < 0.1:
                raise SettingsError(
                    f"{name}: {getattr(self, name)!r}; give a fraction of an order's value, such as 0.001"
                )

    @property
    def timeframe(self) -> str:
        return str(self.config.get("timeframe", "1h"))

    @property
    def uses_forecast(self) -> bool:
        return bool(self.config.get("freqai", {}).get("enabled"))

    def cost(self, multiple: float = 1.0) -> float:
        """What one side of a trade costs, a fraction of its value."""
        return (self.fee + self.slippage) * multiple

    @cached_property
    def store(self) -> CandleStore:
        return CandleStore(self.datadir)

    @cached_property
    def digest(self) -> str:
        """Hash of all that jobs share but the candles, of which each job reads its own part."""
        shared = {"config": self.config, "fee": self.fee, "slippage": self.slippage}
        sources = {"sources": self.sources, "models": self.models}
        return fingerprint({**shared, **sources, "code": code_digest(self.uses_forecast)})

    def timeframes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.timeframe, *HIGHER_TIMEFRAMES]))

    def candles_digest(self, pair: str, end: pd.Timestamp) -> str:
        """Hash of a pair's candles before `end`. Raises DataError where it has none."""
        paths = [self.store.require(pair, timeframe) for timeframe in self.timeframes()]
        marks = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
        return _candles_digest(self.datadir, pair, self.timeframes(), end, marks)


def read_conditions(
    datadir: Path,
    config: Mapping[str, Any],
    pairs: Sequence[str],
    *,
    shelf: Path,
    user_data: Path = Path("user_data"),
    fee: float = FEE,
    slippage: float = SLIPPAGE,
) -> Conditions:
    """Collect what an evaluation of the user's strategy needs; candles of 4h and 1d are joined if missing.

    Args:
        config: the merged configuration files. pairs: those to be traded. shelf: where joined candles go.
        user_data: freqtrade's folder, in which the strategy lies. A hyperopt result beside it counts as part
            of the settings.

    Raises:
        DataError: no candle folder, a pair without candles, no strategy. SettingsError: futures, or a setting
            that does not parse.
    """
    if config.get("trading_mode", "spot") != "spot":
        raise SettingsError(f"trading_mode: {config['trading_mode']!r}; the evaluation trades spot only")
    store = CandleStore(datadir)
    timeframe = str(config.get("timeframe", "1h"))
    hours = timeframe_hours(timeframe)
    if hours > 24 or 24 % hours:
        raise SettingsError(f"timeframe: {timeframe!r} does not divide a day; the equity is read daily")
    for pair in pairs:
        store.require(pair, timeframe)
    strategy = Path(user_data) / "strategies" / f"{STRATEGY}.py"
    try:
        own = strategy.read_text()
    except OSError:
        raise DataError(f"{strategy}: no strategy there; run the command from the bundle's folder") from None
    kept = _relevant(config)
    kept["adaptive"] = _with_hyperopt_result(kept.get("adaptive", {}), strategy.with_suffix(".json"))
    load_settings(kept)  # a bad value is better told now than by every worker
    folder = join_missing(store, pairs, HIGHER_TIMEFRAMES, Path(shelf))
    sources = {STRATEGY: own, SAMPLE: _sample_source()}
    models = {}
    if kept["freqai"]["enabled"]:
        models = {path.stem: path.read_text() for path in (Path(user_data) / "freqaimodels").glob("*.py")}
        if str(kept.get("freqaimodel")) not in models:
            raise SettingsError(
                f"freqaimodel: {kept.get('freqaimodel')!r} is none of {', '.join(sorted(models)) or 'none'}, "
                f"which lie in {Path(user_data) / 'freqaimodels'}; name one, or switch freqai off"
            )
    predictions = (Path(shelf) / "forecasts").resolve()
    return Conditions(Path(folder).resolve(), kept, sources, fee, slippage, models, predictions)


def _relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in _IRRELEVANT}
    if not kept.get("freqai", {}).get("enabled"):
        kept["freqai"] = _NO_FORECAST
        kept.pop("freqaimodel", None)
    kept["exchange"] = {k: v for k, v in kept.get("exchange", {}).items() if k not in _SECRET}
    return json.loads(json.dumps(kept, default=str))


def _with_hyperopt_result(adaptive: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Lay the parameters that a hyperopt has written beside the strategy over the settings."""
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in adaptive.items()}
    if path.is_file():
        try:
            found = json.loads(path.read_text())["params"]
            values = {
                (section, name): found[space][name]
                for space, section, name in parameters()
                if name in found.get(space, {})
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"{path}: not a hyperopt result ({error}); repair or delete it") from None
        for (section, name), value in values.items():
            merged.setdefault(section, {})[name] = value
    return merged


def _sample_source() -> str:
    import freqtrade.templates

    return (Path(freqtrade.templates.__path__[0]) / "sample_strategy.py").read_text()


@cache
def code_digest(forecast: bool = False) -> str:
    """Hash of the code and the libraries that decide a trade: another release never answers for this one."""
    root = Path(adaptive_pkg.__file__).parent
    rooms = _ROOMS + _FORECAST_ROOMS * forecast
    paths = {path for room in rooms for path in (root / room).rglob("*.py")}
    paths |= {root / name for name in _ALSO} | {Path(__file__).with_name(name) for name in _HERE}
    known = hashlib.sha256(repr([version(name) for name in _LIBRARIES]).encode())
    for path in sorted(paths):
        known.update(path.read_bytes())
    return known.hexdigest()[:12]


@cache
def _candles_digest(
    datadir: Path, pair: str, timeframes: tuple[str, ...], end: pd.Timestamp, marks: tuple
) -> str:
    store, known = CandleStore(datadir), hashlib.sha256()
    market = market_of(pair, Tape(store, pair))  # the steps of price and amount follow from the candles
    known.update(repr((market.tick, market.lot)).encode())
    for timeframe in timeframes:
        frame = store.load(pair, timeframe, end=end)
        known.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return known.hexdigest()[:16]
