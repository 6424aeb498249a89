"""The three commands from end to end: what is printed, written, sent, and the exit status."""

import argparse
import json

import pytest
from rich.console import Console

from adaptive_pkg.cli import upkeep as commands
from adaptive_pkg.errors import AdaptiveError, DataError, ExchangeError
from adaptive_pkg.upkeep import maintain as maintain_module
from adaptive_pkg.upkeep.findings import Finding, Verdict
from adaptive_pkg.upkeep.inspection import Period
from adaptive_pkg.upkeep.page import render_page
from adaptive_pkg.upkeep.report import run_checks

from .conftest import NOW, Row


@pytest.fixture
def adaptive(monkeypatch, tmp_path):
    """`adaptive("maintain", "weekly", …)`: the exit status, as the command line would give it."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        parser = argparse.ArgumentParser()
        commands.add_commands(parser.add_subparsers(required=True))
        options = parser.parse_args([str(item) for item in arguments])
        try:
            return options.run(options)
        except AdaptiveError:
            return 2

    return run


@pytest.fixture
def place(bot, datadir, tmp_path):
    """Arguments that name the bot's database, candles, config and moment."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**bot.config, "user_data_dir": str(bot.user_data)}))
    return ("--config", config, "--db", bot.database, "--datadir", datadir, "--as-of", "2024-06-03T12:00")


def test_a_week_is_printed_and_written(adaptive, place, tmp_path, capsys):
    status = adaptive("maintain", "weekly", *place, "--html", "out/w.html", "--json", "out/w.json")
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "w.json").read_text())
    names = [item["name"] for item in written["findings"]]
    assert names == [
        "open trades", "Kelly against realised", "stop-outs", "market regimes", "refusals", "candles on disk",
        "outside data", "signs of life", "backup",
    ]  # fmt: skip
    assert status == written["exit_status"] == int(any(f["verdict"] == "act" for f in written["findings"]))
    assert all(name in printed for name in names)
    assert printed.rindex("What to do") > printed.rindex("Kelly against realised")
    page = (tmp_path / "out" / "w.html").read_text()
    assert "<h1>Weekly maintenance</h1>" in page and "http" not in page.replace("http-equiv", "")


def test_each_longer_period_adds_its_own(adaptive, place, tmp_path):
    adaptive("maintain", "monthly", *place, "--json", "m.json")
    month = [item["name"] for item in json.loads((tmp_path / "m.json").read_text())["findings"]]
    assert {"calibration of the confidence", "feature drift", "model skill"} < set(month)
    adaptive("maintain", "quarterly", *place, "--json", "q.json", "--trials", 0, "--out", "q", "--jobs", 1)
    quarter = [item["name"] for item in json.loads((tmp_path / "q.json").read_text())["findings"]]
    assert set(month) < set(quarter) and {"backtest of the quarter", "live against backtest"} < set(quarter)


def test_a_mistake_is_a_status_of_2(adaptive, place, tmp_path):
    assert adaptive("maintain", "weekly", *place[:2], "--db", tmp_path / "none.sqlite") == 2
    assert adaptive("restore", tmp_path / "none.tar.gz", "--to", tmp_path / "r") == 2


def test_something_to_act_on_is_a_status_of_1(adaptive, place, book, tmp_path):
    bad = book([Row(9, open=True, plan=None)])
    assert adaptive("maintain", "weekly", *place, "--db", bad) == 1


def test_backup_and_restore_from_the_command_line(adaptive, place, tmp_path, capsys):
    assert adaptive("backup", "user_data/backups/one.tar.gz", *place[:4]) == 0
    assert "database: trades.sqlite" in capsys.readouterr().out
    assert adaptive("restore", "user_data/backups/one.tar.gz", "--to", "back") == 0
    told = capsys.readouterr().out
    assert "all hashes right" in told and "freqtrade trade --config" in told
    assert adaptive("restore", "user_data/backups/one.tar.gz", "--to", "back") == 2
    assert adaptive("restore", "user_data/backups/one.tar.gz", "--to", "back", "--force") == 0


def test_a_check_that_cannot_be_made_stops_no_other(seen):
    def broken():
        raise DataError("no candles of [red]BTC/USDT[/red]; download them")

    fine = Finding("fine", Verdict.OK, "said <b>&</b> [bold]done[/bold]")
    report = run_checks(seen(), [("broken", broken), ("fine", lambda: fine)], Console(quiet=True))
    assert [item.name for item in report.findings] == ["broken", "fine"]
    assert report.status == 0 and report.to_do[0].told.startswith("not measured: no candles of [red]BTC")
    page = render_page(report)
    assert "said &lt;b&gt;&amp;&lt;/b&gt;" in page and "<b>&</b>" not in page


def test_the_summary_is_sent_and_a_failure_comes_after_the_report(seen, monkeypatch, book, tmp_path):
    sent = []
    request = maintain_module.Request(
        Period.WEEKLY, {"telegram": {"token": "1:T", "chat_id": "9"}}, NOW, database=book([Row(5, 1.0)]),
        backups=tmp_path / "none",
    )  # fmt: skip
    monkeypatch.setattr(maintain_module, "send", lambda text, config, address: sent.append(text))
    maintain_module.maintain(request, Console(quiet=True), telegram=True)
    assert sent[0].startswith("weekly maintenance, 2024-05-27 to 2024-06-03 12:00 UTC, dry run: 0 to act on")
    assert "[look] backup" in sent[0]

    def refuse(*args):
        raise ExchangeError("Telegram: HTTP 401")

    monkeypatch.setattr(maintain_module, "send", refuse)
    with pytest.raises(ExchangeError):
        maintain_module.maintain(
            request, Console(quiet=True), telegram=True, json_path=tmp_path / "still.json"
        )
    assert (tmp_path / "still.json").is_file()
