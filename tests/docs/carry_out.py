"""Carry out one block of a page as its reader would: `carry_out.py PAGE NUMBER`, in the project's folder.

A python block that begins with `# path` becomes that file, another runs; a diff block changes files.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pages import Block, Page

_PATH = re.compile(r"# (?P<path>[\w./]+\.py)\n")


def carry_out(block: Block, folder: Path) -> None:
    """Do what the block says in `folder`. Raises AssertionError for a change that does not fit its file."""
    if block.kind == "diff":
        for part in re.split(r"^--- ", block.body, flags=re.MULTILINE)[1:]:
            name, _, hunks = part.partition("\n")
            for hunk in re.split(r"^@@\n", hunks, flags=re.MULTILINE)[1:]:
                change(folder / name, hunk)
    elif match := _PATH.match(block.body):
        target = folder / match["path"]
        assert not target.exists(), f"{match['path']} is there already; it is meant to be new"
        target.write_text(block.body[match.end() :])
    else:
        script = folder / "script.py"
        script.write_text(block.body)
        runpy.run_path(str(script), run_name="__main__")


def change(file: Path, hunk: str) -> None:
    """Replace a hunk's old lines by its new ones, where exactly one place in the file has them."""
    lines = hunk.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    new = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    text = file.read_text()
    found = len(re.findall(f"^{re.escape(old)}", text, flags=re.MULTILINE))
    assert found == 1, f"{file.name}: {found} places for\n{hunk}"
    file.write_text(text.replace(f"\n{old}", f"\n{new}", 1))


if __name__ == "__main__":
    sys.path[0] = ""  # scripts import from the project's folder
    carry_out(Page(Path(sys.argv[1])).blocks[int(sys.argv[2])], Path.cwd())
