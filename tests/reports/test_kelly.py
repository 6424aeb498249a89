"""The Kelly report is right in every figure, from a database and from a backtest."""

import json
import math
import zipfile
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from freqtrade.persistence import Trade
from freqtrade.persistence.base import ModelBase
from freqtrade.persistence.custom_data import _CustomData
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.reports.kelly import POOLED, analyse, report_kelly
from adaptive_pkg.reports.trade_record import read_record, record_of_backtest
from adaptive_pkg.risk import ClosedTrade, StopPlan
from adaptive_pkg.risk.stop_plan import PLAN_KEY
from adaptive_pkg.settings import AdaptiveSettings

START = datetime(2023, 1, 1, tzinfo=UTC)
PLAN = StopPlan(
    side="long", entry_price=100.0, atr=1.0, fee=0.001, initial_stop=98.0, breakeven_stop=100.2,
    target_price=103.0, breakeven_trigger=0.015, trail_trigger=0.025, trail_atr=1.5, market_gap=0.1,
    breakeven=True, trailing=True, target=True,
)  # fmt: skip
LOSS_FRACTION = 0.02 + 0.001 * 1.98  # of PLAN: 2 % and both fees


def a_trade(number, profit, *, tag="strong_trend.breakout", is_open=False, leverage=2.0):
    """100 staked, so a position of 200 at leverage 2, closed in hour `number`."""
    closed = START + timedelta(hours=number)
    return Trade(
        pair="BTC/USDT", exchange="binance", stake_amount=100.0, amount=1.0, open_rate=100.0,
        fee_open=0.001, fee_close=0.001, is_open=is_open, is_short=False, leverage=leverage, enter_tag=tag,
        open_date=(closed - timedelta(hours=1)).replace(tzinfo=None),
        close_date=None if is_open else closed.replace(tzinfo=None),
        close_rate=None if is_open else 101.0, close_profit_abs=None if is_open else profit,
    )  # fmt: skip


@pytest.fixture
def database(tmp_path):
    """`database([(trade, stored plan or None), …])`: a file with freqtrade's own tables."""

    def make(rows):
        path = tmp_path / "trades v3.sqlite"
        engine = create_engine(f"sqlite:///{path}")
        ModelBase.metadata.create_all(engine)
        with Session(engine) as session:
            for trade, plan in rows:
                session.add(trade)
                session.flush()
                if plan is not None:
                    session.add(
                        _CustomData(
                            ft_trade_id=trade.id, cd_key=PLAN_KEY, cd_type="dict", cd_value=json.dumps(plan)
                        )
                    )
            session.commit()
        engine.dispose()
        return path

    return make


def in_r(number, r_multiple, **fields):
    return a_trade(number, r_multiple * 200.0 * LOSS_FRACTION, **fields), PLAN.to_dict()


def closed(number, regime, r_multiple):
    return ClosedTrade(number, number, regime, r_multiple, r_multiple)


TEXTBOOK = [2.0 if i % 20 < 11 else -1.0 for i in range(40)]  # 55 % wins of 2 R


def test_the_textbook_record_of_a_database_is_read_to_the_last_figure(database, tmp_path, capsys):
    path, out = database([in_r(i, r) for i, r in enumerate(TEXTBOOK)]), tmp_path / "out" / "kelly.json"
    assert report_kelly(path, AdaptiveSettings(), None, out) == 0
    figures = json.loads(out.read_text())
    rows = {row["regime"]: row for row in figures["rows"]}
    assert list(rows) == [*Regime, POOLED]
    strong, pooled = rows["strong_trend"], rows[POOLED]
    assert strong["trades"] == pooled["trades"] == figures["used_trades"] == 40
    assert (strong["own_win_probability"], pooled["used_win_probability"]) == pytest.approx((0.55, 0.55))
    assert (strong["own_payoff_ratio"], pooled["used_payoff_ratio"]) == pytest.approx((2.0, 2.0))
    assert pooled["full_kelly_fraction"] == pytest.approx(0.325)
    # 40 trades beside a start of 1 % that counts as 600: 1/16 of the way to a quarter of full Kelly
    assert pooled["trust"] == pytest.approx(40 / 640)
    assert pooled["fraction_at_risk"] == pytest.approx(0.01 + (0.08125 - 0.01) / 16)
    assert pooled["used_mean_r"] == pytest.approx(0.65)
    # variance of R: (22·4 + 18·1)/40 − 0.65²
    half = 1.96 * math.sqrt((2.65 - 0.4225) / 40)
    assert pooled["used_mean_r_ci95_low"] == pytest.approx(0.65 - half)
    assert pooled["used_mean_r_ci95_high"] == pytest.approx(0.65 + half)
    # 1.4 % of 1,000 at a loss of 2.2 % would be 658: no more than 30 % of equity goes into one position
    assert pooled["next_stake"] == pytest.approx(300.0)
    assert "max_position_fraction" in pooled["next_stake_limited_by"]
    assert (figures["left_out_trades"], figures["note"], figures["equity"]) == ({}, "", 1000.0)
    printed = capsys.readouterr().out
    assert "+32.50%" in printed and "1.45%" in printed and "note" not in printed


def test_the_weight_of_a_regimes_own_record_is_shown_where_regimes_differ():
    trades = [closed(2 * i, Regime.CHOPPY, 2.0 if i % 10 < 7 else -1.0) for i in range(100)]
    trades += [closed(2 * i + 1, Regime.TIGHT_RANGE, 2.0 if i % 10 < 3 else -1.0) for i in range(100)]
    rows = {row.regime: row for row in analyse(sorted(trades, key=lambda t: t.closed_at), _settings(), None)}
    assert (rows["choppy"].own_win_probability, rows["tight_range"].own_win_probability) == (0.7, 0.3)
    assert 0.5 < rows["choppy"].own_record_weight < 1.0
    assert 0.5 < rows["choppy"].used_win_probability < 0.7
    assert rows["choppy"].fraction_at_risk > 0.01 > rows["tight_range"].fraction_at_risk >= 0.005
    # a regime without trades has the pooled figures and no own ones
    assert rows["transitional"].own_win_probability is rows["transitional"].own_payoff_ratio is None
    assert rows["transitional"].used_win_probability == rows[POOLED].used_win_probability == 0.5


def _settings():
    return AdaptiveSettings()


def test_before_enough_trades_there_is_no_estimate_but_an_interval():
    row = analyse([closed(i, Regime.CHOPPY, r) for i, r in enumerate([2.0, -1.0])], _settings(), None)[-1]
    assert (row.full_kelly_fraction, row.used_payoff_ratio) == (None, None)
    assert row.fraction_at_risk == 0.01
    # mean 0.5, standard deviation 1.5, two trades
    assert row.used_mean_r_ci95_low == pytest.approx(0.5 - 1.96 * 1.5 / math.sqrt(2))


def test_the_drawdown_of_the_record_lowers_the_next_stake_once_the_equity_is_known():
    trades = [ClosedTrade(i, i, Regime.STRONG_TREND, -1.0, -10.0) for i in range(40)]
    free, known = (analyse(trades, _settings(), equity)[-1] for equity in (None, 1000.0))
    # 400 lost of 1,400 is beyond drawdown_full: 15 % of the size
    assert known.next_stake == pytest.approx(0.15 * free.next_stake)
    assert free.next_stake == pytest.approx(0.005 * 1000.0 / LOSS_FRACTION)


def test_open_trades_and_trades_that_are_not_ours_are_counted_out_loud(database, capsys):
    broken = {**PLAN.to_dict(), "initial_stop": 101.0}
    path = database(
        [
            in_r(1, 2.0),
            in_r(2, -1.0),
            in_r(3, -1.0, is_open=True),
            in_r(4, 1.0, tag="force_entry"),
            (a_trade(5, 1.0), None),
            (a_trade(6, 1.0), broken),
        ]
    )
    record = read_record(path)
    assert [trade.r_multiple for trade in record.trades] == pytest.approx([2.0, -1.0])
    assert (record.closed, sum(record.left_out.values())) == (5, 3)
    assert report_kelly(path, _settings(), None, None) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "left out of 5 closed trades: 1 without a regime in their entry tag, 1 without a stop plan" in printed
    )


def test_trades_are_counted_in_the_order_of_their_close(database):
    path = database([in_r(9, 2.0), in_r(3, -1.0)])
    assert [trade.r_multiple for trade in read_record(path).trades] == pytest.approx([-1.0, 2.0])


def test_the_database_is_only_read(database):
    path = database([in_r(i, r) for i, r in enumerate(TEXTBOOK)])
    before = path.read_bytes()
    path.chmod(0o444)
    read_record(path)
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_what_is_no_record_of_trades_is_named(tmp_path, database):
    text, foreign, archive = (tmp_path / name for name in ("a.txt", "b.sqlite", "c.zip"))
    text.write_text("closed trades")
    engine = create_engine(f"sqlite:///{foreign}")
    with engine.begin() as connection:
        connection.exec_driver_sql("create table songs (title text)")
    engine.dispose()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "nothing")
    for path, message in (
        (tmp_path / "nowhere.sqlite", "no such file"),
        (tmp_path, "no such file"),
        (text, "neither a sqlite trade database nor a backtest result zip"),
        (foreign, "cannot be read as a freqtrade trade database .*no such table"),
        (archive, "cannot be read as a backtest result"),
        (database([]), "no closed trade yet"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            report_kelly(path, _settings(), None, None)
        assert str(path) in str(caught.value)
    engine = create_engine(f"sqlite:///{foreign}")
    with engine.connect() as connection:  # freqtrade's own way in would have laid its tables in there
        assert connection.exec_driver_sql("select name from sqlite_master").scalars().all() == ["songs"]
    engine.dispose()


def test_a_database_of_foreign_trades_only_is_refused_with_the_reason(database):
    with pytest.raises(DataError, match=r"none of 1 closed trades .*1 without a stop plan"):
        read_record(database([(a_trade(1, 1.0), None)]))


def test_equity_must_be_money():
    with pytest.raises(RiskError, match="equity"):
        analyse([closed(1, Regime.CHOPPY, 1.0)], _settings(), -5.0)


def exported(*rows):
    """A backtest's trades: (tag, profit, exit reason, stop fraction, where the stop stood at the end)."""
    return pd.DataFrame(
        [
            {
                "enter_tag": tag, "profit_abs": profit, "exit_reason": reason,
                "stop_loss_ratio": -2.0 * planned, "stop_loss_abs": stop,
                "open_rate": 100.0, "leverage": 2.0, "is_short": stop > 101.5,
                "stake_amount": 100.0, "fee_open": 0.001, "close_timestamp": 1_672_531_200_000 + 1000 * i,
                "pair": "BTC/USDT:USDT",
            }
            for i, (tag, profit, reason, planned, stop) in enumerate(rows)
        ]
    )  # fmt: skip


def test_an_unmoved_stop_tells_the_initial_risk_of_a_backtest_trade():
    record = record_of_backtest(
        exported(
            ("strong_trend.breakout", -200 * LOSS_FRACTION, "stop_loss", 0.02, 98.0),
            ("strong_trend.breakout", 400 * LOSS_FRACTION, "roi", 0.02, 98.0),
            # a short's stop is above: 2 % and fees on 100 and on 102
            ("strong_trend.pullback", -200 * (0.02 + 0.001 * 2.02), "stop_loss", 0.02, 102.0),
        )
    )
    assert [trade.r_multiple for trade in record.trades] == pytest.approx([-1.0, 2.0, -1.0])
    assert (record.r_known, record.note) == (3, "")


def test_a_moved_stop_takes_its_regimes_mean_stop_out_and_the_report_says_so():
    one_percent, three_percent = 0.01 + 0.001 * 1.99, 0.03 + 0.001 * 1.97
    record = record_of_backtest(
        exported(
            ("choppy.x", -200 * one_percent, "stop_loss", 0.01, 99.0),
            ("choppy.x", -200 * three_percent, "stop_loss", 0.03, 97.0),
            ("choppy.x", 200 * LOSS_FRACTION, "trailing_stop_loss", 0.015, 100.9),
            (
                "tight_range.x",
                200 * LOSS_FRACTION,
                "roi",
                0.015,
                100.9,
            ),  # a regime without any: the mean of all
            ("someone else's", 5.0, "roi", 0.02, 98.0),
        )
    )
    assert [trade.r_multiple for trade in record.trades] == pytest.approx([-1.0, -1.0, 1.0, 1.0])
    assert (record.r_known, record.closed) == (2, 5)
    assert record.left_out == {"without a regime in their entry tag": 1}
    assert "known of 2 of 4 trades" in record.note and "approximate" in record.note


def test_without_one_unmoved_stop_nothing_is_made_up(tmp_path):
    path = a_zip(tmp_path, exported(("choppy.x", 5.0, "roi", 0.015, 100.9)))
    with pytest.raises(DataError, match=r"none of 1 closed trades .* not one unmoved stop"):
        report_kelly(path, _settings(), None, None)


def a_zip(folder, frame):
    """The trades in the layout of freqtrade's own export."""
    path = folder / "backtest-result-2023-01-02_00-00-00.zip"
    trades = frame.assign(open_date="2023-01-01 00:00:00+00:00", close_date="2023-01-01 01:00:00+00:00")
    content = {"strategy": {"AdaptiveGRU": {"trades": trades.to_dict("records")}}, "strategy_comparison": []}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{path.stem}.json", json.dumps(content))
        file.writestr(f"{path.stem}.meta.json", json.dumps({"AdaptiveGRU": {}}))
    return path


def test_a_backtest_result_is_reported_with_its_note(tmp_path, capsys):
    frame = exported(
        *[
            ("choppy.x", 200 * r * LOSS_FRACTION, "stop_loss" if r < 0 else "roi", 0.02, 98.0)
            for r in TEXTBOOK
        ],
        ("choppy.x", 0.0, "trailing_stop_loss", 0.015, 100.2),
    )
    out = tmp_path / "kelly.json"
    assert report_kelly(a_zip(tmp_path, frame), _settings(), None, out) == 0
    figures = json.loads(out.read_text())
    assert (figures["used_trades"], figures["trades_with_known_initial_risk"]) == (41, 40)
    assert figures["rows"][-1]["own_win_probability"] == pytest.approx(22 / 41)
    assert "known of 40 of 41 trades" in " ".join(capsys.readouterr().out.split())


def test_the_record_is_resampled_on_request_only(database, tmp_path, capsys):
    path, out = database([in_r(i, r) for i, r in enumerate(TEXTBOOK * 2)]), tmp_path / "kelly.json"
    report_kelly(path, AdaptiveSettings(), None, out)
    assert json.loads(out.read_text())["resampled"] is None
    assert "resampled" not in capsys.readouterr().out
    report_kelly(path, AdaptiveSettings(), None, out, resamples=20)
    assert json.loads(out.read_text())["resampled"]["resamples"] == 20
    assert "80 trades in 20 resampled orders" in " ".join(capsys.readouterr().out.split())
