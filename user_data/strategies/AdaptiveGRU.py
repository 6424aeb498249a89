"""AdaptiveGRU: reads the market's regime and trades it with that regime's preset.

This file only translates between freqtrade and `adaptive_pkg`: every rule and every formula lives there.
Freqtrade swallows exceptions in callbacks and falls back to trading on; the ones here log and refuse instead.
"""

import logging
from dataclasses import replace
from datetime import datetime

import numpy as np
from freqtrade.enums import RunMode
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import Trade
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy, stoploss_from_absolute
from pandas import DataFrame

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.forecast.targets import (
    LOG_VOLATILITY,
    RETURN_SIGMA,
    forecast_price,
    future_log_volatility,
    future_return_sigma,
)
from adaptive_pkg.market.closed_candles import ClosedCandles
from adaptive_pkg.market.features import forecast_features
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.market.levels import nearest_levels
from adaptive_pkg.market.regime import MarketRegimeDetector
from adaptive_pkg.policy.decision import Refusal, decide_entries, regime_of_tag
from adaptive_pkg.policy.signals import exit_signals
from adaptive_pkg.reports.chart import PLOT_CONFIG, regime_bands
from adaptive_pkg.risk.history import TradeHistory
from adaptive_pkg.risk.planner import CANDLE_COLUMNS, EntryPlanner
from adaptive_pkg.risk.stop_book import StopBook
from adaptive_pkg.risk.stop_plan import PLAN_KEY
from adaptive_pkg.risk.stops import StopPlan, StopState, is_passed
from adaptive_pkg.settings import RegimeSettings, load_settings
from adaptive_pkg.settings.safety import check_api_server

logger = logging.getLogger(__name__)

REGIME = RegimeSettings()  # defaults are declared there


class AdaptiveGRU(IStrategy):
    """Regime presets, GRU forecast, confidence, Kelly sizing, ATR stops. Settings: config["adaptive"]."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    process_only_new_candles = True
    use_exit_signal = True
    use_custom_stoploss = True
    minimal_roi = {}  # targets are per trade: custom_roi
    stoploss = -0.10  # the outer limit; the trade's own ATR stop lies within it

    # `freqtrade hyperopt --spaces regime` moves these every epoch: they are read in populate_entry_trend only
    adx_trend = DecimalParameter(20, 40, default=REGIME.adx_trend, decimals=1, space="regime")
    adx_flat = DecimalParameter(10, 20, default=REGIME.adx_flat, decimals=1, space="regime")
    atr_high = DecimalParameter(0.9, 2.0, default=REGIME.atr_high, decimals=2, space="regime")
    width_tight = DecimalParameter(0.4, 1.2, default=REGIME.width_tight, decimals=2, space="regime")
    min_dwell_candles = IntParameter(1, 24, default=REGIME.min_dwell_candles, space="regime")
    REGIME_PARAMETERS = ("adx_trend", "adx_flat", "atr_high", "width_tight", "min_dwell_candles")

    @property
    def protections(self):
        return [
            {"method": "CooldownPeriod", "stop_duration_candles": 2},
            {"method": "StoplossGuard", "lookback_period_candles": 24,
             "trade_limit": 4, "stop_duration_candles": 12},
            {"method": "MaxDrawdown", "calculation_mode": "equity", "lookback_period_candles": 168,
             "trade_limit": 10, "stop_duration_candles": 48, "max_allowed_drawdown": 0.15},
        ]  # fmt: skip

    plot_config = PLOT_CONFIG

    def __init__(self, config: dict) -> None:
        super().__init__(config)
        self.settings = load_settings(config)
        self.can_short = config.get("trading_mode", "spot") == "futures"
        self.use_custom_roi = self.settings.components.target
        self.startup_candle_count = startup_candles(self.settings.indicators)
        self.uses_forecast = bool(config.get("freqai", {}).get("enabled"))
        self.candles = ClosedCandles(
            CANDLE_COLUMNS, timeframe_to_seconds(config.get("timeframe", self.timeframe))
        )
        self.planner = EntryPlanner(self.settings)
        self.stops = StopBook()
        self.history = TradeHistory(regime_of_tag, self._r_multiple)

    # --- market and forecast -------------------------------------------------------------------------

    def bot_start(self, **kwargs) -> None:
        """Config thresholds replace the parameters' defaults; a hyperopt result replaces both."""
        from_file = self._ft_params_from_file.get("regime", {})
        written = self.config.get("adaptive", {}).get("regime", {})
        for name in self.REGIME_PARAMETERS:
            if name in written and name not in from_file:
                # not `value`: its setter rounds to the grid that hyperopt searches
                getattr(self, name)._value = getattr(self.settings.regime, name)
        if self._live:
            check_api_server(self.config)

    def feature_engineering_standard(self, dataframe: DataFrame, metadata: dict, **kwargs) -> DataFrame:
        features = forecast_features(dataframe, self.settings.indicators)
        return dataframe.assign(**{f"%-{name}": features[name] for name in features})

    def set_freqai_targets(self, dataframe: DataFrame, metadata: dict, **kwargs) -> DataFrame:
        horizon, level_period = self._horizon, self.settings.indicators.reference_period
        sigma = compute_indicators(dataframe, self.settings.indicators)["sigma"]
        close, volume = dataframe["close"], dataframe["volume"]
        return dataframe.assign(
            **{
                RETURN_SIGMA: future_return_sigma(close, sigma, horizon, volume),
                LOG_VOLATILITY: future_log_volatility(close, horizon, level_period, volume),
            }
        )

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        if self.uses_forecast:  # first, on bare candles: FreqAI copies every column it is handed
            dataframe = self.freqai.start(dataframe, metadata, self)
        dataframe = compute_indicators(dataframe, self.settings.indicators)
        levels = nearest_levels(dataframe, self.settings.indicators.reference_period)
        dataframe = dataframe.assign(**{name: levels[name] for name in levels})
        if self.uses_forecast:
            forecast = dataframe[RETURN_SIGMA].where(dataframe["do_predict"] == 1)
            price = forecast_price(dataframe["close"], forecast, dataframe["sigma"], self._horizon)
            dataframe = dataframe.assign(forecast_sigma=forecast, forecast_close=price)
        return dataframe

    # --- entries and exits ---------------------------------------------------------------------------

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        thresholds = {name: getattr(self, name).value for name in self.REGIME_PARAMETERS}
        regime_settings = replace(self.settings.regime, **thresholds)
        regimes = MarketRegimeDetector(regime_settings).detect(dataframe)
        decisions = decide_entries(
            dataframe,
            regimes.tradable_codes,
            regimes.confidence,
            self.settings,
            can_short=self.can_short,
            forecast_sigma=dataframe["forecast_sigma"].to_numpy() if self.uses_forecast else None,
        )
        dataframe = dataframe.assign(
            regime=regimes.codes,
            regime_confidence=regimes.confidence,
            confidence=decisions.confidence,
            size_multiplier=decisions.size_multiplier,
            enter_long=(decisions.side > 0).astype(np.int8),
            enter_short=(decisions.side < 0).astype(np.int8),
            enter_tag=decisions.tag,
        )
        self.candles.put(metadata["pair"], dataframe)
        if self._live and len(dataframe) and decisions.refusal[-1] != Refusal.NONE:
            logger.info(
                f"{metadata['pair']}: no entry in {Regime.from_code(int(regimes.codes[-1]))}: "
                f"{decisions.refusal[-1]} (confidence {decisions.confidence[-1]:.2f})"
            )
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        exit_long, exit_short = exit_signals(dataframe)
        tag = np.where(exit_long | exit_short, "trend_turned", None)
        return dataframe.assign(
            exit_long=exit_long.astype(np.int8), exit_short=exit_short.astype(np.int8), exit_tag=tag
        )

    def confirm_trade_entry(self, pair, rate, current_time, entry_tag, side, **kwargs) -> bool:
        """An entry without a stop is no entry."""
        try:
            self._plan(pair, side, rate, current_time, entry_tag)
        except Exception as error:
            self._refuse(pair, error)
            return False
        return True

    # --- size ----------------------------------------------------------------------------------------

    def custom_stake_amount(
        self, pair, current_time, current_rate, min_stake, max_stake, leverage, entry_tag, side, **kwargs
    ) -> float:
        try:
            size = self.planner.size(
                self._plan(pair, side, current_rate, current_time, entry_tag),
                self.candles.get(pair),
                current_time,
                regime=regime_of_tag(entry_tag),
                equity=self.wallets.get_total_stake_amount(),
                ledger=self._ledger(current_time),
                leverage=leverage,
                min_stake=min_stake,
                max_stake=max_stake,
            )
        except Exception as error:
            self._refuse(pair, error)
            return 0.0
        if self._live:
            logger.info(f"{pair}: {entry_tag}: {size.reason}")
        return size.decision.stake

    def leverage(self, pair, current_time, current_rate, max_leverage, entry_tag, side, **kwargs) -> float:
        try:
            plan = self._plan(pair, side, current_rate, current_time, entry_tag)
            return self.planner.leverage(plan, max_leverage)
        except Exception as error:
            self._refuse(pair, error)
            return 1.0

    # --- the stop's life -----------------------------------------------------------------------------

    def order_filled(self, pair, trade: Trade, order, current_time: datetime, **kwargs) -> None:
        """Write the stop plan when the first entry fills: from then on it is the trade's own."""
        if order.ft_order_side == trade.entry_side and trade.nr_of_successful_entries == 1:
            self._new_plan(trade)

    def custom_stoploss(
        self, pair, trade: Trade, current_time, current_rate, after_fill, **kwargs
    ) -> float | None:
        try:
            stop = self._stop(trade, current_time).stop
        except Exception as error:
            logger.warning(f"{pair}: stop of trade {trade.id} stays where it is: {error}")
            return None
        # 0 (already passed) leaves the stop alone; custom_exit then closes the trade
        return stoploss_from_absolute(stop, current_rate, trade.is_short, trade.leverage or 1.0)

    def custom_exit(self, pair, trade: Trade, current_time, current_rate, **kwargs) -> str | None:
        """Leave at once when the price is already beyond the stop: such a stop cannot be placed any more."""
        try:
            state = self._stop(trade, current_time)
        except Exception as error:
            logger.warning(f"{pair}: trade {trade.id} has no stop to check: {error}")
            return None
        return "stop_passed" if is_passed(self.stops.plan(_key(trade)), state, current_rate) else None

    def custom_roi(self, pair, trade: Trade, current_time, **kwargs) -> float | None:
        try:
            return trade.calc_profit_ratio(self._stop_plan(trade).target_price)
        except Exception as error:
            logger.warning(f"{pair}: trade {trade.id} has no target: {error}")
            return None

    def plot_annotations(self, pair, start_date, end_date, dataframe: DataFrame, **kwargs) -> list:
        """Shade the chart by regime."""
        return regime_bands(dataframe) if "regime" in dataframe else []

    # --- helpers -------------------------------------------------------------------------------------

    @property
    def _live(self) -> bool:
        dp = getattr(self, "dp", None)  # freqtrade sets it after the strategy is built
        return dp is not None and dp.runmode in (RunMode.LIVE, RunMode.DRY_RUN)

    @property
    def _horizon(self) -> int:
        return int(self.config["freqai"]["feature_parameters"]["label_period_candles"])

    def _plan(self, pair: str, side: str, price: float, now: datetime, tag: str | None) -> StopPlan:
        return self.planner.stop(
            self.candles.get(pair), now, side=side, price=price, regime=regime_of_tag(tag)
        )

    def _new_plan(self, trade: Trade) -> StopPlan:
        candles = self.candles.get(trade.pair)
        plan = self.planner.stop_at(
            candles,
            candles.last_closed(trade.open_date_utc),
            side=trade.trade_direction,
            price=trade.open_rate,
            regime=regime_of_tag(trade.enter_tag),
            fee=trade.fee_open,
        )
        trade.set_custom_data(PLAN_KEY, plan.to_dict())
        self.stops.put(_key(trade), plan, trade.open_date_utc)
        return plan

    def _stop_plan(self, trade: Trade) -> StopPlan:
        """The trade's plan: from memory, else (after a restart) from its stored data, else made anew."""
        if (key := _key(trade)) not in self.stops:
            stored = trade.get_custom_data(PLAN_KEY)
            if stored is None:
                return self._new_plan(trade)
            self.stops.put(key, StopPlan.from_dict(stored), trade.open_date_utc)
        return self.stops.plan(key)

    def _stop(self, trade: Trade, now: datetime) -> StopState:
        self._stop_plan(trade)
        return self.stops.state(_key(trade), self.candles.get(trade.pair), now)

    def _ledger(self, now: datetime):
        read = self.history.merge if self._live else self.history.follow
        return read(Trade.get_trades_proxy(is_open=False), now)

    def _r_multiple(self, trade: Trade) -> float | None:
        notional = trade.stake_amount * (trade.leverage or 1.0)
        try:
            return self._stop_plan(trade).r_multiple(trade.close_profit_abs, notional)
        except Exception as error:
            logger.warning(f"{trade.pair}: closed trade {trade.id} is left out of sizing: {error}")
            return None
        finally:
            self.stops.drop(_key(trade))

    def _refuse(self, pair: str, error: Exception) -> None:
        """Say why an entry is refused. What is not one of our own errors is a defect: show where."""
        logger.warning(f"{pair}: entry refused: {error}", exc_info=not isinstance(error, AdaptiveError))


def _key(trade: Trade) -> tuple:
    return trade.id, trade.pair, trade.open_date
