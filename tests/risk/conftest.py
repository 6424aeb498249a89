"""Plans and ledgers to bend to a scenario's need."""

import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.risk import ClosedTrade, TradeLedger, plan_stop
from adaptive_pkg.settings import ComponentSettings, Preset, StopSettings

HOUR = 3_600_000_000_000  # ns


@pytest.fixture
def make_plan():
    """`make_plan("long")`: entry 100, ATR 1, fee 0.1 %, stop 2 ATR away, target 3 ATR, all stages on.

    So for a long: stop 98, breakeven 100.2002… from a close of 101.5, trailing from 102.5 by 1.5 ATR.
    """

    def make(
        side="long",
        entry=100.0,
        atr=1.0,
        fee=0.001,
        preset=None,
        settings=None,
        components=None,
        **volatility,
    ):
        return plan_stop(
            side,
            entry,
            atr,
            volatility.get("atr_pct", 100.0 * atr / entry),
            volatility.get("atr_ratio", 1.0),
            preset or Preset(stop_atr=2.0, target_atr=3.0, trailing=True),
            settings or StopSettings(),
            components or ComponentSettings(),
            fee,
        )

    return make


@pytest.fixture
def ledger_of():
    """`ledger_of({Regime.CHOPPY: [1.0, -1.0]})`: a ledger holding these R multiples, one trade an hour."""

    def make(r_by_regime):
        ledger, number = TradeLedger(), 0
        for regime, multiples in r_by_regime.items():
            for r_multiple in multiples:
                number += 1
                ledger.add(ClosedTrade(number, number * HOUR, Regime(regime), r_multiple, 10.0 * r_multiple))
        return ledger

    return make
