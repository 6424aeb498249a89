"""One entry, planned: its stop from the last closed candle, its stake from the account and the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.kelly import KellyEstimate, drawdown_multiplier, estimate
from adaptive_pkg.risk.ladder_plan import LadderPlan, plan_ladder
from adaptive_pkg.risk.ledger import TradeLedger
from adaptive_pkg.risk.leverage import safe_leverage
from adaptive_pkg.risk.sizing import SizeDecision, size_position
from adaptive_pkg.risk.stop_book import Candles
from adaptive_pkg.risk.stops import StopPlan, plan_stop
from adaptive_pkg.settings import AdaptiveSettings

# What the planner and the stop book read of a pair's candles.
CANDLE_COLUMNS = ("close", "atr", "atr_pct", "atr_ratio", "regime", "size_multiplier")


@dataclass(frozen=True, slots=True)
class EntrySize:
    """A stake and why it is that big."""

    decision: SizeDecision  # of all orders of the ladder together
    kelly: KellyEstimate
    ladder: LadderPlan

    @property
    def first_stake(self) -> float:
        """Stake of the first order; 0: do not enter."""
        return self.decision.stake * self.ladder.shares[0]

    @property
    def reason(self) -> str:
        rungs = len(self.ladder.rungs)
        first = f"; {self.first_stake:.8g} now, the rest for {rungs} rungs" if rungs else ""
        return f"{self.decision.reason}{first}; {self.kelly.reason}"


class EntryPlanner:
    """Plans entries by the settings (hyperopt replaces them). Candles, ledger and time are passed in."""

    def __init__(self, settings: AdaptiveSettings) -> None:
        self.settings = settings

    def stop(
        self,
        candles: Candles,
        now: datetime,
        *,
        side: str,
        price: float,
        regime: Regime | None,
        fee: float | None = None,
    ) -> StopPlan:
        """The stop plan of an entry at `price`. `regime` None (a forced entry): the last candle's regime.

        Raises:
            RiskError: no candle has closed yet, the price has run too far from the last close, or the
                numbers cannot make a stop. Refuse the entry.
        """
        at = _last(candles, now)
        atr, close = candles.column("atr")[at], candles.column("close")[at]
        run = abs(price - close)
        if atr > 0 and run > self.settings.sizing.max_entry_gap_atr * atr:
            raise RiskError(
                f"price {price:.8g} is {run / atr:.1f} ATR from the close {close:.8g} that gave the signal, "
                f"more than sizing.max_entry_gap_atr ({self.settings.sizing.max_entry_gap_atr:g})"
            )
        return self.stop_at(candles, at, side=side, price=price, regime=regime, fee=fee)

    def stop_at(
        self, candles: Candles, at: int, *, side: str, price: float, regime: Regime | None, fee: float | None
    ) -> StopPlan:
        """The stop plan from candle `at`, wherever the price is: for a trade that is already open."""
        if at < 0:
            raise RiskError("no candle had closed when the trade opened; its last stop stays")
        regime = regime or Regime.from_code(candles.column("regime")[at])
        return plan_stop(
            side,
            price,
            candles.column("atr")[at],
            candles.column("atr_pct")[at],
            candles.column("atr_ratio")[at],
            self.settings.preset(regime),
            self.settings.stops,
            self.settings.components,
            self.settings.sizing.fee if fee is None else fee,
        )

    def size(
        self,
        plan: StopPlan,
        candles: Candles,
        now: datetime,
        *,
        regime: Regime | None,
        equity: float,
        ledger: TradeLedger,
        leverage: float,
        min_stake: float | None,
        max_stake: float,
    ) -> EntrySize:
        """The stake of an entry with this stop. `regime` None (a forced entry): smallest tier of confidence.

        The whole ladder is sized at once; where a rung's stake would be below `min_stake`, there are none.

        Args:
            max_stake: what is free, less what other trades' rungs have reserved.

        Raises:
            RiskError: a number is NaN or has the wrong sign. Refuse the entry.
        """
        at = _last(candles, now)
        if regime is None:
            regime = Regime.from_code(candles.column("regime")[at])
            multiplier = self.settings.preset(regime).size_multiplier * FORCED_ENTRY_TIER
        else:
            multiplier = candles.column("size_multiplier")[at]
        components = self.settings.components
        kelly = estimate(ledger, regime, self.settings.kelly, components)
        throttle = drawdown_multiplier(ledger.drawdown(equity), self.settings.kelly, components)
        preset = self.settings.preset(regime)
        for rungs in (True, False):
            chosen = preset if rungs else replace(preset, allow_dca=False)
            ladder = plan_ladder(plan, chosen, self.settings.ladder, components)
            decision = size_position(
                equity=equity,
                loss_fraction=ladder.loss_fraction,
                fraction=kelly.fraction,
                cap=self.settings.kelly.cap,
                settings=self.settings.sizing,
                size_multiplier=multiplier,
                drawdown_multiplier=throttle,
                leverage=leverage,
                min_stake=min_stake,
                max_stake=max_stake,
            )
            if not ladder.rungs or decision.stake * min(ladder.shares) >= (min_stake or 0.0):
                break
        return EntrySize(decision, kelly, ladder)

    def leverage(self, plan: StopPlan, venue_max: float) -> float:
        """Leverage at which liquidation lies beyond the stop. Raises RiskError."""
        return safe_leverage(plan.stop_fraction, venue_max, self.settings.sizing)


FORCED_ENTRY_TIER = 0.3  # nobody scored it


def _last(candles: Candles, now: datetime) -> int:
    at = candles.last_closed(now)
    if at < 0:
        raise RiskError(f"no candle has closed by {now:%Y-%m-%d %H:%M}; refuse the entry")
    return at
