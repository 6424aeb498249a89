"""The fault plan: read from JSON, wrong ones named, the same dice every time."""

import json

import pytest

from adaptive_pkg.errors import VenueError
from adaptive_pkg.simulator.faults import Chaos, Fault, FaultKind, FaultPlan, read_faults

KLINES, T0 = "GET /api/v3/klines", 1_700_000_000_000


def test_a_file_says_what_where_when_and_how_often(tmp_path):
    rows = [
        {"kind": "latency", "where": "GET *", "from": 60, "to": 120, "seconds": 2, "jitter": 1},
        {"kind": "reset", "where": "POST /api/v3/order", "chance": 0.5, "after": True},
    ]
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"seed": 7, "faults": rows}))
    plan = read_faults(path)
    assert plan == FaultPlan(
        (
            Fault(FaultKind.LATENCY, "GET *", 60, 120, seconds=2, jitter=1),
            Fault(FaultKind.RESET, "POST /api/v3/order", chance=0.5, after=True),
        ),
        seed=7,
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"fault": []}, "an object with `seed` and `faults`"),
        ({"faults": [{"where": "*"}]}, "needs a `kind`"),
        ({"faults": [{"kind": "earthquake"}]}, "'earthquake' is none of latency"),
        ({"faults": [{"kind": "drop", "start": 3}]}, "'start' in .* is unknown"),
        ({"faults": [{"kind": "drop", "chance": 2}]}, "chance: 2 must be a part"),
        ({"faults": [{"kind": "drop", "chance": "often"}]}, "'often' is not a number"),
        ({"faults": [{"kind": "drop", "from": 5, "to": 5}]}, "later than from"),
        ({"faults": [{"kind": "status", "status": 200}]}, "from 400 to 599"),
        ({"faults": [{"kind": "restart"}]}, "a restart has an end"),
    ],
)
def test_a_plan_that_makes_no_sense_is_named(body, says):
    with pytest.raises(VenueError, match=says):
        read_faults(body)


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(VenueError, match=r"none\.json"):
        read_faults(tmp_path / "none.json")


def test_a_fault_strikes_only_in_its_place_and_time():
    chaos = Chaos(FaultPlan((Fault(FaultKind.STATUS, "GET /api/v3/*", 10, 20),)))
    chaos.begin(T0)
    struck = [chaos.find(FaultKind.STATUS, KLINES, T0 + s * 1000) is not None for s in (9, 10, 19, 20)]
    assert struck == [False, True, True, False]
    assert chaos.find(FaultKind.STATUS, "POST /api/v3/order", T0 + 15_000) is None
    assert chaos.find(FaultKind.RESET, KLINES, T0 + 15_000) is None
    assert chaos.struck == {FaultKind.STATUS: 2}


def fates(seed, keys):
    chaos = Chaos(FaultPlan((Fault(FaultKind.DROP, "ws *", chance=0.3),), seed))
    chaos.begin(T0)
    return [chaos.find(FaultKind.DROP, "ws btcusdt@kline_1m", T0, key) is not None for key in keys]


def test_the_dice_follow_the_seed_and_what_they_are_thrown_for():
    keys = [str(i) for i in range(2000)]
    first = fates(1, keys)
    assert first == fates(1, keys) and first != fates(2, keys)
    assert fates(1, keys[::-1]) == first[::-1]  # in whatever order things happen
    assert 0.27 < sum(first) / len(first) < 0.33
    in_a_row = fates(1, [None] * 2000)
    assert in_a_row == fates(1, [None] * 2000) and 0.27 < sum(in_a_row) / 2000 < 0.33


def test_faults_come_and_go_while_it_runs():
    chaos = Chaos()
    chaos.begin(T0)
    number = chaos.add(Fault(FaultKind.LATENCY, seconds=2, jitter=1))
    chaos.add(Fault(FaultKind.LATENCY, "GET *", seconds=3))
    assert all(4 <= chaos.delay_seconds(KLINES, T0) <= 6 for _ in range(50))
    chaos.remove(number)
    assert chaos.delay_seconds(KLINES, T0) == 3
    assert chaos.delay_seconds("POST /api/v3/order", T0) == 0
    chaos.clear()
    assert chaos.delay_seconds(KLINES, T0) == 0
