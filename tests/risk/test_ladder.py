"""The next step of a ladder: scenarios, refusals, and walks that end within the stake and risk planned."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import StopStage
from adaptive_pkg.risk import plan_stop
from adaptive_pkg.risk.ladder import FilledOrder, LadderState, StepKind, next_step, plan_ladder
from adaptive_pkg.settings import ComponentSettings, LadderSettings, Preset, StopSettings

HOLD, ADD, REDUCE = StepKind.HOLD, StepKind.ADD, StepKind.REDUCE
ON = ComponentSettings()
# entry 100, stop 98, rungs 99.25 and 98.5, one step at 101.5; each order has a stake of 100
DCA = Preset(allow_dca=True, dca_levels=2, stop_atr=2.0, target_atr=3.0, scale_out=True)
GRID = replace(DCA, allow_grid=True)


def plan_of(preset=DCA, side="long", fee=0.001, stake=300.0, settings=None, atr=1.0):
    stop = plan_stop(side, 100.0, atr, atr, 1.0, preset, StopSettings(), ON, fee)
    return plan_ladder(stop, preset, settings or LadderSettings(), ON).with_stake(stake)


class Account:
    """Fills a ladder's steps and keeps the orders, as freqtrade would."""

    def __init__(self, plan, leverage=1.0):
        self.plan, self.leverage = plan, leverage
        self.orders = []
        self.fill(True, "trend long", plan.entry_price, plan.first_stake)

    def fill(self, is_entry, tag, price, stake=None, amount=None):
        amount = stake * self.leverage / price if amount is None else amount
        self.orders.append(FilledOrder(is_entry, tag, price, amount, amount * price / self.leverage))

    @property
    def state(self):
        return LadderState.from_orders(self.orders)

    @property
    def amount(self):
        return sum(order.amount if order.is_entry else -order.amount for order in self.orders)

    def ask(self, close, **changes):
        given = {
            "stage": StopStage.INITIAL,
            "may_add": True,
            "available": 1e6,
            "min_stake": None,
            "amount": self.amount,
            "leverage": self.leverage,
        }
        return next_step(self.plan, self.state, close=close, **(given | changes))

    def act(self, close, fill=None, **changes):
        step = self.ask(close, **changes)
        fill = close if fill is None else fill
        if step.kind is ADD:
            self.fill(True, step.tag, fill, step.stake)
        elif step.kind is REDUCE:
            self.fill(False, step.tag, fill, amount=step.part * self.amount)
        return step

    def result_at(self, price):
        """Profit of the whole trade when all that is held is closed at `price`, from cash and fees alone."""
        sign = 1.0 if self.plan.side == "long" else -1.0
        cash = 0.0
        for order in [*self.orders, FilledOrder(False, None, price, self.amount, 0.0)]:
            value = order.amount * order.price
            cash += (-sign if order.is_entry else sign) * value - self.plan.fee * value
        return cash


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize(
    ("preset", "closes", "steps"),
    [
        (DCA, [99.5], [""]),
        (DCA, [99.25], ["rung 1"]),
        (DCA, [99.0, 98.9, 98.5, 98.1], ["rung 1", "", "rung 2", ""]),
        (DCA, [98.3, 98.3, 98.3], ["rung 1", "rung 2", ""]),  # two passed at once: one a candle
        (DCA, [98.3, 99.0, 98.3], ["rung 1", "", "rung 2"]),  # back above rung 2: it waits
        (DCA, [101.49, 101.5, 101.6], ["", "scale out 1", ""]),
        (DCA, [101.5, 99.0], ["scale out 1", "rung 1"]),
        (DCA, [99.0, 102.0], ["rung 1", "scale out 1"]),
        (DCA, [99.0, 100.5], ["rung 1", ""]),  # no grid: a rung is never sold alone
        (GRID, [99.0, 100.1, 100.3, 100.3], ["rung 1", "", "sell rung 1", ""]),
        (GRID, [99.0, 100.3, 99.0, 100.3], ["rung 1", "sell rung 1", "rung 1", "sell rung 1"]),
        (GRID, [99.0, 98.4, 99.5, 98.4], ["rung 1", "rung 2", "sell rung 2", "rung 2"]),
        (GRID, [98.4, 98.4, 101.0, 101.0], ["rung 1", "rung 2", "sell rung 2", "sell rung 1"]),
        (GRID, [99.0, 101.6, 101.6], ["rung 1", "sell rung 1", "scale out 1"]),
        (DCA, [98.0], [""]),  # at the stop
        (DCA, [97.0], [""]),  # through it
    ],
)
def test_scenarios(side, preset, closes, steps):
    sign = 1 if side == "long" else -1
    account = Account(plan_of(preset, side))
    taken = [account.act(100.0 + sign * (close - 100.0)) for close in closes]
    assert [step.tag for step in taken] == steps
    assert all(step.reason for step in taken)


def test_a_rung_adds_its_planned_stake_and_a_step_closes_its_share():
    account = Account(plan_of())
    added = account.act(99.0)
    assert (added.kind, added.stake, added.part) == (ADD, pytest.approx(100.0), 0.0)
    assert account.state.rung(1).price == 99.0
    closed = account.act(102.0)
    assert (closed.kind, closed.stake) == (REDUCE, 0.0)
    assert closed.part == pytest.approx(0.4 * 1.0 / (1.0 + 100 / 99))  # 40 % of the first entry's amount


def test_a_sold_rung_leaves_not_a_single_lot_behind():
    """freqtrade cuts an exit's amount to whole lots: 2.9999999999999996 lots would sell 2."""
    account = Account(plan_of(GRID))
    account.orders = [
        FilledOrder(True, None, 100.0, 0.7, 70.0),
        FilledOrder(True, "rung 1", 99.0, 0.3, 60.0),
    ]
    step = account.ask(100.3)
    assert math.floor(step.part * 1.0 / 0.1) == 3
    assert step.part == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"may_add": False}, "not allowed"),
        ({"stage": StopStage.BREAKEVEN}, "already breakeven"),
        ({"stage": StopStage.TRAILING}, "already trailing"),
        ({"available": 99.0}, "available"),
        ({"min_stake": 100.1}, "below min_stake"),
        ({"busy": "an order is open"}, "an order is open"),
        ({"rate": 100.1}, "bounced"),
        ({"rate": 97.9}, "through the stop"),
        ({"close": 98.0}, "through the stop"),
        ({"close": 98.0, "rate": 98.2}, "through the stop"),
        ({"close": 99.3}, "no rung"),
    ],
)
def test_every_refusal_to_add_says_why(change, reason):
    account = Account(plan_of())
    assert account.ask(99.0).kind is ADD
    step = account.ask(**({"close": 99.0} | change))
    assert (step.kind, step.stake, step.part, step.tag) == (HOLD, 0.0, 0.0, "")
    assert reason in step.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"min_stake": 41.0}, "part closed"),
        ({"amount": 0.4}, "no position"),
        ({"amount": 0.45, "min_stake": 10.0}, "part left"),
        ({"busy": "the exit is due"}, "exit is due"),
    ],
)
def test_every_refusal_to_close_a_part_says_why(change, reason):
    account = Account(plan_of())
    assert account.ask(102.0).kind is REDUCE
    step = account.ask(102.0, **change)
    assert step.kind is HOLD
    assert reason in step.reason


def test_each_step_closes_its_share_of_what_was_bought_first():
    settings = LadderSettings(scale_out_steps=(0.3, 0.6), scale_out_shares=(0.5, 0.3))
    account = Account(plan_of(settings=settings))
    taken = [account.act(close) for close in (102.0, 102.0, 102.0)]  # two passed at once: one a candle
    assert [step.tag for step in taken] == ["scale out 1", "scale out 2", ""]
    assert [order.amount for order in account.orders] == pytest.approx([1.0, 0.5, 0.3])


def test_what_remains_must_be_worth_an_order_before_leverage():
    """Venues' least stake is margin: at 5 × a part of 40 is a margin of 8."""
    account = Account(plan_of(stake=60.0), leverage=5.0)  # first entry: a margin of 20, a value of 100
    assert account.ask(102.0, min_stake=8.0).kind is REDUCE
    assert account.ask(102.0, min_stake=8.2).kind is HOLD


def test_closing_does_not_wait_for_leave_to_add():
    account = Account(plan_of())
    step = account.ask(102.0, may_add=False, stage=StopStage.TRAILING, available=0.0)
    assert step.kind is REDUCE


def test_a_step_too_small_to_close_does_not_keep_a_rung_from_being_sold():
    account = Account(plan_of(GRID, settings=LadderSettings(scale_out_shares=(0.1,))))
    account.act(99.0)
    assert account.ask(102.0, min_stake=20.0).tag == "sell rung 1"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 0.0, -1.0])
@pytest.mark.parametrize("name", ["close", "rate", "amount", "leverage", "available", "min_stake"])
def test_a_number_without_meaning_holds(name, bad):
    account = Account(plan_of())
    values = {"close": 99.0, "rate": 99.0, "min_stake": 1.0}
    assert account.ask(**values).kind is ADD
    if (name, bad) in {("available", math.inf), ("min_stake", 0.0)}:
        assert account.ask(**(values | {name: bad})).kind is ADD
    else:
        step = account.ask(**(values | {name: bad}))
        assert step.kind is HOLD
        assert name in step.reason or "available" in step.reason


def test_nothing_is_done_before_the_entry_has_filled_or_its_stake_is_known():
    plan = plan_of()
    empty = Account(plan)
    empty.orders = []
    assert "no entry" in empty.ask(99.0, amount=1.0).reason
    unknown = Account(plan)
    unknown.plan = replace(plan, planned_stake=0.0)
    assert unknown.ask(99.0).kind is HOLD
    assert "not known" in unknown.ask(99.0).reason


def test_a_rung_filled_in_part_is_topped_up_and_one_filled_by_half_is_left():
    account = Account(plan_of())
    account.fill(True, "rung 1", 99.0, 30.0)
    step = account.ask(99.0)
    assert (step.tag, step.stake) == ("rung 1", pytest.approx(70.0))
    account.fill(True, "rung 1", 99.0, 25.0)
    assert account.ask(99.0).kind is HOLD


def test_a_first_entry_larger_than_planned_leaves_less_for_the_last_rung():
    """freqtrade may raise an entry to the exchange's minimum: the total still is what was decided."""
    account = Account(plan_of())
    account.orders = []
    account.fill(True, "trend long", 100.0, 110.0)
    assert account.act(99.0).stake == pytest.approx(100.0)
    last = account.act(98.4)
    assert last.stake == pytest.approx(90.0)
    assert "planned stake" in last.reason
    account.orders = account.orders[:2]
    account.fill(True, "force_entry", 98.1, 50.0)  # 260 of 300 are held
    assert "is left of the planned stake" in account.ask(98.4).reason


def test_entries_that_cost_more_risk_than_planned_cut_or_refuse_the_next_rung():
    account = Account(plan_of())
    account.orders = []
    account.fill(True, "trend long", 100.4, 100.0)  # filled 0.4 % worse than the plan knows
    account.act(99.2)
    cut = account.ask(98.5)
    assert cut.kind is ADD
    assert 50.0 < cut.stake < 100.0
    assert "planned risk" in cut.reason
    account.orders[0] = FilledOrder(True, "trend long", 101.5, 100 / 101.5, 100.0)
    assert "is left of the planned risk" in account.ask(98.5).reason


@pytest.mark.parametrize(
    ("sold_at", "last_stake"),
    [(99.5, 100.0), (99.2, 64.6)],  # a gain is not risked again; a loss leaves less to risk
)
def test_what_a_round_of_the_grid_has_lost_is_not_risked_again(sold_at, last_stake):
    account = Account(plan_of(GRID))
    account.fill(True, "rung 1", 99.25, 100.0)
    account.fill(False, "sell rung 1", sold_at, amount=100 / 99.25)
    account.fill(True, "rung 1", 99.25, 100.0)
    before = -account.result_at(98.0)
    step = account.act(98.5, rate=98.5)
    assert step.stake == pytest.approx(last_stake, abs=0.1)
    assert before < -account.result_at(98.0) <= account.plan.risk_money() * (1 + 1e-9)


def test_a_gain_of_the_grid_buys_no_leave_to_risk_more():
    account = Account(plan_of(GRID))
    account.fill(True, "rung 1", 99.25, 100.0)
    account.fill(False, "sell rung 1", 102.0, amount=100 / 99.25)
    account.fill(True, "rung 1", 99.65, 100.0)  # worse than planned
    step = account.ask(98.5)
    assert "planned risk" in step.reason


def test_a_price_that_bounced_costs_the_rung_a_part_of_its_stake_never_more_risk():
    """Close at the last rung, all others held: at a rate above the close the planned stake risks too much."""
    account = Account(plan_of())
    account.act(99.25)
    at_rung, above = account.ask(98.5), account.ask(98.5, rate=98.7)
    assert at_rung.stake == pytest.approx(100.0)
    assert above.stake < 100.0
    risk = account.plan.risk_money()
    for step, price in ((at_rung, 98.5), (above, 98.7)):
        trial = Account(account.plan)
        trial.orders = list(account.orders)
        trial.fill(True, step.tag, price, step.stake)
        assert -trial.result_at(98.0) == pytest.approx(risk)


def test_the_state_after_a_restart_gives_the_same_step():
    account = Account(plan_of(GRID))
    for close in (99.0, 98.4, 99.5):
        account.act(close)
    plan = type(account.plan).from_dict(account.plan.to_dict())
    again = Account(plan)
    again.orders = [FilledOrder(*order) for order in account.orders]
    for close in (98.2, 99.0, 100.5, 102.0):
        assert again.ask(close) == account.ask(close)


walks = st.fixed_dictionaries(
    {
        "side": st.sampled_from(["long", "short"]),
        "grid": st.booleans(),
        "levels": st.integers(1, 5),
        "spacing": st.floats(0.4, 1.5),
        "weight": st.floats(0.3, 2.5),
        "step": st.floats(0.2, 2.0),
        "fee": st.floats(0.0, 0.003),
        "leverage": st.floats(1.0, 5.0),
        "seed": st.integers(0, 2**32 - 1),
    }
)


def walk(case, slip):
    """(account, close, step) along a random walk that ends at the stop; orders fill `slip` off the close."""
    preset = Preset(
        allow_dca=True,
        allow_grid=case["grid"],
        dca_levels=case["levels"],
        dca_spacing=case["spacing"],
        stop_atr=2.0,
        target_atr=3.0,
        scale_out=True,
    )
    settings = LadderSettings(weight=case["weight"], grid_step=case["step"])
    plan = plan_of(preset, case["side"], case["fee"], 1000.0, settings)
    account, rng, close = Account(plan, case["leverage"]), np.random.default_rng(case["seed"]), 100.0
    for move, off in zip(rng.normal(-0.0003, 0.004, 60), rng.normal(0.0, slip, 60), strict=True):
        close *= 1.0 + plan.sign * float(move)
        fill = close * (1.0 + float(off))
        if plan.sign * (min(plan.sign * close, plan.sign * fill) * plan.sign - plan.stop_price) <= 0.0:
            return
        step = account.act(close, fill, rate=fill)
        yield account, close, step


@given(case=walks)
def test_no_walk_ever_holds_more_stake_or_risk_than_planned(case):
    """Grid rounds and gaps included: the trade's whole result at its stop is never worse than 1 R."""
    for account, close, step in walk(case, slip=0.001):
        plan, state = account.plan, account.state
        assert state.stake <= plan.planned_stake * (1 + 1e-9)
        assert state.stake + plan.reserved(state) <= plan.planned_stake * (1 + 1e-9)
        assert -account.result_at(plan.stop_price) <= plan.risk_money(account.leverage) * (1 + 1e-9)
        assert account.amount > 0.0
        if step.kind is ADD:
            assert plan.sign * (close - plan.entry_price) < 0.0
        if step.kind is REDUCE:
            assert 0.0 < step.part < 1.0


@given(case=walks)
def test_without_slippage_every_rung_gets_its_whole_stake_and_every_round_of_a_grid_earns(case):
    for account, _, step in walk(case, slip=0.0):
        if step.kind is ADD:
            number = int(step.tag.split()[1])
            assert step.stake == pytest.approx(account.plan.rung_stake(number))
        if step.tag.startswith("sell"):
            sold = account.orders[-1]
            bought = next(o for o in reversed(account.orders) if o.is_entry and sold.tag.endswith(o.tag))
            sign, fee = account.plan.sign, account.plan.fee
            gain = sign * (sold.price - bought.price) - fee * (sold.price + bought.price)
            assert gain > 0.0


@given(
    values=st.fixed_dictionaries(
        {
            name: st.floats(allow_nan=True, allow_infinity=True)
            for name in ("close", "rate", "amount", "leverage", "available", "min_stake")
        }
    ),
    may_add=st.booleans(),
    stage=st.sampled_from(list(StopStage)),
)
def test_whatever_the_numbers_a_step_is_sound(values, may_add, stage):
    account = Account(plan_of(GRID))
    account.act(99.0)
    step = account.ask(**values, may_add=may_add, stage=stage)
    if step.kind is ADD:
        assert may_add
        assert stage is StopStage.INITIAL
        assert max(0.0, values["min_stake"]) <= step.stake <= min(values["available"], 100.0 * (1 + 1e-9))
        assert 98.0 < values["close"] <= 99.25
        assert values["rate"] <= 100.0
    elif step.kind is REDUCE:
        assert 0.0 < step.part < 1.0
    else:
        assert step.reason


@pytest.mark.real_data
@pytest.mark.parametrize("side", ["long", "short"])
def test_on_real_candles_ladders_are_used_and_stay_within_their_plan(real_candles, side):
    """A ladder every 50 hours, decided on closes and filled at the next open, until its stop or target."""
    candles = real_candles("BTC/USDT").iloc[-5000:]
    opens, closes, lows, highs = (candles[name].to_numpy() for name in ("open", "close", "low", "high"))
    atrs = (candles["high"] - candles["low"]).rolling(14).mean().to_numpy()
    preset = replace(GRID, stop_atr=3.0, target_atr=4.0)
    taken = dict.fromkeys(("rung", "sell", "scale"), 0)
    for start in range(50, len(opens) - 50, 50):
        entry, atr = float(opens[start]), float(atrs[start - 1])
        stop = plan_stop(side, entry, atr, 100 * atr / entry, 1.0, preset, StopSettings(), ON, 0.001)
        plan = plan_ladder(stop, preset, LadderSettings(), ON).with_stake(1000.0)
        account = Account(plan)
        for at in range(start, min(start + 100, len(opens) - 1)):
            beyond = lows[at] <= plan.stop_price if side == "long" else highs[at] >= plan.stop_price
            if beyond or stop.target_reached(float(closes[at])):
                break
            fill = float(opens[at + 1])
            step = account.act(float(closes[at]), fill, rate=fill, min_stake=10.0)
            if step.tag:
                taken[step.tag.split()[0]] += 1
            assert account.state.stake <= 1000.0 * (1 + 1e-9)
            assert -account.result_at(plan.stop_price) <= plan.risk_money() * (1 + 1e-9)
    assert min(taken.values()) >= 10, taken
