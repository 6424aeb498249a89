"""A synthetic market with known regimes, and a loopback venue that speaks Binance's REST."""

from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.market import simulate_market, simulate_markets
from adaptive_pkg.simulator.plan import GapPlan, MarketPlan, RegimePlan

__all__ = [
    "CandleStore",
    "GapPlan",
    "MarketPlan",
    "RegimePlan",
    "simulate_market",
    "simulate_markets",
    "write_candles",
]
