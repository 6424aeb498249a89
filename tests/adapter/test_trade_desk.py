"""An entry that filled while the bot was down: its plan and ladder are made once there are candles again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from adaptive_pkg.adapter.trade_desk import FILLED_KEY, TradeDesk
from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.closed_candles import ClosedCandles
from adaptive_pkg.risk.ladder import LADDER_KEY
from adaptive_pkg.risk.planner import CANDLE_COLUMNS, EntryPlanner
from adaptive_pkg.risk.stop_plan import PLAN_KEY
from adaptive_pkg.settings import load_settings

PAIR = "BTC/USDT"
START = datetime(2024, 3, 1, tzinfo=UTC)
OPENED = START + timedelta(hours=10, seconds=20)


class Trade(SimpleNamespace):
    """What is read of freqtrade's, with its stored data."""

    def get_custom_data(self, key):
        return self.stored.get(key)

    def set_custom_data(self, key, value):
        self.stored[key] = value


@pytest.fixture
def trade():
    return Trade(
        id=1, pair=PAIR, open_date=OPENED, open_date_utc=OPENED, open_rate=100.0, amount=10.0,
        stake_amount=1000.0, leverage=1.0, is_short=False, trade_direction="long", entry_side="buy",
        enter_tag="volatile_trend.pullback", fee_open=0.001, stop_loss=90.0, has_open_orders=False,
        nr_of_successful_entries=1, orders=[], stored={},
    )  # fmt: skip


@pytest.fixture
def desk():
    return TradeDesk(
        EntryPlanner(load_settings({"adaptive": {"approach": "by_regime"}})),
        ClosedCandles(CANDLE_COLUMNS, 3600),
    )


def candles():
    rows = 12
    return pd.DataFrame(
        {
            "date": pd.date_range(START, periods=rows, freq="1h"),
            "close": 100.0,
            "atr": 1.0,
            "atr_pct": 1.0,
            "atr_ratio": 1.0,
            "regime": Regime.VOLATILE_TREND.code,
            "size_multiplier": 1.0,
        }
    )


ORDER = SimpleNamespace(order_id="77", ft_order_side="buy")


def test_before_the_first_candle_a_fill_is_kept_and_not_an_error(desk, trade):
    assert not desk.filled(trade, ORDER, OPENED, live=True)
    assert trade.stored == {}
    with pytest.raises(DataError, match="no analysed candles"):
        desk.plan(trade)


def test_with_the_first_candle_it_gets_its_plan_its_ladder_and_its_mark(desk, trade):
    desk.filled(trade, ORDER, OPENED, live=True)
    desk.candles.put(PAIR, candles())
    plan = desk.plan(trade)
    assert trade.stored[PLAN_KEY] == plan.to_dict()
    assert trade.stored[LADDER_KEY]["scale_out_prices"], "a volatile trend sells a part on the way"
    assert not trade.stored[LADDER_KEY]["rungs"], "no stake was set aside for rungs by this process"
    assert trade.stored[FILLED_KEY] == {"orders": ["77"]}
    assert not desk.filled(trade, ORDER, OPENED, live=True), "the same fill again changes nothing"


def test_a_plan_that_was_made_for_the_order_gives_way_to_the_fills(desk, trade):
    """The dead process may have planned the order's own price; it filled at a better one."""
    stale = desk.planner.stop_at(
        _put(desk), 9, side="long", price=101.0, regime=Regime.VOLATILE_TREND, fee=0.001
    )
    trade.stored[PLAN_KEY] = stale.to_dict()
    fresh = TradeDesk(desk.planner, ClosedCandles(CANDLE_COLUMNS, 3600))
    fresh.filled(trade, ORDER, OPENED, live=True)
    _put(fresh)
    assert fresh.plan(trade).entry_price == 100.0
    assert trade.stored[PLAN_KEY]["entry_price"] == 100.0


def _put(desk):
    desk.candles.put(PAIR, candles())
    return desk.candles.get(PAIR)
