"""A week of trades beside the record: alarms only where luck does not explain it."""

import numpy as np
import pytest

from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.inspection import Period
from adaptive_pkg.upkeep.kelly_record import check_kelly

from .conftest import Row


def record(rs, first_hours=200.0, step=12.0):
    """Trades before this week, one every `step` hours."""
    return [Row(first_hours + step * number, float(r)) for number, r in enumerate(rs)]


def week(rs, step=10.0):
    return [Row(2.0 + step * number, float(r)) for number, r in enumerate(rs)]


def test_without_a_trade_nothing_is_measured(seen):
    found = check_kelly(seen([Row(3, open=True)]))
    assert (found.measured, found.verdict, found.told) == (
        False,
        Verdict.OK,
        "not measured: no closed trade yet",
    )


def test_a_record_that_loses_beyond_luck_is_to_be_acted_on(seen):
    rng = np.random.default_rng(1)
    found = check_kelly(seen(record(rng.choice([-1.0, 0.8], 200, p=[0.7, 0.3]))))
    assert found.verdict is Verdict.ACT and "/stopentry" in found.remedy
    assert found.figures["all_trades_mean_r_99"][2] < 0


def test_a_bad_week_is_looked_at_and_not_acted_on(seen):
    rng = np.random.default_rng(2)
    found = check_kelly(seen(record(rng.normal(0.3, 1.0, 200)) + week([-1.0] * 15)))
    assert found.verdict is Verdict.LOOK and "one week in forty" in found.remedy
    assert "such a week usually brings" in found.told and found.figures["usual_mean_r"][0] == -1.0


def test_a_few_bad_trades_say_nothing(seen):
    rng = np.random.default_rng(2)
    found = check_kelly(seen(record(rng.normal(0.3, 1.0, 200)) + week([-1.0] * 5)))
    assert found.verdict is Verdict.OK and "too few to compare" in found.told


def test_every_figure_of_the_week_is_right(seen):
    found = check_kelly(seen(record([1.0, -1.0] * 20) + week([2.0, 2.0, -1.0, -1.0])))
    recent, before = found.figures["recent"], found.figures["before"]
    assert (recent["trades"], before["trades"]) == (4, 40)
    assert (recent["win_rate"], recent["payoff"], recent["mean_r"]) == pytest.approx((0.5, 2.0, 0.5))
    assert recent["win_rate_95"] == pytest.approx((0.150, 0.850), abs=1e-3)  # Wilson, 2 of 4
    assert found.figures["estimate_before"]["win_probability"] == pytest.approx(0.5)
    row = found.table.rows[0]
    assert row[:4] == ("this week", "4", "50% (15% to 85%)", "2.00")


def test_trades_that_cannot_be_counted_in_r_are_told(seen):
    found = check_kelly(seen([Row(9, 1.0), Row(8, 1.0, plan=None), Row(7, 1.0, tag="force_entry")]))
    assert "2 without a usable plan or a regime in the tag are left out" in found.told


def test_the_span_is_the_period(seen):
    rows = [Row(24 * 20, 1.0), Row(24 * 60, 1.0), Row(24 * 2, 1.0)]
    for period, count in ((Period.WEEKLY, 1), (Period.MONTHLY, 2), (Period.QUARTERLY, 3)):
        assert check_kelly(seen(rows, period)).figures["recent"]["trades"] == count


@pytest.mark.parametrize("seed", range(4))
def test_an_honest_coin_raises_no_alarm(seen, seed):
    rng = np.random.default_rng(seed)
    found = check_kelly(seen(record(rng.normal(0.0, 1.0, 150)) + week(rng.normal(0.0, 1.0, 15))))
    assert found.verdict is Verdict.OK
