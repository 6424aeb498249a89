"""The week's regimes beside all weeks before: counted, not modelled."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.market.regime import RegimeFrame
from adaptive_pkg.upkeep import market_regimes
from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.market_regimes import check_regimes, shares_by_stretch

from .conftest import NOW, Row


def series(codes):
    codes = np.asarray(codes, dtype=np.int8)
    dates = pd.date_range(end=NOW - pd.Timedelta(hours=1), periods=len(codes), freq="1h")
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"date": dates, "close": 100 * np.exp(np.cumsum(rng.normal(0, 0.005, len(codes))))})
    return frame, RegimeFrame(codes, np.ones(len(codes)), codes, np.ones(len(codes), dtype=bool))


def weeks(*shares_of_choppy):
    """Codes of whole weeks, oldest first: so much choppy, the rest strong trend."""
    codes = []
    for share in shares_of_choppy:
        choppy = round(168 * share)
        codes += [Regime.CHOPPY.code] * choppy + [Regime.STRONG_TREND.code] * (168 - choppy)
    return codes


def test_stretches_lie_end_to_end_and_the_newest_comes_first():
    shares = shares_by_stretch({"BTC/USDT": series(weeks(0.25, 0.5, 1.0))}, NOW, 7)
    assert shares.shape == (3, 5)
    assert shares[:, Regime.CHOPPY.code] == pytest.approx([1.0, 0.5, 0.25])
    assert shares.sum(axis=1) == pytest.approx([1, 1, 1])


def test_a_pair_that_came_later_counts_from_then_on():
    both = {"BTC/USDT": series(weeks(0.0, 0.0)), "SOL/USDT": series(weeks(1.0))}
    shares = shares_by_stretch(both, NOW, 7)
    assert shares[:, Regime.CHOPPY.code] == pytest.approx([0.5, 0.0])


@pytest.mark.parametrize(
    ("this_week", "verdict"), [(0.9, Verdict.LOOK), (0.3, Verdict.OK)], ids=["never so choppy", "as ever"]
)
def test_only_a_week_as_no_other_is_worth_a_look(seen, monkeypatch, this_week, verdict):
    rng = np.random.default_rng(7)
    past = rng.uniform(0.1, 0.6, 250)
    found = {"BTC/USDT": series(weeks(*past, this_week))}
    monkeypatch.setattr(market_regimes, "regimes_of", lambda seen: (found, ("SOL/USDT",)))
    finding = check_regimes(seen([Row(5, 1.0)]))
    assert finding.verdict is verdict
    assert ("an unusual week: strong_trend 10 %" in finding.told) is (verdict is Verdict.LOOK)
    assert finding.told.endswith("without candles: SOL/USDT")
    figures = finding.figures["regimes"]["choppy"]
    assert figures["share"] == pytest.approx(this_week, abs=0.01)
    assert figures["past_stretches_with_as_much"] == pytest.approx((past >= this_week).mean(), abs=0.02)


def test_a_short_past_calls_nothing_unusual(seen, monkeypatch):
    found = {"BTC/USDT": series(weeks(*[0.1] * 20, 0.9))}
    monkeypatch.setattr(market_regimes, "regimes_of", lambda seen: (found, ()))
    finding = check_regimes(seen([Row(5, 1.0)]))
    assert finding.verdict is Verdict.OK and "only 20 weeks before, too few" in finding.told


def test_without_candles_it_says_what_to_download(seen):
    finding = check_regimes(seen([Row(5, 1.0)]))
    assert (finding.verdict, finding.measured) == (Verdict.LOOK, False)
    assert "freqtrade download-data --timeframes 1h" in finding.remedy


def test_real_detection_on_files(seen, datadir):
    finding = check_regimes(seen([Row(5, 1.0)], datadir=datadir))
    assert finding.measured and finding.verdict is Verdict.OK
    assert sum(item["share"] for item in finding.figures["regimes"].values()) == pytest.approx(1.0)
