"""An archive is believed whole or not at all."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.upkeep.archive import MANIFEST, Entry, Manifest, read_manifest, unpack


def entry(name="db.sqlite", content=b"rows", what="database"):
    return Entry(name, what, len(content), hashlib.sha256(content).hexdigest())


def manifest(*entries):
    return Manifest("2024-01-01T00:00:00+00:00", {"adaptive": "0"}, entries, (), True, "")


def member(name, content=b"rows", kind=tarfile.REGTYPE, target=""):
    header = tarfile.TarInfo(name)
    header.size, header.type, header.linkname = len(content) if kind == tarfile.REGTYPE else 0, kind, target
    return header, content


def packed(path, told, *members):
    """An archive of anything: `told` is the manifest's bytes."""
    with tarfile.open(path, "w:gz") as archive:
        for header, content in (member(MANIFEST, told), *members):
            archive.addfile(header, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "folder"
    made.mkdir()
    return made


def test_a_sound_one_is_unpacked_and_told(tmp_path, folder):
    told = manifest(entry(), entry("user_data/x.json", b"{}", "models"))
    source = packed(tmp_path / "a.tar.gz", told.to_json(),
                    member("db.sqlite"), member("user_data/x.json", b"{}"))  # fmt: skip
    told = unpack(source, folder)
    assert told == read_manifest(source) and [item.name for item in told.files] == [
        "db.sqlite",
        "user_data/x.json",
    ]
    assert (folder / "db.sqlite").read_bytes() == b"rows" and (
        folder / "user_data" / "x.json"
    ).read_bytes() == b"{}"


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "a/../../out",
        "/etc/passwd",
        "..",
        "a\\b",
        "C:/x",
        "C:x",
        "./a",
        "a/./b",
        "",
        "a\nb",
        MANIFEST,
        "user_data/x;touch y",
        "user_data/$(id)",
        "a`id`",
        "a'b",
        "a\x1b[2Jb",
        "-x",
    ],
)
def test_a_name_that_leads_out_is_refused(tmp_path, folder, name):
    source = packed(tmp_path / "a.tar.gz", manifest(entry(name)).to_json(), member(name or "x"))
    with pytest.raises(DataError, match="no name a backup may hold"):
        unpack(source, folder)
    assert not (tmp_path / "out").exists() and not any(folder.iterdir())


@pytest.mark.parametrize("name", ["trades v3.sqlite", "a/b-c_d+e@f=1.npz", "modèle/größe.json"])
def test_usual_names_are_taken(tmp_path, folder, name):
    unpack(packed(tmp_path / "a.tar.gz", manifest(entry(name)).to_json(), member(name)), folder)
    assert (folder / name).read_bytes() == b"rows"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_folders_and_devices_are_refused(tmp_path, folder, kind):
    source = packed(
        tmp_path / "a.tar.gz", manifest(entry()).to_json(), member("db.sqlite", b"", kind, "/etc/passwd")
    )
    with pytest.raises(DataError, match="link, folder or device"):
        unpack(source, folder)
    assert not any(folder.iterdir())


def test_a_changed_file_is_refused(tmp_path, folder):
    for content in (b"rowz", b"row", b"rows and more"):
        source = packed(tmp_path / "a.tar.gz", manifest(entry()).to_json(), member("db.sqlite", content))
        with pytest.raises(DataError, match="not what the manifest says"):
            unpack(source, folder)
        (folder / "db.sqlite").unlink(missing_ok=True)


def test_a_file_added_doubled_or_dropped_is_refused(tmp_path, folder):
    told = manifest(entry()).to_json()
    with pytest.raises(DataError, match="not in the manifest"):
        unpack(packed(tmp_path / "a.tar.gz", told, member("db.sqlite"), member("more")), folder)
    (folder / "db.sqlite").unlink()
    with pytest.raises(DataError, match="or twice in the archive"):
        unpack(packed(tmp_path / "a.tar.gz", told, member("db.sqlite"), member("db.sqlite")), folder)
    (folder / "db.sqlite").unlink()
    with pytest.raises(DataError, match=r"db\.sqlite missing"):
        unpack(packed(tmp_path / "a.tar.gz", told), folder)


@pytest.mark.parametrize(
    "told",
    [
        b"no json", b"[]", b"{}", b'{"format": 2}',
        json.dumps({**json.loads(manifest().to_json()), "format": 2}).encode(),
        json.dumps({**json.loads(manifest().to_json()), "files": [{"name": "a"}]}).encode(),
        json.dumps({**json.loads(manifest().to_json()), "files": [
            {"name": "a", "what": "x", "size": -1, "sha256": "0" * 64}]}).encode(),
        manifest(entry(), entry()).to_json(),
    ],
)  # fmt: skip
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path, folder, told):
    with pytest.raises(DataError):
        unpack(packed(tmp_path / "a.tar.gz", told, member("db.sqlite")), folder)
    assert not any(folder.iterdir())


def test_what_is_no_archive_of_ours_is_told(tmp_path, folder):
    other = tmp_path / "other.tar.gz"
    with pytest.raises(DataError, match="no such file"):
        unpack(other, folder)
    for content in (b"", b"text", gzip.compress(b"text")):
        other.write_bytes(content)
        with pytest.raises(DataError):
            unpack(other, folder)
    with tarfile.open(other, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    with pytest.raises(DataError, match="does not begin with manifest"):
        unpack(other, folder)


def test_any_cut_and_any_flipped_bit_is_found(tmp_path, folder):
    whole = packed(tmp_path / "a.tar.gz", manifest(entry()).to_json(), member("db.sqlite")).read_bytes()
    broken = tmp_path / "b.tar.gz"
    for at in range(12, len(whole) - 8, 17):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]):
            broken.write_bytes(content)
            (folder / "db.sqlite").unlink(missing_ok=True)
            try:
                unpack(broken, folder)
            except DataError:
                continue
            # what was hit is no part of any file: tar's padding, or what gzip says after the last block
            assert (folder / "db.sqlite").read_bytes() == b"rows"
