"""What the doctor reads outside the config: databases, models' folders, the venue's clock."""

import itertools

import pytest

from adaptive_pkg.doctor.facts import (
    ClockReading,
    TradeDatabase,
    count_predictions,
    database_url,
    exchange_time,
    read_clock,
    read_database,
)


def test_orders_of_a_dry_run_and_of_real_money_are_told_apart(trades):
    path = trades("mixed.sqlite", "dry_run_buy_BTC/USDT_1.5", "dry_run_sell_ETH/USDT_2", "4711")
    assert read_database(f"sqlite:///{path}") == TradeDatabase(path, 2, 1, 2)


def test_closed_trades_of_a_dry_run_are_no_open_ones(trades):
    path = trades("closed.sqlite", "dry_run_buy_BTC/USDT_1", is_open=False)
    assert read_database(f"sqlite:///{path}") == TradeDatabase(path, 1, 0, 0)


def test_reading_creates_and_changes_nothing(trades, tmp_path):
    missing = tmp_path / "none.sqlite"
    assert read_database(f"sqlite:///{missing}") == TradeDatabase(missing)
    assert not missing.exists()
    path = trades("one.sqlite", "4711")
    before = path.read_bytes()
    read_database(f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert {item.name for item in tmp_path.iterdir()} == {"one.sqlite"}


def test_a_file_that_is_no_database_is_said_so(tmp_path):
    path = tmp_path / "t.sqlite"
    path.write_text("no database at all" * 100)
    assert "not a database" in read_database(f"sqlite:///{path}").unreadable


@pytest.mark.parametrize("url", ["sqlite://", "postgresql://u:p@h/trades", "nonsense"])
def test_what_is_no_file_is_not_opened(url):
    assert read_database(url) == TradeDatabase(None)


def test_the_database_is_the_one_freqtrade_opens():
    assert database_url({"dry_run": True}) == "sqlite:///tradesv3.dryrun.sqlite"
    assert database_url({"dry_run": True, "db_url": "sqlite:///tradesv3.sqlite"}).endswith("dryrun.sqlite")
    assert database_url({"dry_run": False}) == "sqlite:///tradesv3.sqlite"
    assert database_url({"dry_run": False, "db_url": "sqlite:///mine"}) == "sqlite:///mine"


def test_a_backtests_predictions_are_counted_where_freqai_is_on(tmp_path):
    folder = tmp_path / "models" / "mine" / "backtesting_predictions"
    config = {"user_data_dir": tmp_path, "freqai": {"enabled": True, "identifier": "mine"}}
    assert count_predictions(config) == 0
    folder.mkdir(parents=True)
    (folder / "cb_btc_1_prediction.feather").touch()
    assert count_predictions(config) == 1
    assert count_predictions(config | {"freqai": {"enabled": False, "identifier": "mine"}}) is None


def test_the_clock_is_compared_with_the_middle_of_the_request():
    ours = itertools.count(100.0, 2.0)  # asked at 100, answered at 102
    reading = read_clock(lambda: 104.0, lambda: next(ours))
    assert reading == ClockReading(behind=3.0, uncertainty=1.0)


def test_a_venue_that_does_not_answer_gives_no_reading():
    def fail():
        raise ConnectionError("no route")

    assert read_clock(fail).failed == "ConnectionError: no route"


def test_the_real_client_is_asked_without_any_key(monkeypatch):
    import ccxt

    seen = {}

    def fetch_time(client):
        seen.update(key=client.apiKey or "", proxy=client.httpsProxy)
        return 1_700_000_000_500

    monkeypatch.setattr(ccxt.binance, "fetch_time", fetch_time)
    exchange = {"name": "binance", "key": "K", "ccxt_config": {"apiKey": "K", "httpsProxy": "http://p"}}
    assert exchange_time({"exchange": exchange}) == 1_700_000_000.5
    assert seen == {"key": "", "proxy": "http://p"}
