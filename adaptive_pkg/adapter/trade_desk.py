"""The bot's open trades: the plan of each, where its stop and its ladder stand, what is at risk in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from adaptive_pkg.adapter.open_trade import OpenTrade, ladder_state, ordered_since, trade_key
from adaptive_pkg.adapter.stop_desk import StopDesk
from adaptive_pkg.enums import Approach, Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.market.closed_candles import ClosedCandles
from adaptive_pkg.market.correlation import PairCorrelations
from adaptive_pkg.market.trend_state import TREND_STATE_COLUMNS
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.policy.explanation import EntryExplanation, explain_entry
from adaptive_pkg.risk.ladder import (
    LADDER_KEY,
    LadderPlan,
    LadderStep,
    next_step,
    plan_ladder,
    rebase,
)
from adaptive_pkg.risk.planner import CANDLE_COLUMNS, EntryPlanner, EntrySize
from adaptive_pkg.risk.portfolio import Admission, EntryRequest, Holding, LastExit, admit, open_risk
from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan
from adaptive_pkg.risk.stops import is_passed
from adaptive_pkg.settings import AdaptiveSettings

FILLED_KEY = "adaptive filled"  # in a trade's custom data; no "_" or "%": see risk.stop_plan


def candle_columns(settings: AdaptiveSettings) -> tuple[str, ...]:
    """What is read of a pair's candles while its trades are open."""
    held = TREND_STATE_COLUMNS if settings.approach is Approach.HOLD_TREND else ()
    return (*CANDLE_COLUMNS, *held)


class TradeDesk(StopDesk):
    """Keeps plans and ladders by trade, read back from the trade's own stored data after a restart."""

    def __init__(self, planner: EntryPlanner, candles: ClosedCandles) -> None:
        super().__init__(planner, candles)
        self._ladders: dict[tuple, LadderPlan | None] = {}
        self._stepped: dict[tuple, int] = {}  # start of the last candle that a ladder step was decided on
        self._wanted: dict[str, EntrySize] = {}  # by pair: sized, not filled yet
        self._late: dict[tuple, str] = {}  # orders of entries that filled before the first candle

    # --- entry ---------------------------------------------------------------------------------------

    def want(self, pair: str, size: EntrySize) -> float:
        """Remember what was decided for the entry that may follow. Returns the first order's stake."""
        self._wanted[pair] = size
        return size.first_stake

    def admit(
        self,
        pair: str,
        plan: StopPlan,
        notional: float,
        now: datetime,
        *,
        regime: Regime | None,
        equity: float,
        open_trades: Iterable[OpenTrade],
        last_exit: LastExit | None,
    ) -> Admission:
        """Whether the portfolio has room for the entry. `notional`: value of its first order.

        Raises:
            RiskError, DataError: a number is unusable. Refuse the entry.
        """
        settings = self.planner.settings
        candles = self.candles.get(pair)
        now_regime = regime or Regime.from_code(candles.column("regime")[candles.last_closed(now)])
        wanted = self._wanted.get(pair)
        ladder = wanted.ladder if wanted else self._single(plan, now_regime)
        held = open_trades if settings.components.portfolio_limits else ()
        correlations = PairCorrelations(self.candles, settings.portfolio.correlation_candles)
        return admit(
            EntryRequest(pair, plan.side, notional / ladder.shares[0] * ladder.loss_fraction, regime),
            [self.holding(trade, now) for trade in held],
            equity=equity,
            preset=settings.preset(now_regime),
            settings=settings.portfolio,
            components=settings.components,
            correlation=lambda other: correlations.between(pair, other, now),
            last_exit=last_exit,
            now=now,
            timeframe_seconds=candles.timeframe_seconds,
        )

    def filled(self, trade: OpenTrade, order: Any, now: datetime, *, live: bool) -> bool:
        """An entry order has filled. Returns whether it has opened the trade.

        Live, freqtrade hands a fill over again until the venue has told its fee; a known one changes nothing.
        """
        known = (trade.get_custom_data(FILLED_KEY) or {}).get("orders", []) if live else []
        if live and order.order_id in known:
            return False
        first = trade.nr_of_successful_entries <= 1
        if first and live and self.candles.latest(trade.pair) is None:
            self._late[trade_key(trade)] = order.order_id
            return False
        if first:
            self.opened(trade)
        else:
            self.refilled(trade, now)
        if live:
            trade.set_custom_data(FILLED_KEY, {"orders": [*known, order.order_id]})
        return first

    def opened(self, trade: OpenTrade) -> StopPlan:
        """The first entry has filled: write the stop plan and the ladder, from then on the trade's own."""
        self.forget(trade)  # a hyperopt epoch numbers and dates its trades as the one before it
        plan = self._new_plan(trade)
        wanted = self._wanted.pop(trade.pair, None)
        regime = self._regime_at_entry(trade)
        # sized without rungs (or before a restart): none are bought, for their stake was never set aside
        ladder = (
            plan_ladder(plan, self._preset(regime), self._settings.ladder, self._settings.components)
            if wanted and wanted.ladder.rungs
            else self._single(plan, regime)
        ).with_stake(trade.stake_amount / (wanted.ladder.shares[0] if wanted else 1.0))
        if ladder.rungs or ladder.scale_out_prices:  # else its plan says it all
            self._store(trade, LADDER_KEY, ladder.to_dict())
        self._ladders[trade_key(trade)] = ladder
        return plan

    def plan(self, trade: OpenTrade) -> StopPlan:
        """The trade's stop plan; with the ladder, where its entry filled while the bot was down."""
        if trade_key(trade) in self._late and self.candles.latest(trade.pair) is not None:
            order_id = self._late.pop(trade_key(trade))
            self.opened(trade)
            trade.set_custom_data(FILLED_KEY, {"orders": [order_id]})
        return super().plan(trade)

    def explain(self, trade: OpenTrade) -> EntryExplanation:
        """Why the trade was entered. Raises DataError where the candle of its signal is not there."""
        candles = self.candles.get(trade.pair)
        row = candles.row(candles.last_closed(trade.open_date_utc))
        return explain_entry(row, trade.enter_tag or "no tag", -1 if trade.is_short else 1, self._settings)

    def refilled(self, trade: OpenTrade, now: datetime) -> None:
        """A rung has filled: breakeven and target follow the average entry, the stop stays."""
        plan = rebase(self.plan(trade), trade.open_rate)
        self._store(trade, PLAN_KEY, plan.to_dict())
        self.stops.put(trade_key(trade), plan, now)

    # --- the open trade ------------------------------------------------------------------------------

    def ladder(self, trade: OpenTrade) -> LadderPlan | None:
        """The trade's ladder; None for a trade that was opened without one. Raises RiskError."""
        if not trade.amount and (wanted := self._wanted.get(trade.pair)):  # its entry has not filled yet
            return wanted.ladder.with_stake(trade.stake_amount / wanted.ladder.shares[0])
        if (key := trade_key(trade)) not in self._ladders:
            stored = trade.get_custom_data(LADDER_KEY)
            self._ladders[key] = None if stored is None else LadderPlan.from_dict(stored)
        return self._ladders[key]

    def is_due(self, trade: OpenTrade, now: datetime) -> bool:
        """Whether the trade has a ladder that no step was decided for on the last closed candle."""
        ladder = self.ladder(trade)
        if ladder is None or not (ladder.rungs or ladder.scale_out_prices):
            return False
        candles = self.candles.get(trade.pair)
        at = candles.last_closed(now)
        if at < candles.first_since(trade.open_date_utc):
            return False
        if ordered_since(trade, candles.starts[at] + candles.timeframe_seconds):
            return False  # before a restart, say
        return self._stepped.get(trade_key(trade)) != candles.starts[at]

    def next_step(
        self,
        trade: OpenTrade,
        now: datetime,
        rate: float,
        *,
        min_stake: float | None,
        available: float,
    ) -> LadderStep:
        """The ladder's next order. Ask while it `is_due`: once per closed candle.

        Args:
            rate: price on offer. available: free stake, less what other trades' rungs have reserved.

        Raises:
            RiskError, DataError: do nothing.
        """
        ladder, candles = self.ladder(trade), self.candles.get(trade.pair)
        at = candles.last_closed(now)
        state = self.stop(trade, now)
        busy = "an order is open" if trade.has_open_orders else ""
        plan, close = self.plan(trade), candles.column("close")[at]
        if is_passed(plan, state, rate):
            busy = "the stop is passed"
        elif plan.target_reached(close):
            busy = "the target is reached"
        step = next_step(
            ladder,
            ladder_state(trade),
            close=close,
            stage=state.stage,
            may_add=self.reaction(trade, now).may_add,
            available=available,
            min_stake=min_stake,
            amount=trade.amount,
            leverage=trade.leverage or 1.0,
            rate=rate,
            busy=busy,
        )
        if step.unusable:
            raise RiskError(step.reason)
        if not trade.has_open_orders:  # an order that is cancelled within the candle leaves it to be decided
            self._stepped[trade_key(trade)] = candles.starts[at]
        return step

    def reserved_stake(self, trades: Iterable[OpenTrade], now: datetime, besides: int | None = None) -> float:
        """Stake to be kept free for the rungs of all trades but the one that asks."""
        if not self._settings.components.ladder:
            return 0.0
        return sum(self.reserved(trade, now) for trade in trades if trade.id != besides)

    def reserved(self, trade: OpenTrade, now: datetime) -> float:
        """Stake to be kept free for the trade's rungs."""
        ladder = self.ladder(trade)
        if ladder is None or not ladder.rungs:
            return 0.0
        return ladder.reserved(ladder_state(trade), self.stop(trade, now).stage)

    def holding(self, trade: OpenTrade, now: datetime) -> Holding:
        """The trade as the portfolio sees it. Raises RiskError for numbers that make no sense."""
        plan, leverage = self.plan(trade), trade.leverage or 1.0
        # until its first stop call freqtrade has only the outer limit; later its stop may be the nearer one
        stops = [self.stop(trade, now).stop, *([trade.stop_loss] if trade.stop_loss else [])]
        stop = min(stops) if trade.is_short else max(stops)
        amount = trade.amount or trade.stake_amount * leverage / trade.open_rate  # not filled yet
        reserved = self.reserved(trade, now)
        loss = self.ladder(trade).loss_at(plan.entry_price) if reserved else 0.0
        return Holding(
            trade.pair,
            trade.trade_direction,
            open_risk(trade.trade_direction, amount, trade.open_rate, stop, trade.fee_open),
            reserved * leverage * loss,
        )

    def r_multiple(self, trade: Any) -> float:
        """A closed trade's profit in units of what its whole ladder would have lost at the stop.

        Raises:
            RiskError, DataError: the trade's plan cannot be read; leave it out.
        """
        try:
            leverage = trade.leverage or 1.0
            ladder = self.ladder(trade)
            if ladder is not None:
                return trade.close_profit_abs / ladder.risk_money(leverage)
            return self.plan(trade).r_multiple(trade.close_profit_abs, trade.stake_amount * leverage)
        finally:
            self.forget(trade)

    def forget(self, trade: OpenTrade) -> None:
        """Drop what is kept of a trade."""
        super().forget(trade)
        self._ladders.pop(trade_key(trade), None)
        self._stepped.pop(trade_key(trade), None)
        self._late.pop(trade_key(trade), None)

    # --- helpers -------------------------------------------------------------------------------------

    def _regime_at_entry(self, trade: OpenTrade) -> Regime:
        if regime := regime_of_tag(trade.enter_tag):
            return regime
        candles = self.candles.get(trade.pair)
        return Regime.from_code(candles.column("regime")[candles.last_closed(trade.open_date_utc)])

    def _single(self, plan: StopPlan, regime: Regime) -> LadderPlan:
        preset = replace(self._preset(regime), allow_dca=False)
        return plan_ladder(plan, preset, self._settings.ladder, self._settings.components)
