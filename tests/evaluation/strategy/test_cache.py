"""Finished jobs on disk: there whole or not at all, and never trusted on their name alone."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy import cache as cache_module
from adaptive_pkg.evaluation.strategy.cache import JobCache


@pytest.fixture
def result(make_result):
    return make_result(np.linspace(-0.01, 0.02, 40), trades=5)


@pytest.fixture
def cache(tmp_path):
    return JobCache(tmp_path / "jobs")


def test_what_is_written_is_read_bit_for_bit(cache, result):
    assert cache.read("a") is None
    cache.write("a", result)
    assert cache.read("a").digest == result.digest
    assert "a" in cache
    assert len(cache) == 1


def test_the_same_result_is_the_same_file(cache, result):
    cache.write("a", result)
    first = cache.path("a").read_bytes()
    cache.write("a", result)
    assert cache.path("a").read_bytes() == first


@given(share=st.floats(0.0, 0.999))
def test_a_file_cut_short_anywhere_is_not_trusted(share, make_result, tmp_path_factory):
    cache = JobCache(tmp_path_factory.mktemp("cut"))
    cache.write("a", make_result([0.01, -0.02, 0.0]))
    path = cache.path("a")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert cache.read("a") is None
    assert not path.exists()


@given(place=st.floats(0.0, 1.0), bit=st.integers(0, 7))
def test_a_file_with_a_flipped_bit_gives_the_same_numbers_or_none(place, bit, make_result, tmp_path_factory):
    cache, result = JobCache(tmp_path_factory.mktemp("bit")), make_result([0.01, -0.02, 0.0])
    cache.write("a", result)
    stored = bytearray(cache.path("a").read_bytes())
    stored[min(int(place * len(stored)), len(stored) - 1)] ^= 1 << bit
    cache.path("a").write_bytes(bytes(stored))
    found = cache.read("a")
    assert found is None or found.digest == result.digest


def test_a_result_under_another_name_is_not_trusted(cache, result):
    cache.write("a", result)
    cache.path("a").rename(cache.path("b"))
    assert cache.read("b") is None


@pytest.mark.parametrize("change", [{"format": 0}, {"hash": "0" * 64}, {"result": {}}])
def test_another_releases_or_an_edited_file_is_not_trusted(cache, result, change):
    cache.write("a", result)
    stored = json.loads(gzip.decompress(cache.path("a").read_bytes()))
    cache.path("a").write_bytes(gzip.compress(json.dumps(stored | change).encode()))
    assert cache.read("a") is None


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(cache, result, make_result, monkeypatch):
    cache.write("a", result)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        cache.write("a", make_result([0.5]))
    assert cache.read("a").digest == result.digest
    assert [path.name for path in cache.folder.iterdir()] == ["a.json.gz"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path, result):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="name another folder"):
        JobCache(tmp_path / "file" / "jobs").write("a", result)
