from __future__ import annotations

import sqlite3

import optuna
import pytest

from adaptive_pkg import __version__
from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.tuning import study as study_module
from adaptive_pkg.evaluation.tuning.study import MARK, StudyFile, only_user, open_storage
from adaptive_pkg.evaluation.tuning.task import FoldScore


def test_a_file_that_is_no_database_is_named(make_task, tmp_path):
    path = tmp_path / "notes.db"
    path.write_text("these are notes, not a database\n" * 50)
    with pytest.raises(
        DataError, match=r"notes\.db: the study storage is damaged \(file is not a database\)"
    ):
        StudyFile(path, make_task())
    assert path.read_text().startswith("these are notes")


def test_a_storage_cut_short_is_named(make_task, tmp_path):
    path = tmp_path / "study.db"
    StudyFile(path, make_task())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"study\.db: the study storage is damaged .*delete this one"):
        StudyFile(path, make_task())


def test_a_database_of_something_else_is_refused(make_task, tmp_path):
    path = tmp_path / "trades.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("create table studies (remark text)")
    connection.commit()
    connection.close()
    with pytest.raises(DataError, match=r"trades\.sqlite: not a usable study storage"):
        StudyFile(path, make_task())


def test_studies_of_another_program_are_left_alone(make_task, tmp_path):
    path = tmp_path / "study.db"
    optuna.create_study(storage=open_storage(path), study_name="mine")
    with pytest.raises(DataError, match="'mine' was written by another program or version"):
        StudyFile(path, make_task())


def test_a_study_of_another_format_is_refused(make_task, tmp_path, monkeypatch):
    path = tmp_path / "study.db"
    monkeypatch.setattr(study_module, "FORMAT", 99)
    StudyFile(path, make_task())
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"another program or version \(format 99, this release reads 1\)"):
        StudyFile(path, make_task())


def test_another_release_starts_a_study_of_its_own_and_says_why(make_task, tmp_path, monkeypatch):
    path, task = tmp_path / "study.db", make_task()
    assert StudyFile(path, task).is_new
    assert not StudyFile(path, task).is_new
    monkeypatch.setattr("adaptive_pkg.evaluation.tuning.task.__version__", "9.9.9")
    file = StudyFile(path, task)
    assert file.is_new
    assert file.others == [f"version: {__version__} → 9.9.9"]


def test_a_study_whose_creation_was_interrupted_is_simply_new(make_task, tmp_path):
    path, task = tmp_path / "study.db", make_task()
    optuna.create_study(storage=open_storage(path), study_name=StudyFile(tmp_path / "x.db", task).name)
    file = StudyFile(path, task)
    assert file.is_new and file.study.user_attrs[MARK]["format"] == 1


def test_a_folder_is_no_storage(make_task, tmp_path):
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        StudyFile(tmp_path, make_task())


def test_only_one_search_at_a_time_uses_a_file(tmp_path):
    path = tmp_path / "deep" / "study.db"
    with only_user(path), pytest.raises(DataError, match="another search is running"), only_user(path):
        pass
    with only_user(path):
        pass


def test_what_was_judged_on_held_out_folds_is_read_back(make_task, tmp_path):
    scores = [FoldScore("AAA/USDT", 4, 100, 1.01, 0.9)]
    StudyFile(tmp_path / "study.db", make_task()).keep_held_out(7, 1, scores)
    assert StudyFile(tmp_path / "study.db", make_task()).held_out() == {(7, 1): tuple(scores)}
