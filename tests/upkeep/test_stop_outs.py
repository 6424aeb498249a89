"""Stop-outs by stage, against before; and whether a stop loses what it was meant to."""

import numpy as np
import pytest

from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.stop_outs import check_stop_outs

from .conftest import Row


def many(count, first, step=12.0, **fields):
    return [Row(first + step * number, fields.get("r", -1.0), **{k: v for k, v in fields.items() if k != "r"})
            for number in range(count)]  # fmt: skip


def test_exits_are_told_apart_by_the_stage_of_the_stop(seen):
    rows = [
        Row(5, -1.0), Row(6, 0.0, reason="trailing_stop_loss", stop=100.2),
        Row(7, 1.0, reason="trailing_stop_loss", stop=101.5), Row(8, 2.0, reason="roi", stop=101.5),
        Row(300, -1.0),
    ]  # fmt: skip
    found = check_stop_outs(seen(rows))
    assert [row[:2] for row in found.table.rows] == [
        ("stop, initial", "1"), ("stop, breakeven", "1"), ("stop, trailing", "1"), ("roi", "1"),
    ]  # fmt: skip
    assert found.told.startswith("3 of 4 trades ended at a stop this week, 100% of 1 before")


def test_more_stop_outs_than_before_are_worth_a_look(seen):
    before = many(60, 200.0, reason="roi", r=1.0) + many(20, 206.0)
    found = check_stop_outs(seen(before + many(14, 2.0, 11.0)))
    assert found.verdict is Verdict.LOOK and "more stop-outs than usual" in found.told
    assert found.figures["usual_share"][0] == 1.0


def test_as_many_as_ever_are_fine_and_few_are_not_compared(seen):
    before = many(40, 200.0, reason="roi", r=1.0) + many(40, 206.0)
    half = many(7, 2.0, 22.0, reason="roi", r=1.0) + many(7, 13.0, 22.0)
    assert check_stop_outs(seen(before + half)).verdict is Verdict.OK
    assert "too few to compare" in check_stop_outs(seen(before + many(4, 2.0))).told


def test_stops_that_lose_more_than_planned_are_to_be_acted_on(seen):
    rng = np.random.default_rng(3)
    worse = [Row(5 + 30.0 * number, r) for number, r in enumerate(-1.5 + 0.1 * rng.standard_normal(20))]
    found = check_stop_outs(seen(worse))
    assert found.verdict is Verdict.ACT and "stops lose more than planned" in found.told
    assert found.figures["initial_stop_mean_r"][0] == pytest.approx(-1.5, abs=0.1)


def test_stops_that_lose_one_r_are_not(seen):
    rng = np.random.default_rng(3)
    planned = [Row(5 + 30.0 * number, r) for number, r in enumerate(-1.0 + 0.05 * rng.standard_normal(20))]
    found = check_stop_outs(seen(planned))
    assert found.verdict is Verdict.OK and "lost -1.0" in found.told


def test_a_liquidation_is_always_to_be_acted_on(seen):
    found = check_stop_outs(seen([Row(5, -5.0, reason="liquidation"), *many(20, 200.0)]))
    assert found.verdict is Verdict.ACT and "BTC/USDT" in found.told
    assert (
        check_stop_outs(seen([Row(500, -5.0, reason="liquidation")])).verdict is Verdict.OK
    )  # told long ago


def test_nothing_closed_is_nothing_measured(seen):
    assert not check_stop_outs(seen([Row(5, open=True)])).measured
