"""The stops of the bot's open trades: the plan of each, and where it stands."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

from adaptive_pkg.adapter.open_trade import OpenTrade, last_entry, stop_distance, trade_key
from adaptive_pkg.enums import Approach, Regime, RegimeChange
from adaptive_pkg.market.closed_candles import ClosedCandles
from adaptive_pkg.market.trend_state import TREND_STATE_COLUMNS
from adaptive_pkg.policy.decision import holds_trend, regime_of_tag
from adaptive_pkg.policy.signals import MAJORITY
from adaptive_pkg.risk.planner import EntryPlanner
from adaptive_pkg.risk.regime_change import RegimeReaction, react
from adaptive_pkg.risk.stop_book import StopBook
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan
from adaptive_pkg.risk.stops import StopState, is_passed

logger = logging.getLogger(__name__)

TIGHTENED_KEY = "adaptive tightened"  # in a trade's custom data; no "_" or "%": see risk.stop_plan


class StopDesk:
    """Keeps stop plans by trade, read back from the trade's own stored data after a restart."""

    def __init__(self, planner: EntryPlanner, candles: ClosedCandles) -> None:
        self.planner = planner
        self.candles = candles
        self.stops = StopBook()
        self.stores = True  # off in hyperopt, where nobody reads it and each look-up scans all trades
        self._tightened: dict[tuple, float | None] = {}  # by a change of regime: nearer than the plan's

    def forget(self, trade: OpenTrade) -> None:
        """Drop what is kept of a trade."""
        self.stops.drop(trade_key(trade))
        self._tightened.pop(trade_key(trade), None)

    def plan(self, trade: OpenTrade) -> StopPlan:
        """The trade's stop plan: from memory, else (after a restart) its stored data, else made anew."""
        if (key := trade_key(trade)) not in self.stops:
            stored = trade.get_custom_data(PLAN_KEY)
            if stored is None:
                return self._new_plan(trade)
            self.stops.put(key, StopPlan.from_dict(stored), last_entry(trade))
        return self.stops.plan(key)

    def stop(self, trade: OpenTrade, now: datetime) -> StopState:
        """Where the stop stands. Raises RiskError or DataError; the caller keeps the last stop."""
        plan = self.plan(trade)
        state = self.stops.state(trade_key(trade), self.candles.get(trade.pair), now)
        if self._settings.regime_change is RegimeChange.TIGHTEN:
            key = trade_key(trade)
            if key not in self._tightened:  # after a restart
                self._tightened[key] = trade.get_custom_data(TIGHTENED_KEY)
            for stop in (self._tightened[key], self.reaction(trade, now).tightened_stop):
                if stop is not None and is_passed(plan, replace(state, stop=stop), state.stop):
                    if self._tightened[key] != stop:  # for good, even if the regime returns
                        self._tightened[key] = stop
                        self._store(trade, TIGHTENED_KEY, float(stop))
                    state = replace(state, stop=stop)
        return state

    def hold_stop(self, trade: OpenTrade, now: datetime) -> None:
        """Set freqtrade's stop to the plan's after a fill; leave it where the plan's cannot be told.

        Freqtrade lays its last stop distance over the average entry whenever it recalculates a trade. Given
        from a rung's price, that distance would lift the stop above the market; given from the average, it
        is the same stop again.
        """
        try:
            stop, planned = self.stop(trade, now).stop, self.plan(trade).initial_stop
        except Exception as error:  # freqtrade calls this unguarded, in the middle of a fill
            logger.warning(f"{trade.pair}: stop of trade {trade.id} stays where it is: {error}")
            return
        if (distance := stop_distance(stop, trade.open_rate, trade)) > 0.0:
            trade.adjust_stop_loss(trade.open_rate, distance, allow_refresh=True)
        trade.is_stop_loss_trailing = stop != planned  # what freqtrade calls an exit there

    def stop_passed(self, trade: OpenTrade, now: datetime, rate: float, *, watched: bool) -> bool:
        """Whether to leave because `rate` is at or beyond the stop.

        Args:
            watched: freqtrade itself closes at the stop that it holds, so leave only for one it does not
                hold yet. Not in a backtest: that fills at the stop even where the candle opens beyond it.

        Raises:
            RiskError, DataError: there is no stop to compare with.
        """
        plan, state = self.plan(trade), self.stop(trade, now)
        held = replace(state, stop=trade.stop_loss)
        return is_passed(plan, state, rate) and not (watched and is_passed(plan, held, rate))

    def trend_ended(self, trade: OpenTrade, now: datetime) -> bool:
        """Whether a trade that holds a trend has lost it at the last close. Others keep stop and target.

        Raises:
            DataError: the pair has no candles yet.
        """
        if self._settings.approach is not Approach.HOLD_TREND or not holds_trend(trade.enter_tag):
            return False
        candles = self.candles.get(trade.pair)
        at = candles.last_closed(now)
        up, down = TREND_STATE_COLUMNS
        return at >= 0 and candles.column(down if trade.is_short else up)[at] < MAJORITY

    def reaction(self, trade: OpenTrade, now: datetime) -> RegimeReaction:
        """What the pair's present regime means for the trade."""
        candles = self.candles.get(trade.pair)
        entered, at = regime_of_tag(trade.enter_tag), candles.last_closed(now)
        present = Regime.from_code(candles.column("regime")[at]) if at >= 0 else entered
        presets = (self._preset(entered or present), self._preset(present))
        return react(self._settings.regime_change, self.plan(trade), entered, present, presets)

    @property
    def _settings(self) -> Any:
        return self.planner.settings

    def _preset(self, regime: Regime) -> Any:
        return self._settings.preset(regime)

    def _store(self, trade: OpenTrade, key: str, value: Any) -> None:
        if self.stores:
            trade.set_custom_data(key, value)

    def _new_plan(self, trade: OpenTrade) -> StopPlan:
        candles = self.candles.get(trade.pair)
        plan = self.planner.stop_at(
            candles,
            candles.last_closed(trade.open_date_utc),
            side=trade.trade_direction,
            price=trade.open_rate,
            regime=regime_of_tag(trade.enter_tag),
            fee=trade.fee_open,
        )
        self._store(trade, PLAN_KEY, plan.to_dict())
        self.stops.put(trade_key(trade), plan, trade.open_date_utc)
        return plan
