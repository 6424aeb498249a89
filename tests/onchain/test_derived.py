"""Derived columns are what their table says, known with the last thing they are made of, and never change."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.onchain.derived import first_releases, funding_z, in_order, log_change, net_inflow
from adaptive_pkg.store.as_of import as_of, empty_history

LONG = timedelta(days=1000)


def history(about, known, value):
    return pd.DataFrame(
        {
            "about": np.array(about, np.int64),
            "known": np.array(known, np.int64),
            "value": np.array(value, float),
        }
    )


def test_a_change_is_known_when_both_of_its_ends_are():
    frame = history([0, 10, 20], [50, 12, 22], [100.0, 110.0, 99.0])
    change = log_change(frame, timedelta(milliseconds=10))
    assert dict(zip(change["about"], change["known"], strict=True)) == {20: 22, 10: 50}
    by_period = change.set_index("about")["value"]
    assert by_period[10] == pytest.approx(np.log(1.1)) and by_period[20] == pytest.approx(np.log(0.9))


def test_a_change_over_a_gap_or_from_nothing_is_none():
    frame = history([0, 10, 30], [0, 10, 30], [0.0, 110.0, 99.0])
    assert log_change(frame, timedelta(milliseconds=10)).empty


def test_net_inflow_is_what_came_less_what_went_by_all_there_is():
    inflow, outflow = history([1, 2], [5, 6], [30, 10]), history([1, 2], [9, 6], [10, 20])
    flow = net_inflow(inflow, outflow, history([1, 2, 3], [4, 8, 9], [1000, 1000, 1000])).set_index("about")
    assert flow["value"].to_dict() == pytest.approx({1: 0.02, 2: -0.01})
    assert flow["known"].to_dict() == {1: 9, 2: 8}


def test_funding_z_by_hand_and_none_without_enough_or_without_movement():
    values = [1.0, 2.0, 4.0, 1.0]
    frame = history(range(4), range(4), values)
    scores = funding_z(frame, window=3, least=3)
    last = np.array(values[1:])
    assert len(scores) == 2
    assert scores["value"].iloc[-1] == pytest.approx((1.0 - last.mean()) / last.std(ddof=1))
    assert funding_z(history(range(50), range(50), [1e-4] * 50)).empty
    assert funding_z(frame).empty and funding_z(empty_history()).empty


def test_first_releases_stay_and_late_comers_do_not_enter_a_running_window():
    frame = history([0, 10, 0, 5], [1, 11, 20, 30], [1, 2, 3, 4])
    assert first_releases(frame)["value"].tolist() == [1, 4, 2]
    assert in_order(frame)["value"].tolist() == [1, 2]


def test_a_rate_that_comes_late_changes_no_score_that_was_known_before():
    about = [0, 1, 2, 4, 5, 6, 7]
    frame = history(about, about, [1, 2, 4, 1, 3, 5, 2])
    late = pd.concat([frame, history([3], [100], [50])], ignore_index=True)
    pd.testing.assert_frame_equal(funding_z(late, window=5, least=3), funding_z(frame, window=5, least=3))


rows = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(1, 9)), max_size=40)
DERIVED = {
    "change": lambda frame: log_change(frame, timedelta(milliseconds=7)),
    "flow": lambda frame: net_inflow(frame, frame.assign(value=frame["value"] ** 2), frame),
    "z": lambda frame: funding_z(frame, window=5, least=3),
}


@pytest.mark.parametrize("name", DERIVED)
@settings(max_examples=40)
@given(drawn=rows, end=st.integers(0, 45))
def test_what_becomes_known_later_changes_no_earlier_value(name, drawn, end):
    frame = pd.DataFrame(drawn, columns=["about", "late", "value"]).astype({"value": float})
    frame["known"] = frame["about"] + frame.pop("late")
    frame = frame.drop_duplicates(["about", "known"])
    times = np.arange(end + 1)
    whole = as_of(DERIVED[name](frame), times, LONG).value
    cut = as_of(DERIVED[name](frame[frame["known"] <= end]), times, LONG).value
    # rolling sums carry rounding of rows before: equal to the last few bits
    np.testing.assert_allclose(whole, cut, rtol=1e-9, atol=1e-9)
