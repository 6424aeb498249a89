"""What a page of the documentation holds: fenced blocks, the commands in them, links, names of settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)]+)\)")
PROGRAMS = ("adaptive", "freqtrade", "make", "docker")


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind (the word after the fence) and its text."""

    kind: str
    body: str


@dataclass(frozen=True)
class Page:
    """One page."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def prose(self) -> str:
        """The page without its blocks."""
        return _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        return [Block(match["kind"], match["body"]) for match in _FENCE.finditer(self.text)]

    @property
    def steps(self) -> list[str | int]:
        """What the tests do, in order: a command (after `$ `), or the number of a block to carry out."""
        steps: list[str | int] = []
        for number, block in enumerate(self.blocks):
            if block.kind == "console":
                lines = block.body.replace("\\\n", " ").splitlines()
                steps += [line[2:] for line in lines if line.startswith("$ ")]
            elif block.kind in ("python", "diff"):
                steps.append(number)
        return steps

    @property
    def not_run(self) -> list[str]:
        """Commands that are shown and not run: lines of text blocks that begin with a program's name."""
        joined = "".join(block.body for block in self.blocks if block.kind == "text").replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.split(" ")[0] in PROGRAMS]

    @property
    def named(self) -> list[str]:
        """What stands between backticks in prose."""
        return _CODE.findall(self.prose)

    @property
    def links(self) -> list[str]:
        """Targets of links inside the project."""
        targets = [match["target"] for match in _LINK.finditer(self.prose)]
        return [target for target in targets if "://" not in target]


def all_pages(root: Path) -> list[Page]:
    return [Page(path) for path in sorted((root / "docs").glob("*.md"))]
