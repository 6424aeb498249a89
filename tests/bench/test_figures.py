"""Figures reach the file that was asked for, or it is said why not."""

import json

import pytest

from adaptive_pkg.bench.figures import write_figures
from adaptive_pkg.errors import AdaptiveError


def test_folders_are_made_and_no_file_is_asked_for_by_none(tmp_path):
    write_figures({"seconds": 1.5}, tmp_path / "a" / "b.json")
    assert json.loads((tmp_path / "a" / "b.json").read_text()) == {"seconds": 1.5}
    write_figures({"seconds": 1.5}, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AdaptiveError, match=r"file/b\.json: .*; name a file that can be written"):
        write_figures({}, tmp_path / "file" / "b.json")


def test_what_is_no_number_is_not_written_as_one(tmp_path):
    with pytest.raises(ValueError):
        write_figures({"seconds": float("nan")}, tmp_path / "a.json")
