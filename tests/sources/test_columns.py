"""The columns of a coin's candles: as known at each close, neutral where missing, off by default."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.sources.columns import SOURCE_COLUMNS, add_source_columns
from adaptive_pkg.sources.files import FileKind, import_file
from adaptive_pkg.store.observations import ObservationStore
from adaptive_pkg.store.series import milliseconds

ON = SourcesSettings(enabled=True)
SERIES = {  # hours between two values, hours until it is known, level, spread
    "fear_greed": (24, 1, 50, 10),
    "x/BTC": (1, 0, 0.1, 0.1),
    "reddit/BTC": (1, 0, -0.1, 0.1),
    "mvrv/BTC": (24, 12, 2, 0.1),
    "active_addresses/BTC": (24, 12, 9e5, 1e4),
    "exchange_inflow/BTC": (24, 12, 3e4, 1e3),
    "exchange_outflow/BTC": (24, 12, 3e4, 1e3),
    "supply/BTC": (24, 12, 2e7, 0),
    "funding/BTC": (8, 0.1, 1e-4, 1e-5),
    "open_interest/BTC": (1, 0.1, 8e4, 1e3),
}


@pytest.fixture
def store(tmp_path):
    with ObservationStore(tmp_path / "s.sqlite") as store:
        yield store


@pytest.fixture
def filled(store, random_candles):
    """Every series over the candles' time, from 40 days before them, with a correction now and then."""
    rng = np.random.default_rng(2)
    start = milliseconds(random_candles(1)["date"].iloc[0].to_pydatetime() - timedelta(days=40))
    for name, (every, late, level, spread) in SERIES.items():
        about = start + np.arange(0, 60 * 24, every) * 3_600_000
        value = level + spread * rng.standard_normal(len(about))
        history = pd.DataFrame({"about": about, "known": about + int(late * 3_600_000), "value": value})
        again = history.iloc[::5].assign(
            known=lambda rows: rows["known"] + 5 * 3_600_000, value=lambda rows: rows["value"] * 1.01
        )
        store.append(name, pd.concat([history, again]))
    return store


def test_every_column_is_there_and_known(filled, random_candles):
    frame = add_source_columns(random_candles(24 * 10), "BTC", filled.history, ON, 3600)
    for name in SOURCE_COLUMNS:
        assert frame[f"{name}_known"].all() and frame[name].notna().all(), name
    np.testing.assert_allclose(
        frame["sentiment"], 0.4 * frame["x"] + 0.3 * frame["reddit"] + 0.3 * frame["fear_greed"]
    )
    assert frame[["x", "reddit", "fear_greed"]].abs().max().max() <= 1


def test_no_column_holds_a_value_before_it_was_known(filled, random_candles):
    candles = random_candles(24 * 15)
    whole = add_source_columns(candles, "BTC", filled.history, ON, 3600)
    for row in (5, 97, 200, 301):
        close = candles["date"].iloc[row].to_pydatetime() + timedelta(hours=1)
        then = add_source_columns(
            candles.iloc[: row + 1], "BTC", lambda series, at=close: filled.history(series, at), ON, 3600
        )
        pd.testing.assert_frame_equal(whole.iloc[: row + 1], then)


def test_what_comes_in_later_changes_no_row_that_has_closed(filled, random_candles):
    candles = random_candles(24 * 15)
    before = add_source_columns(candles, "BTC", filled.history, ON, 3600)
    end = milliseconds(candles["date"].iloc[-1].to_pydatetime()) + 3_600_000
    for name in SERIES:
        history = filled.history(name)
        late = history.iloc[-30:].drop_duplicates("about")
        late = late.assign(known=end + 1, value=late["value"] * 9)
        filled.append(name, late[late["about"] <= end])
    pd.testing.assert_frame_equal(add_source_columns(candles, "BTC", filled.history, ON, 3600), before)


def test_a_source_that_stops_goes_stale_and_leaves_the_composite_to_the_others(store, random_candles):
    candles = random_candles(72)
    start = milliseconds(candles["date"].iloc[0].to_pydatetime())
    for name, value in (("fear_greed", 75.0), ("x/BTC", -0.5)):
        store.append(name, pd.DataFrame({"about": [start], "known": [start], "value": [value]}))
    frame = add_source_columns(candles, "BTC", store.history, ON, 3600)
    assert frame["x_known"].sum() == 4 and frame["fear_greed_known"].sum() == 49
    assert frame["sentiment"].iloc[3] == pytest.approx((0.4 * -0.5 + 0.3 * 0.5) / 0.7)
    assert frame["sentiment"].iloc[4] == pytest.approx(0.5)
    assert frame["sentiment"].iloc[48] == pytest.approx(0.5) and np.isnan(frame["sentiment"].iloc[49])
    assert not frame["sentiment_known"].iloc[49]


def test_off_and_empty_are_the_same_neutral_columns(store, random_candles):
    candles = random_candles(5)
    off = add_source_columns(candles, "BTC", store.history, SourcesSettings(), 3600)
    empty = add_source_columns(candles, "BTC", store.history, ON, 3600)
    assert set(off.columns) == set(empty.columns) and list(candles.columns) == list(off.columns[:6])
    pd.testing.assert_frame_equal(off[empty.columns], empty)
    assert off[list(SOURCE_COLUMNS)].isna().all(axis=None)


@pytest.mark.real_data
def test_the_real_index_never_stands_in_a_candle_before_its_midnight(store, real_datadir, real_candles):
    path = real_datadir.parent / "sentiment" / "fear_greed_daily.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    import_file(store, path, FileKind.FEAR_GREED, ON)
    candles = real_candles("BTC/USDT")
    frame = add_source_columns(candles, "BTC", store.history, ON, 3600)
    index = pd.read_csv(path, parse_dates=["date"]).set_index("date")["value"]
    day = pd.Timestamp("2022-06-14")
    rows = frame[frame["date"].dt.tz_localize(None).dt.floor("D") == day]
    mood = (index - 50) / 50
    # known at 1:00, which is the close of the day's first candle
    assert rows["fear_greed"].tolist() == pytest.approx([mood[day]] * 24)
    eve = frame[frame["date"] == "2022-06-13 23:00:00+00:00"]["fear_greed"]
    assert eve.tolist() == pytest.approx([mood[pd.Timestamp("2022-06-13")]])
