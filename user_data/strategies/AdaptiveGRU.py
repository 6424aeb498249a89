"""AdaptiveGRU: reads the market's regime and trades it with that regime's preset.

This file only translates between freqtrade and `adaptive_pkg`: every rule and every formula lives there.
Freqtrade swallows exceptions in callbacks and falls back to trading on; the ones here log and refuse instead.
"""

import logging
from datetime import datetime

from freqtrade.enums import RunMode
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import Trade
from freqtrade.persistence.custom_data import _CustomData
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy, informative
from pandas import DataFrame

from adaptive_pkg.adapter.forecast_columns import forecast_columns
from adaptive_pkg.adapter.open_trade import last_exit, stop_distance
from adaptive_pkg.adapter.parameters import lay_under, present_values, within_stoploss
from adaptive_pkg.adapter.reads_only import reads_only
from adaptive_pkg.adapter.services import Services
from adaptive_pkg.adapter.trade_desk import TradeDesk, candle_columns
from adaptive_pkg.doctor.access import secret_values
from adaptive_pkg.doctor.checks import refuse_unsafe_start
from adaptive_pkg.enums import RegimeChange
from adaptive_pkg.forecast.targets import (
    LOG_VOLATILITY,
    RETURN_SIGMA,
    future_log_volatility,
    future_return_sigma,
)
from adaptive_pkg.market.closed_candles import ClosedCandles
from adaptive_pkg.market.features import forecast_features
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import TREND_COLUMNS, trend_reading
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.policy.signals import TREND_TURNED, exit_columns
from adaptive_pkg.reports.chart import PLOT_CONFIG, regime_bands
from adaptive_pkg.risk.halts import halt_protections
from adaptive_pkg.risk.history import TradeHistory
from adaptive_pkg.risk.ladder import StepKind
from adaptive_pkg.risk.planner import EntryPlanner
from adaptive_pkg.risk.regime_change import EXIT_REASON
from adaptive_pkg.risk.stops import StopPlan
from adaptive_pkg.settings import load_forecast_settings, load_settings

logger = logging.getLogger(__name__)


class AdaptiveGRU(IStrategy):
    """Regime presets, GRU forecast, confidence, Kelly sizing, ATR stops. Settings: config["adaptive"]."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    process_only_new_candles = True
    ignore_buying_expired_candle_after = 600  # seconds; a backtest enters at the next open, not later
    use_exit_signal = True
    use_custom_stoploss = True
    minimal_roi = {}  # targets are per trade: custom_roi
    order_types = {  # a stop must fill
        "entry": "limit", "exit": "limit", "stoploss": "market", "emergency_exit": "market",
        "force_exit": "market", "stoploss_on_exchange": False,
    }  # fmt: skip
    stoploss = -0.20  # a move of the price; each trade's own ATR stop lies within it

    # `freqtrade hyperopt --spaces regime policy risk` moves these every epoch; only _tune reads them
    adx_trend = DecimalParameter(20, 40, default=25, decimals=1, space="regime")
    adx_flat = DecimalParameter(10, 20, default=20, decimals=1, space="regime")
    atr_high = DecimalParameter(0.9, 2.0, default=1.3, decimals=2, space="regime")
    width_tight = DecimalParameter(0.4, 1.2, default=0.7, decimals=2, space="regime")
    min_dwell_candles = IntParameter(1, 24, default=6, space="regime")
    threshold_shift = DecimalParameter(-0.2, 0.2, default=0, decimals=2, space="policy")
    volume_scale = DecimalParameter(0, 2, default=1, decimals=2, space="policy")
    forecast_agree = DecimalParameter(0, 1, default=0.3, decimals=2, space="policy")
    forecast_disagree = DecimalParameter(0, 1, default=0.4, decimals=2, space="policy")
    regime_effect = DecimalParameter(0, 0.5, default=0.1, decimals=2, space="policy")
    profile_scale = DecimalParameter(0.5, 3, default=1, decimals=2, space="risk")
    target_scale = DecimalParameter(0.5, 3, default=1, decimals=2, space="risk")
    breakeven_trigger = DecimalParameter(0.005, 0.025, default=0.015, decimals=3, space="risk")
    trail_trigger = DecimalParameter(0.025, 0.08, default=0.025, decimals=3, space="risk")
    trail_atr = DecimalParameter(0.5, 4, default=1.5, decimals=2, space="risk")
    fraction = DecimalParameter(0.1, 1, default=0.25, decimals=2, space="risk")

    @property
    def protections(self) -> list[dict]:
        if not self.settings.components.portfolio_limits:
            return []
        return halt_protections(self.settings.portfolio, 86_400 // timeframe_to_seconds(self.timeframe))

    plot_config = PLOT_CONFIG

    def __init__(self, config: dict) -> None:
        super().__init__(config)
        self.settings = load_settings(config)
        self.can_short = config.get("trading_mode", "spot") == "futures"
        self.use_custom_roi = self.settings.takes_profit
        self.position_adjustment_enable = self.settings.adjusts_positions
        self.startup_candle_count = startup_candles(self.settings.indicators)
        self.uses_forecast = bool(config.get("freqai", {}).get("enabled"))
        self._tuned: dict | None = None
        self.planner = EntryPlanner(self.settings)
        timeframe = config.get("timeframe", self.timeframe)
        seconds = timeframe_to_seconds(timeframe)
        self.desk = TradeDesk(self.planner, ClosedCandles(candle_columns(self.settings), seconds))
        self.services = Services(self.settings, self.desk, timeframe, seconds)
        self.messages = self.services.messages
        self.history = TradeHistory(regime_of_tag, self._r_multiple)

    # --- market and forecast -------------------------------------------------------------------------

    def bot_start(self, **kwargs) -> None:
        """The settings replace the parameters' defaults; a hyperopt result replaces both."""
        self.settings = within_stoploss(self.settings, self.stoploss)
        lay_under(self, self.settings)
        self.desk.stores = self.dp.runmode is not RunMode.HYPEROPT
        if self._live:
            refuse_unsafe_start(self.config)
        self._tune()
        self.services.begin(self.dp.runmode.value, self.config, self.planner.settings)
        if self._live:
            self.use_custom_roi = self.settings.components.target  # of older trades, whatever opens now
            self.services.trade(self.dp, self.wallets, Trade.get_trades_proxy, secret_values(self.config))

    def bot_loop_start(self, current_time: datetime, **kwargs) -> None:
        if self._live:
            _CustomData.session.rollback()  # freqtrade never does: one failed write would spoil all after it
            self.services.beat(self.config, self.dp, current_time, Trade.get_trades_proxy(is_open=True))

    def ft_bot_cleanup(self) -> None:
        """Freqtrade's own end of FreqAI, on shutdown and before a reload; and ours."""
        try:
            super().ft_bot_cleanup()
        finally:
            self.services.end()

    def feature_engineering_standard(self, dataframe: DataFrame, metadata: dict, **kwargs) -> DataFrame:
        features = forecast_features(dataframe, self.settings.indicators)
        return dataframe.assign(**{f"%-{name}": features[name] for name in features})

    def set_freqai_targets(self, dataframe: DataFrame, metadata: dict, **kwargs) -> DataFrame:
        horizon, level_period = self._horizon, self.settings.indicators.reference_period
        sigma = compute_indicators(dataframe, self.settings.indicators)["sigma"]
        close, volume = dataframe["close"], dataframe["volume"]
        returns = future_return_sigma(close, sigma, horizon, volume)
        level = future_log_volatility(close, horizon, level_period, volume)
        return dataframe.assign(**{RETURN_SIGMA: returns, LOG_VOLATILITY: level})

    @informative("4h")
    def populate_indicators_4h(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return trend_reading(dataframe, self.settings.indicators)

    @informative("1d")
    def populate_indicators_1d(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return trend_reading(dataframe, self.settings.indicators)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        # freqtrade merges every informative column; the rules read the trends alone
        dataframe = dataframe[["date", "open", "high", "low", "close", "volume", *TREND_COLUMNS]]
        if self.uses_forecast:  # first, on few columns: FreqAI copies every column it is handed
            dataframe = self.freqai.start(dataframe, metadata, self)
        dataframe = market_frame(dataframe, self.settings.indicators)
        if self.uses_forecast:
            coverage = load_forecast_settings(self.config).interval_coverage
            dataframe = dataframe.assign(**forecast_columns(dataframe, self._horizon, coverage))
        return self.services.outside_data(dataframe, metadata["pair"])

    # --- entries and exits ---------------------------------------------------------------------------

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        self._tune()
        judgement = judge(
            dataframe,
            self.planner.settings,
            can_short=self.can_short,
            forecast_sigma=dataframe["forecast_strength"].to_numpy() if self.uses_forecast else None,
            learned=self.services.opinion,
        )
        dataframe = dataframe.assign(**judgement.columns())
        self.desk.candles.put(metadata["pair"], dataframe)
        self.services.analysed(metadata["pair"], dataframe, judgement, self.planner.settings)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe.assign(**exit_columns(dataframe, self.settings.approach))

    def confirm_trade_entry(self, pair, amount, rate, current_time, entry_tag, side, **kwargs) -> bool:
        """An entry without a stop is no entry; nor is one that portfolio, breaker or market refuse."""
        try:
            equity, guard = self.wallets.get_total_stake_amount(), self.services.guard
            open_trades = Trade.get_trades_proxy(is_open=True)
            admission = self.desk.admit(
                pair,
                self._plan(pair, side, rate, current_time, entry_tag),
                amount * rate,
                current_time,
                regime=regime_of_tag(entry_tag),
                equity=equity,
                open_trades=open_trades,
                last_exit=last_exit(Trade.get_trades_proxy(pair=pair, is_open=False)),
            )
            verdict, cause = admission, "limits"
            if admission.allowed and guard:
                verdict = guard.admit(
                    pair, side, amount * rate, current_time, equity=equity, trades=Trade.get_trades_proxy
                )
                cause = verdict.guard
        except Exception as error:
            self.services.failed(pair, side, error, current_time)
            return False
        self.services.answered(pair, side, entry_tag, current_time, verdict, cause, len(open_trades))
        return verdict.allowed

    # --- size ----------------------------------------------------------------------------------------

    def custom_stake_amount(
        self, pair, current_time, current_rate, min_stake, max_stake, leverage, entry_tag, side, **kwargs
    ) -> float:
        try:
            size = self.planner.size(
                self._plan(pair, side, current_rate, current_time, entry_tag),
                self.desk.candles.get(pair),
                current_time,
                regime=regime_of_tag(entry_tag),
                equity=self.wallets.get_total_stake_amount(),
                ledger=self._ledger(current_time),
                leverage=leverage,
                min_stake=min_stake,
                max_stake=self._free(max_stake, current_time),
            )
        except Exception as error:
            self.services.failed(pair, side, error, current_time)
            return 0.0
        self.services.sized(pair, side, entry_tag, current_time, size)
        return self.desk.want(pair, size)

    def leverage(self, pair, current_time, current_rate, max_leverage, entry_tag, side, **kwargs) -> float:
        try:
            plan = self._plan(pair, side, current_rate, current_time, entry_tag)
            return self.planner.leverage(plan, max_leverage)
        except Exception as error:
            logger.warning(f"{pair}: leverage 1: {error}")
            return 1.0

    # --- the trade's life ----------------------------------------------------------------------------

    @reads_only
    def order_filled(self, pair, trade: Trade, order, current_time: datetime, **kwargs) -> None:
        """Write the plans when the first entry fills: from then on they are the trade's own."""
        if order.ft_order_side != trade.entry_side:
            return
        if self.desk.filled(trade, order, current_time, live=self._live):
            self.messages.entered(trade)

    @reads_only
    def adjust_trade_position(
        self, trade: Trade, current_time, current_rate, min_stake, max_stake, **kwargs
    ) -> float | tuple[float, str] | None:
        """The ladder: a rung bought, a grid rung sold, a part closed on the way to the target."""
        try:
            if not self.desk.is_due(trade, current_time):
                return None
            free = self._free(max_stake, current_time, besides=trade.id)
            step = self.desk.next_step(trade, current_time, current_rate, min_stake=min_stake, available=free)
            if step.kind is StepKind.HOLD:
                return None
            if self.services.guard and step.kind is StepKind.ADD:
                self.services.guard.may_add(trade.pair, current_time, self.wallets, Trade.get_trades_proxy)
        except Exception as error:
            logger.warning(f"{trade.pair}: ladder of trade {trade.id} rests: {error}")
            return None
        if self._live:
            logger.info(f"{trade.pair}: {step.tag}: {step.reason}")
        return (step.stake if step.kind is StepKind.ADD else -step.part * trade.stake_amount), step.tag

    @reads_only
    def custom_stoploss(
        self, pair, trade: Trade, current_time, current_rate, after_fill, **kwargs
    ) -> float | None:
        try:
            state = self.desk.stop(trade, current_time)
        except Exception as error:
            logger.warning(f"{pair}: stop of trade {trade.id} stays where it is: {error}")
            return None
        self.messages.stop_stands(trade, state)
        # 0 (already passed) leaves the stop alone; custom_exit then closes the trade
        return stop_distance(state.stop, current_rate, trade)

    def ft_stoploss_adjust(self, current_rate, trade: Trade, current_time, *args, **kwargs) -> None:
        """Freqtrade's own, and after a fill the plan's stop again: see `TradeDesk.hold_stop`."""
        super().ft_stoploss_adjust(current_rate, trade, current_time, *args, **kwargs)
        if kwargs.get("after_fill"):
            self.desk.hold_stop(trade, current_time)

    @reads_only
    def confirm_trade_exit(self, pair, trade: Trade, *args, current_time: datetime, **kwargs) -> bool:
        if self.services.guard:
            self.services.guard.exits(pair, current_time)
        return True

    @reads_only
    def custom_exit(self, pair, trade: Trade, current_time, current_rate, **kwargs) -> str | None:
        """Leave where a held trend has ended, and at once where the price is already beyond the stop."""
        try:
            at_venue = self.order_types.get("stoploss_on_exchange") and not self.config["dry_run"]
            if self.desk.stop_passed(trade, current_time, current_rate, watched=self._live and not at_venue):
                return "stop_passed"
            if self.desk.trend_ended(trade, current_time):
                return TREND_TURNED
            if self.settings.regime_change is RegimeChange.EXIT:
                return EXIT_REASON if self.desk.reaction(trade, current_time).leave else None
        except Exception as error:
            logger.warning(f"{pair}: trade {trade.id} has no stop to check: {error}")
        return None

    @reads_only
    def custom_roi(self, pair, trade: Trade, current_time, **kwargs) -> float | None:
        try:
            plan = self.desk.plan(trade)
            return trade.calc_profit_ratio(plan.target_price) if plan.target else None
        except Exception as error:
            logger.warning(f"{pair}: trade {trade.id} has no target: {error}")
            return None

    def plot_annotations(self, pair, start_date, end_date, dataframe: DataFrame, **kwargs) -> list:
        return regime_bands(dataframe) if "regime" in dataframe else []

    # --- helpers -------------------------------------------------------------------------------------

    @property
    def _live(self) -> bool:
        dp = getattr(self, "dp", None)  # freqtrade sets it after the strategy is built
        return dp is not None and dp.runmode in (RunMode.LIVE, RunMode.DRY_RUN)

    def _tune(self) -> None:
        """Lay the parameters' present values over the settings."""
        values = present_values(self)
        if values != self._tuned:
            self._tuned, self.planner.settings = values, self.settings.replaced(values)

    @property
    def _horizon(self) -> int:
        return int(self.config["freqai"]["feature_parameters"]["label_period_candles"])

    def _plan(self, pair: str, side: str, price: float, now: datetime, tag: str | None) -> StopPlan:
        return self.planner.stop(
            self.desk.candles.get(pair), now, side=side, price=price, regime=regime_of_tag(tag)
        )

    def _ledger(self, now: datetime):
        read = self.history.merge if self._live else self.history.follow
        return read(Trade.get_trades_proxy(is_open=False), now)

    def _r_multiple(self, trade: Trade) -> float | None:
        try:
            return self.desk.r_multiple(trade)
        except Exception as error:
            logger.warning(f"{trade.pair}: closed trade {trade.id} is left out of sizing: {error}")
            return None

    def _free(self, max_stake: float, now: datetime, besides: int | None = None) -> float:
        """Of `max_stake`, what open trades' rungs have not reserved; `besides`: the trade that asks."""
        open_trades = Trade.get_trades_proxy(is_open=True)
        return max(max_stake - self.desk.reserved_stake(open_trades, now, besides), 0.0)
