"""History from files: stamped with its date, known its delay later; what cannot be read is named."""

from datetime import timedelta

import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.store.history import dated_history, funding_history, read_csv, store_csv, written_history
from adaptive_pkg.store.series import SeriesSpec

DAY = timedelta(days=1)
SPEC = SeriesSpec("mvrv/BTC", timedelta(hours=12), 4 * DAY)


def utc(ms):
    return pd.to_datetime(ms, unit="ms", utc=True).dt.strftime("%m-%d %H").tolist()


def test_a_days_value_is_known_its_delay_after_the_day_has_ended():
    rows = pd.DataFrame({"date": ["2024-01-02", "2024-01-01"], "v": [2.0, 1.0]})
    frame = dated_history(rows, SPEC, "date", "v", DAY)
    assert utc(frame["about"]) == ["01-02 00", "01-03 00"]
    assert utc(frame["known"]) == ["01-02 12", "01-03 12"]
    assert frame["value"].tolist() == [1.0, 2.0]


def test_empty_cells_are_left_out():
    rows = pd.DataFrame({"date": ["2024-01-01", "2024-01-02"], "v": [None, 2.0]})
    assert dated_history(rows, SPEC, "date", "v", DAY)["value"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"day": ["2024-01-01"], "v": [1]}, "no column 'date'; there are: day, v"),
        ({"date": ["2024-01-01"], "w": [1]}, "no column 'v'"),
        ({"date": ["01.02.2024"], "v": [1]}, "no ISO dates"),
        ({"date": ["2024-01-01"], "v": ["n/a!"]}, "'n/a!' is no number"),
        ({"date": ["2024-01-01"], "v": [float("inf")]}, "'inf' is no number"),
        ({"date": ["2024-01-01", "2024-01-01T00:00:00Z"], "v": [1, 2]}, "comes twice"),
    ],
)
def test_rows_that_cannot_be_read_are_refused_by_name(rows, words):
    with pytest.raises(DataError, match=words):
        dated_history(pd.DataFrame(rows), SPEC, "date", "v", DAY)


def test_what_is_written_is_read_again_to_the_millisecond(tmp_path):
    rows = pd.DataFrame({"date": ["2024-01-01T00:00:00.123Z", "2024-01-02"], "v": [0.1, 2.0]})
    frame = dated_history(rows, SPEC, "date", "v", DAY)
    store_csv(frame, tmp_path / "deep" / "s.csv")
    pd.testing.assert_frame_equal(written_history(read_csv(tmp_path / "deep" / "s.csv")), frame)


def test_a_written_file_with_an_impossible_time_is_refused():
    rows = pd.DataFrame({"about": ["2024-01-02"], "known": ["2024-01-01"], "value": [1.0]})
    with pytest.raises(DataError, match="before the period"):
        written_history(rows)
    with pytest.raises(DataError, match="cannot be read"):
        written_history(rows.assign(known="soon"))
    with pytest.raises(DataError, match="no column 'about'"):
        written_history(rows.drop(columns="about"))


def test_funding_rates_are_read_as_freqtrade_keeps_them(tmp_path):
    dates = pd.date_range("2024-01-01", periods=3, freq="8h", tz="UTC")
    path = tmp_path / "f.feather"
    pd.DataFrame({"date": dates, "open": [1e-4, 2e-4, -1e-4], "close": 0.0}).to_feather(path)
    spec = SeriesSpec("funding/BTC", timedelta(minutes=5), DAY)
    frame = funding_history(path, spec)
    assert frame["value"].tolist() == [1e-4, 2e-4, -1e-4]
    assert ((frame["known"] - frame["about"]) == 300_000).all()


def test_a_file_that_is_not_there_or_no_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: no such file"):
        read_csv(tmp_path / "no.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match=r"empty\.csv: not a readable CSV"):
        read_csv(tmp_path / "empty.csv")
    with pytest.raises(DataError, match="not a feather file"):
        funding_history(tmp_path / "empty.csv", SPEC)
