"""Every open trade is guarded as planned, or it is said which one is not, and why."""

import numpy as np
import pandas as pd
import pytest
from freqtrade.persistence import Order
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.open_plans import check_open_plans

from .conftest import NOW, Row


def candles(folder, closes, end=NOW):
    dates = pd.date_range(end=end - pd.Timedelta(hours=1), periods=len(closes), freq="1h")
    price = np.asarray(closes, dtype=float)
    frame = pd.DataFrame(
        {"date": dates, "open": price, "high": price, "low": price, "close": price, "volume": 1.0}
    )
    write_candles({"BTC/USDT": frame}, folder, "1h")
    return folder


def test_no_open_trade_is_fine(seen):
    assert check_open_plans(seen([Row(5, 1.0)])).told == "none"


def test_a_sound_trade_is_told_with_what_its_stop_would_bring(seen, tmp_path):
    found = check_open_plans(seen([Row(9, open=True, stop=98.0)], datadir=candles(tmp_path, [99.0] * 5)))
    assert found.verdict is Verdict.OK and found.told.endswith("every plan is sound")
    # 2 lost on 100, and 0.1 % of 100 and of 98
    assert found.figures["if_all_stopped"] == pytest.approx(-2.198)
    assert found.table.rows[0][2:5] == ("initial", "98", "-2.20 USDT")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (Row(9, open=True, plan=None), "no stop plan is stored"),
        (Row(9, open=True, plan={"version": 99}), "its stored plan is unusable"),
        (Row(9, open=True, stop=90.0), "its stop 90 is farther than the plan's 98"),
        (Row(9, open=True, stop=0.0), "holds no stop"),
    ],
)
def test_what_is_wrong_with_a_trade_is_said(seen, row, told):
    found = check_open_plans(seen([row]))
    assert found.verdict is Verdict.ACT and told in found.told and "BTC/USDT (trade 1)" in found.told


def test_a_trade_just_opened_has_the_outer_stop_still(seen):
    """freqtrade starts with the strategy's own stop; the plan's takes over at the first call."""
    assert check_open_plans(seen([Row(1, open=True, stop=70.0)])).verdict is Verdict.OK


def test_a_stop_that_was_passed_two_candles_ago_means_that_nobody_acts(seen, tmp_path):
    rows = [Row(9, open=True, stop=98.0)]
    passed = check_open_plans(seen(rows, datadir=candles(tmp_path, [99.0, 99.0, 97.0, 97.5])))
    assert passed.verdict is Verdict.ACT and "closed beyond its stop 98 (97.5)" in passed.told
    once = check_open_plans(seen(rows, datadir=candles(tmp_path, [99.0, 99.0, 99.0, 97.5])))
    assert once.verdict is Verdict.OK


def test_old_candles_on_disk_judge_no_stop(seen, tmp_path):
    old = candles(tmp_path, [97.0] * 5, end=NOW - pd.Timedelta(days=3))
    assert check_open_plans(seen([Row(9, open=True, stop=98.0)], datadir=old)).verdict is Verdict.OK


def test_an_order_that_waits_for_hours_is_told_and_a_stop_on_the_exchange_is_not(seen):
    inspection = seen([Row(9, open=True)])
    engine = create_engine(f"sqlite:///{inspection.book.file}")
    with Session(engine) as session:
        for side in ("buy", "stoploss"):
            session.add(
                Order(
                    ft_trade_id=1, ft_order_side=side, ft_pair="BTC/USDT", ft_is_open=True, ft_amount=1.0,
                    ft_price=100.0, order_id=side, status="open", symbol="BTC/USDT",
                    order_date=(NOW - pd.Timedelta(hours=5)).to_pydatetime().replace(tzinfo=None),
                )
            )  # fmt: skip
        session.commit()
    engine.dispose()
    from dataclasses import replace

    from adaptive_pkg.upkeep.trade_book import read_trade_book

    found = check_open_plans(replace(inspection, book=read_trade_book(inspection.book.file)))
    assert found.verdict is Verdict.ACT
    assert found.figures["problems"] == [
        "BTC/USDT: its buy order has waited since 2024-06-03 07:00, longer than the bot lets one wait"
    ]
