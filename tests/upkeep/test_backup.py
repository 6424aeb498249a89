"""A backup beside a running bot: one moment, no secret, and the real freqtrade reads what is restored."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.upkeep import backup as backup_module
from adaptive_pkg.upkeep.archive import read_manifest
from adaptive_pkg.upkeep.backup import make_backup
from adaptive_pkg.upkeep.restore import restore
from adaptive_pkg.upkeep.trade_book import read_trade_book

from .conftest import NOW, Row

SECRETS = {
    "exchange": {"name": "binance", "key": "KEYKEYKEYKEY", "secret": "SECRETSECRET"},
    "telegram": {"enabled": True, "token": "123456:TOKENTOKEN", "chat_id": "4711"},
    "api_server": {"jwt_secret_key": "JWTJWTJWTJWT", "password": "PASSPASSPASS"},
}


@pytest.fixture
def place(tmp_path, monkeypatch, book):
    """A bot's folder with everything that may be in one; the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FREQTRADE__")]:
        monkeypatch.delenv(name)
    database = book([Row(30, 1.0), Row(5, open=True)])
    user_data = tmp_path / "user_data"
    models = user_data / "models" / "mine"
    (models / "sub-train-BTC_1").mkdir(parents=True)
    (models / "sub-train-BTC_1" / "cb_btc_1_model.joblib").write_bytes(b"model")
    notes = {"BTC/USDT": {"trained_timestamp": 1, "data_path": str(models / "sub-train-BTC_1")}}
    (models / "pair_dictionary.json").write_text(json.dumps(notes))
    (models / "forecaster.json").write_text(json.dumps({"inputs": {"datadir": "/old/data"}}))
    (user_data / "strategies").mkdir()
    (user_data / "strategies" / "AdaptiveGRU.json").write_text("{}")
    for name in ("sources.sqlite", "adaptive_journal.sqlite"):
        with closing(sqlite3.connect(user_data / name)) as store:
            store.execute("create table t (x)")
            store.commit()
    (user_data / "adaptive_learned.npz").write_bytes(b"learned")
    config = {**SECRETS, "freqai": {"enabled": True, "identifier": "mine"}, "add_config_files": ["more.json"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "more.json").write_text(json.dumps({"max_open_trades": 3}))
    return database, config


def make(place, target="b/one.tar.gz", **changes):
    database, config = place
    return make_backup(Path(target), [Path("config.json")], config | changes, NOW, database=database)


def test_everything_is_in_it_by_its_place(place):
    made = make(place)
    assert {entry.name: entry.what for entry in made.manifest.files} == {
        "trades v3.sqlite": "database",
        "user_data/sources.sqlite": "store",
        "user_data/adaptive_journal.sqlite": "store",
        "user_data/adaptive_learned.npz": "store",
        "user_data/models/mine/pair_dictionary.json": "models",
        "user_data/models/mine/forecaster.json": "models",
        "user_data/models/mine/sub-train-BTC_1/cb_btc_1_model.joblib": "models",
        "user_data/strategies/AdaptiveGRU.json": "parameters",
        "config/more.json": "config",
        "config/config.json": "config",
    }
    assert made.manifest.versions["freqtrade"] and made.manifest.made == "2024-06-03T12:00:00+00:00"
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert not [path for path in made.path.parent.iterdir() if path != made.path]  # no draft is left


def test_no_secret_is_in_it_and_each_is_named(place):
    made = make(place)
    content = whole(made)
    for block in SECRETS.values():
        for name in ("key", "secret", "token", "jwt_secret_key", "password"):
            assert str(block.get(name, "nowhere to be found")).encode() not in content
    assert set(made.manifest.left_out) == {
        "exchange.key", "exchange.secret", "telegram.token",
        "api_server.jwt_secret_key", "api_server.password",
    }  # fmt: skip
    assert b"4711" in content  # a chat's number is none


def whole(made):
    with tarfile.open(made.path) as archive:
        return b"".join(archive.extractfile(item).read() for item in archive)


UNUSUAL = {
    "exchange": {
        "ccxt_config": {
            "httpsProxy": "http://proxyuser:HIDDEN-1@proxy.example:3128/",
            "aiohttp_proxy": "socks5://HIDDEN-2@proxy.example",
            "headers": {"Authorization": "Bearer HIDDEN-3", "X-Anything": "HIDDEN-4"},
            "passphrase": "HIDDEN-5",
            "options": {"userPassphrase": "HIDDEN-6"},
        },
    },
    "webhook": {"entry": {"api_token": "HIDDEN-7", "text": "{pair}"}},
    "adaptive": {"feeds": [{"client_secret": "HIDDEN-8", "Bearer": ["HIDDEN-9"], "name": "feed"}]},
    "authorization": {"who": {"value": "HIDDEN-0"}},
    "token_url": "https://tokens.example/grant",
}


def test_no_secret_of_an_unusual_name_or_in_an_address_is_in_it(place):
    Path("config.json").write_text(json.dumps(UNUSUAL))
    made = make_backup(Path("b.tar.gz"), [Path("config.json")], UNUSUAL, NOW, database=place[0])
    content = whole(made)
    assert b"HIDDEN" not in content and b"proxyuser" not in content
    for kept in (b"http://proxy.example:3128/", b"{pair}", b'"feed"', b"https://tokens.example/grant"):
        assert kept in content
    assert set(made.manifest.left_out) == {
        "exchange.ccxt_config.httpsProxy", "exchange.ccxt_config.aiohttp_proxy",
        "exchange.ccxt_config.headers.Authorization", "exchange.ccxt_config.headers.X-Anything",
        "exchange.ccxt_config.passphrase", "exchange.ccxt_config.options.userPassphrase",
        "webhook.entry.api_token", "adaptive.feeds.0.client_secret", "adaptive.feeds.0.Bearer",
        "authorization.who.value",
    }  # fmt: skip


def test_a_header_s_token_is_looked_for_without_its_scheme_too(place):
    (Path("user_data/models/mine") / "log.txt").write_text("refused: HIDDEN-3")
    made = make(place, exchange=UNUSUAL["exchange"])
    assert "user_data/models/mine/log.txt" not in {entry.name for entry in made.manifest.files}


def test_a_secret_in_a_file_that_the_environment_overrides_is_looked_for_too(place):
    (Path("user_data/models/mine") / "notes.json").write_text('{"x": "KEYKEYKEYKEY"}')
    made = make(place, exchange={"name": "binance", "key": "KEY OF THE ENVIRONMENT"})
    assert b"KEYKEYKEYKEY" not in whole(made)


def test_configs_that_freqai_copied_beside_the_models_stay_out(place):
    """Of an earlier day, with keys that no file holds any more."""
    for name in ("config.json", "more.json", "other.json", "kept.json"):
        Path("user_data/models/mine", name).write_text('{"exchange": {"key": "FORMERKEY"}}')
    made = make(place, config_files=["/bot/user_data/other.json"])
    names = {Path(entry.name).name for entry in made.manifest.files if entry.what == "models"}
    assert names == {"pair_dictionary.json", "forecaster.json", "cb_btc_1_model.joblib", "kept.json"}


def test_stores_are_found_from_another_folder_and_missing_ones_told(place, tmp_path, monkeypatch):
    database, config = place
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    configs = [tmp_path / "config.json"]
    there = {**config, "user_data_dir": str(tmp_path / "user_data")}
    made = make_backup(Path("one.tar.gz"), configs, there, NOW, database=database)
    assert sum(entry.what == "store" for entry in made.manifest.files) == 3 and not made.notes
    made = make_backup(Path("two.tar.gz"), configs, config, NOW, database=database)
    assert not [entry for entry in made.manifest.files if entry.what == "store"]
    for what in ("outside data at user_data/sources", "journal at user_data/", "learned at user_data/"):
        assert sum(what in note for note in made.notes) == 1


def test_a_name_that_a_backup_does_not_hold_is_told(place):
    (Path("user_data/models/mine") / "a;b").write_text("x")
    with pytest.raises(DataError, match=r"mine/a;b'.*rename it"):
        make(place)


def test_a_secret_at_an_unknown_place_leaves_its_file_out(place):
    Path("more.json").write_text(json.dumps({"bot_name": "says SECRETSECRET"}))
    (Path("user_data/models/mine") / "notes.json").write_text('{"x": "TOKEN 123456:TOKENTOKEN"}')
    made = make(place)
    names = {entry.name for entry in made.manifest.files}
    assert not names & {"config/more.json", "user_data/models/mine/notes.json"}
    assert sum("more.json (a secret stands" in item or "notes.json (it holds" in item
               for item in made.manifest.left_out) == 2  # fmt: skip


def test_the_database_password_in_an_address_stays_out(place):
    config = {"db_url": "postgresql://bot:DBPASSWORD@host/trades"}
    Path("config.json").write_text(json.dumps(config))
    made = make_backup(Path("b.tar.gz"), [Path("config.json")], config, NOW, database=place[0])
    assert "db_url" in made.manifest.left_out and b"DBPASSWORD" not in made.path.read_bytes()
    with pytest.raises(SettingsError, match="back it up with its own tools"):
        make_backup(Path("c.tar.gz"), [], {**config, "dry_run": False}, NOW)


def test_one_moment_of_a_database_that_another_process_writes(place):
    """Two tables are written together, a thousand times; no copy has one without the other."""
    database, _ = place
    code = (
        "import sqlite3, sys, time\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
        "db.execute('pragma journal_mode = ' + sys.argv[2])\n"
        "db.execute('create table if not exists a (x)'); db.execute('create table if not exists b (x)')\n"
        "print('ready', flush=True)\n"
        "for number in range(100_000):\n"
        "    db.execute('begin immediate'); db.execute('insert into a values (?)', (number,))\n"
        "    db.execute('insert into b values (?)', (number,)); db.execute('commit'); time.sleep(0.002)\n"
    )
    for mode in ("delete", "wal"):
        bot = subprocess.Popen(
            [sys.executable, "-c", code, str(database), mode], stdout=subprocess.PIPE, text=True
        )
        try:
            assert bot.stdout.readline() == "ready\n"
            counts = []
            for number in range(4):
                make(place, f"b/{mode}{number}.tar.gz")
                done = restore(Path(f"b/{mode}{number}.tar.gz"), Path(f"r/{mode}{number}"), NOW)
                with closing(sqlite3.connect(done.folder / database.name)) as copy:
                    a, b = (copy.execute(f"select count(*), max(x) from {name}").fetchone() for name in "ab")
                    assert a == b
                    counts.append(a[0])
            assert counts == sorted(counts) and counts[-1] > counts[0]  # it wrote on all the while
            assert bot.poll() is None
        finally:
            bot.kill()
            bot.wait()
            bot.stdout.close()


def test_models_that_change_meanwhile_are_copied_again(place, monkeypatch):
    folder, copies = Path("user_data/models/mine"), []
    copy = backup_module._copy_settled

    def retrain(source, target):
        copy(source, target)
        copies.append(source.name)
        if source.name == "pair_dictionary.json" and copies.count(source.name) == 1:
            (folder / "sub-train-BTC_2").mkdir()
            (folder / "sub-train-BTC_2" / "cb_btc_2_model.joblib").write_bytes(b"newer")
            notes = {"BTC/USDT": {"trained_timestamp": 2, "data_path": "x/sub-train-BTC_2"}}
            (folder / "pair_dictionary.json").write_text(json.dumps(notes))

    monkeypatch.setattr(backup_module, "_copy_settled", retrain)
    monkeypatch.setattr(backup_module, "PAUSE", 0.0)
    make(place)
    done = restore(Path("b/one.tar.gz"), Path("r"), NOW)
    assert (done.folder / folder / "sub-train-BTC_2" / "cb_btc_2_model.joblib").read_bytes() == b"newer"
    notes = json.loads((done.folder / folder / "pair_dictionary.json").read_text())
    assert notes["BTC/USDT"]["trained_timestamp"] == 2


def test_a_file_that_is_always_being_written_is_told(place, monkeypatch):
    monkeypatch.setattr(backup_module, "PAUSE", 0.0)
    busy, copy = Path("user_data/models/mine/historic_predictions.pkl"), backup_module.shutil.copyfile
    busy.write_bytes(b"0")

    def copied_while_written(source, target):
        copy(source, target)
        if source.name == busy.name:
            busy.write_bytes(busy.read_bytes() + b"0")

    monkeypatch.setattr(backup_module.shutil, "copyfile", copied_while_written)
    with pytest.raises(DataError, match=r"historic_predictions\.pkl: it keeps changing"):
        make(place)
    assert not Path("b/one.tar.gz").exists()


def test_an_older_backup_is_replaced_and_any_other_file_is_not(place):
    make(place)
    first = Path("b/one.tar.gz").read_bytes()
    make_backup(Path("b/one.tar.gz"), [], place[1], NOW + pd.Timedelta(days=1), database=place[0])
    assert Path("b/one.tar.gz").read_bytes() != first
    Path("precious.txt").write_text("mine")
    with pytest.raises(DataError):
        make(place, "precious.txt")
    assert Path("precious.txt").read_text() == "mine"


def test_a_failed_backup_leaves_the_last_one(place, tmp_path):
    make(place)
    before = Path("b/one.tar.gz").read_bytes()
    place[0].write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    with pytest.raises(DataError):
        make(place)
    assert Path("b/one.tar.gz").read_bytes() == before and [item.name for item in Path("b").iterdir()] == [
        "one.tar.gz"
    ]


def test_the_real_freqtrade_reads_a_restored_database(bot, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(bot.config))
    database = tmp_path / "trades.sqlite"
    shutil.copy(bot.database, database)
    with closing(sqlite3.connect(database)) as edited:  # its last trade is still open
        edited.execute(
            "update trades set is_open = 1, close_date = null, close_profit = null, close_profit_abs = null "
            "where id = (select max(id) from trades)"
        )
        edited.commit()
    made = make_backup(tmp_path / "b.tar.gz", [tmp_path / "config.json"], bot.config, NOW, database=database)
    done = restore(made.path, tmp_path / "restored", NOW)
    before, after = (
        read_trade_book(database).trades,
        read_trade_book(done.folder / "trades.sqlite").trades,
    )
    pd.testing.assert_frame_equal(before, after)
    code = (
        "import json, sys\n"
        "from freqtrade.persistence import Trade, init_db\n"
        "from adaptive_pkg.risk.stop_plan import PLAN_KEY, StopPlan\n"
        "init_db(sys.argv[1])\n"
        "trades = Trade.get_trades().all()\n"
        "plans = [StopPlan.from_dict(trade.get_custom_data(PLAN_KEY)) for trade in trades]\n"
        "still_open, orders = sum(t.is_open for t in trades), sum(len(t.orders) for t in trades)\n"
        "print(json.dumps([len(trades), still_open, sum(plan.atr for plan in plans), orders]))\n"
    )
    url = f"sqlite:///{done.folder / 'trades.sqlite'}"
    read = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
    count, still_open, atr, orders = json.loads(read.stdout)
    assert (count, still_open) == (len(before), int(before["is_open"].sum())) and still_open == 1
    assert atr == pytest.approx(sum(plan.atr for plan in before["plan"]), abs=1e-5) and orders >= count


def test_the_manifest_alone_can_be_read(place):
    made = make(place)
    assert read_manifest(made.path) == made.manifest
