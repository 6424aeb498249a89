"""What asks for something comes first, and decides the exit status."""

import json
from enum import StrEnum

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.upkeep.findings import Finding, Verdict, exit_status, plain, unmeasured, worst_first


def finding(name, verdict):
    return Finding(name, verdict, "said", "" if verdict is Verdict.OK else "do it")


def test_the_worst_comes_first_and_equals_keep_their_order():
    found = [
        finding("a", Verdict.OK),
        finding("b", Verdict.ACT),
        finding("c", Verdict.LOOK),
        finding("d", Verdict.ACT),
    ]
    assert [item.name for item in worst_first(found)] == ["b", "d", "c", "a"]


def test_only_something_to_act_on_is_a_status_of_1():
    assert exit_status([finding("a", Verdict.OK), finding("b", Verdict.LOOK)]) == 0
    assert exit_status([finding("a", Verdict.OK), finding("b", Verdict.ACT)]) == 1


def test_a_finding_that_asks_says_what_for():
    with pytest.raises(ValueError, match="says no what to do"):
        Finding("a", Verdict.ACT, "said")


def test_what_cannot_be_measured_is_worth_a_look_only_where_something_can_be_done():
    assert unmeasured("a", "off").verdict is Verdict.OK
    missing = unmeasured("a", "no candles", "download them")
    assert (missing.verdict, missing.measured, missing.told) == (
        Verdict.LOOK,
        False,
        "not measured: no candles",
    )


def test_figures_of_any_kind_become_json():
    class Word(StrEnum):
        A = "a"

    values = {
        "nan": float("nan"), "inf": np.inf, "int": np.int64(3), "flag": np.bool_(True), "word": Word.A,
        "when": pd.Timestamp("2024-01-01", tz="UTC"), "many": (1, np.float64(0.5)), Word.A: None,
    }  # fmt: skip
    assert json.loads(json.dumps(plain(values), allow_nan=False)) == {
        "nan": None, "inf": None, "int": 3, "flag": True, "word": "a",
        "when": "2024-01-01 00:00:00+00:00", "many": [1, 0.5], "a": None,
    }  # fmt: skip
