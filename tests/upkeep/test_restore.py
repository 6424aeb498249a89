"""Nothing is touched before everything is known to be right."""

import hashlib
import io
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import pytest
from freqtrade.freqai.data_drawer import FreqaiDataDrawer

from adaptive_pkg.errors import DataError
from adaptive_pkg.upkeep import holders
from adaptive_pkg.upkeep.archive import Entry, Manifest, digest
from adaptive_pkg.upkeep.backup import make_backup
from adaptive_pkg.upkeep.restore import Restored, restore

from .conftest import NOW, Row


@pytest.fixture
def archive(book, tmp_path, monkeypatch):
    """A backup of a small bot with a model."""
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "user_data" / "models" / "mine"
    (models / "sub-train-BTC_1").mkdir(parents=True)
    (models / "sub-train-BTC_1" / "x.joblib").write_bytes(b"model")
    (models / "pair_dictionary.json").write_text(json.dumps({
        "BTC/USDT": {"trained_timestamp": 1, "data_path": str(models / "sub-train-BTC_1")},
        "GONE/USDT": {"trained_timestamp": 1, "data_path": "/somewhere/else"},
    }))  # fmt: skip
    (models / "forecaster.json").write_text(json.dumps({"inputs": {"datadir": "/old/data"}}))
    config = {"freqai": {"enabled": True, "identifier": "mine"}, "exchange": {"key": "KEYKEYKEY"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    target = tmp_path / "b.tar.gz"
    make_backup(target, [tmp_path / "config.json"], config, NOW, database=book([Row(3, 1.0)]))
    return target


def left(folder: Path):
    return sorted(path.name for path in folder.iterdir())


def test_into_a_new_folder_or_an_empty_one(archive, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("new/deeper", "empty"):
        done = restore(archive, tmp_path / name, NOW)
        assert done.aside is None and left(done.folder) == ["config", "trades v3.sqlite", "user_data"]
        assert not [path for path in done.folder.parent.iterdir() if path.name.startswith(".restore-")]


def test_a_folder_in_use_is_left_alone_or_moved_aside(archive, tmp_path):
    used = tmp_path / "used"
    used.mkdir()
    (used / "precious").write_text("mine")
    with pytest.raises(DataError, match="--force, which moves it aside"):
        restore(archive, used, NOW)
    assert left(used) == ["precious"]
    done = restore(archive, used, NOW, force=True)
    assert done.aside == tmp_path / "used.before-20240603T120000"
    assert (done.aside / "precious").read_text() == "mine" and left(used) == [
        "config",
        "trades v3.sqlite",
        "user_data",
    ]
    again = restore(archive, used, NOW, force=True)
    assert again.aside == tmp_path / "used.before-20240603T120000-1"


def test_a_file_or_a_link_in_the_way_is_refused(archive, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("file", "link"):
        with pytest.raises(DataError, match="not a folder"):
            restore(archive, tmp_path / name, NOW, force=True)
    assert (tmp_path / "file").read_text() == "mine" and not left(tmp_path / "real")


def repacked(archive: Path, change) -> Path:
    """The archive with its members' contents changed: change(name, content) → content."""
    target = archive.with_name("tampered.tar.gz")
    with tarfile.open(archive) as old, tarfile.open(target, "w:gz") as new:
        for item in old:
            content = change(item.name, old.extractfile(item).read())
            item.size = len(content)
            new.addfile(item, io.BytesIO(content))
    return target


def test_a_tampered_archive_touches_nothing(archive, tmp_path):
    used = tmp_path / "used"
    used.mkdir()
    (used / "precious").write_text("mine")

    def evil(name, content):
        return content.replace(b"model", b"m0del") if name.endswith(".joblib") else content

    before = left(tmp_path)
    with pytest.raises(DataError, match="not what the manifest says"):
        restore(repacked(archive, evil), used, NOW, force=True)
    assert (used / "precious").read_text() == "mine"
    assert left(tmp_path) == sorted([*before, "tampered.tar.gz"])


def test_a_damaged_database_with_a_right_hash_is_refused(archive, tmp_path):
    with tarfile.open(archive) as old:
        database = bytearray(old.extractfile("trades v3.sqlite").read())
    database[4096:12288] = os.urandom(8192)
    broken = bytes(database)

    def evil(name, content):
        if name == "manifest.json":
            told = json.loads(content)
            for item in told["files"]:
                if item["name"] == "trades v3.sqlite":
                    item["sha256"] = hashlib.sha256(broken).hexdigest()
            return json.dumps(told).encode()
        return broken if name == "trades v3.sqlite" else content

    with pytest.raises(DataError, match="the database in the backup is damaged"):
        restore(repacked(archive, evil), tmp_path / "new", NOW)
    assert not (tmp_path / "new").exists()


def test_every_file_is_what_was_backed_up_but_for_where_the_models_lie(archive, tmp_path):
    done = restore(archive, tmp_path / "new", NOW)
    changed = [
        entry.name for entry in done.manifest.files if digest(done.folder / entry.name) != entry.sha256
    ]
    assert changed == ["user_data/models/mine/pair_dictionary.json"]
    notes = json.loads((done.folder / changed[0]).read_text())
    here = done.folder / "user_data" / "models" / "mine" / "sub-train-BTC_1"
    assert notes["BTC/USDT"]["data_path"] == str(here) and here.is_dir()
    assert notes["GONE/USDT"]["data_path"] == "/somewhere/else"


def test_freqai_itself_finds_the_restored_model_when_the_old_folder_is_gone(book, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "user_data" / "models" / "mine"
    place = models / "sub-train-BTC_1"
    place.mkdir(parents=True)
    for name in ("feature_pipeline.pkl", "label_pipeline.pkl", "model.joblib"):
        (place / f"cb_btc_1_{name}").write_bytes(cloudpickle.dumps({"this is": name}))
    (place / "cb_btc_1_metadata.json").write_text('{"training_features_list": [], "label_list": []}')
    notes = {"model_filename": "cb_btc_1", "trained_timestamp": 1, "data_path": str(place), "extras": {}}
    (models / "pair_dictionary.json").write_text(json.dumps({"BTC/USDT": notes}))
    config = {"freqai": {"enabled": True, "identifier": "mine", "feature_parameters": {}}}
    made = make_backup(tmp_path / "b.tar.gz", [], config, NOW, database=book([Row(3, 1.0)]))
    shutil.rmtree(tmp_path / "user_data")
    done = restore(made.path, tmp_path / "new", NOW)
    drawer = FreqaiDataDrawer(done.folder / "user_data" / "models" / "mine", config)
    kitchen = SimpleNamespace(live=True, data_path=None)
    assert drawer.load_data("BTC/USDT", kitchen) == {"this is": "model.joblib"}


def test_it_says_how_to_start(archive, tmp_path):
    done = restore(archive, tmp_path / "new place", NOW)
    stop, secrets, show, trade = done.start
    assert stop.startswith("stop the old bot first")
    assert secrets.endswith(": exchange.key")
    assert f"--db-url 'sqlite:///{tmp_path}/new place/trades v3.sqlite'" in show
    assert f"--user-data-dir '{tmp_path}/new place/user_data'" in trade and trade.endswith(
        "--datadir /old/data"
    )
    assert f"--config '{tmp_path}/new place/config/config.json'" in trade


def held(database: Path):
    """Another process that has a database open, between two writes."""
    code = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1]); db.execute('select * from sqlite_master').fetchall()\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    bot = subprocess.Popen([sys.executable, "-c", code, str(database)], **pipes)
    assert bot.stdout.readline() == "ready\n"
    return bot


def test_force_does_not_pull_the_folder_from_under_a_running_bot(archive, tmp_path):
    first = restore(archive, tmp_path / "used", NOW)
    before = left(tmp_path)
    with held(first.folder / "trades v3.sqlite") as bot:
        with pytest.raises(DataError, match=rf"\({bot.pid}\) has .*trades v3\.sqlite open; stop that bot"):
            restore(archive, first.folder, NOW, force=True)
        assert left(tmp_path) == before and bot.poll() is None
        bot.communicate("")
    assert restore(archive, first.folder, NOW, force=True).aside is not None


def test_a_lock_tells_of_a_process_that_cannot_be_seen(archive, tmp_path, monkeypatch):
    def hidden(process):
        raise PermissionError(process.pid)

    first = restore(archive, tmp_path / "used", NOW)
    monkeypatch.setattr(holders, "_open_files", hidden)
    monkeypatch.setattr(holders, "WAIT_SECONDS", 0.0)
    with closing(sqlite3.connect(first.folder / "trades v3.sqlite", isolation_level=None)) as bot:
        bot.execute("begin immediate")
        with pytest.raises(DataError, match=r"cannot be seen from here has .*open"):
            restore(archive, first.folder, NOW, force=True)
        bot.execute("rollback")
    assert restore(archive, first.folder, NOW, force=True).aside is not None


def test_a_shell_takes_every_name_as_one_word(archive, tmp_path):
    """An archive is checked, but its names end up in commands that are copied into a shell."""
    names = {"user_data/my journal.sqlite": "store", "db.sqlite": "database", "config/a b.json": "config"}
    entries = tuple(Entry(name, what, 0, "0" * 64) for name, what in names.items())
    manifest = Manifest("2024-01-01", {}, entries, (), True, "")
    copy, _, trade = Restored(tmp_path / "new place", manifest, None).start[1:]
    assert shlex.split(copy) == [
        "cp", "-n", f"{tmp_path}/new place/user_data/my journal.sqlite", "user_data/my journal.sqlite",
    ]  # fmt: skip
    assert f"{tmp_path}/new place/config/a b.json" in shlex.split(trade)


def test_the_restored_database_can_be_written(archive, tmp_path):
    done = restore(archive, tmp_path / "new", NOW)
    with closing(sqlite3.connect(done.folder / "trades v3.sqlite")) as database:
        changed = database.execute("update trades set close_profit_abs = 0").rowcount
        database.commit()
    assert changed > 0
