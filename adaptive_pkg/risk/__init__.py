"""How much to stake and where to get out: Kelly from closed trades, ATR stops, safe leverage."""

from adaptive_pkg.risk.kelly import KellyEstimate, drawdown_multiplier, estimate, kelly_fraction
from adaptive_pkg.risk.ledger import ClosedTrade, TradeLedger
from adaptive_pkg.risk.leverage import max_safe_leverage, safe_leverage
from adaptive_pkg.risk.sizing import SizeDecision, size_position
from adaptive_pkg.risk.stop_plan import StopPlan, plan_stop, volatility_multiple
from adaptive_pkg.risk.stops import StopState, advance, fill_price, initial_state, is_passed, replay

__all__ = [
    "ClosedTrade",
    "KellyEstimate",
    "SizeDecision",
    "StopPlan",
    "StopState",
    "TradeLedger",
    "advance",
    "drawdown_multiplier",
    "estimate",
    "fill_price",
    "initial_state",
    "is_passed",
    "kelly_fraction",
    "max_safe_leverage",
    "plan_stop",
    "replay",
    "safe_leverage",
    "size_position",
    "volatility_multiple",
]
