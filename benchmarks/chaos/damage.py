"""Damage to one file of a run."""

import os
import pathlib
import random


def spoil(rule: str, path: pathlib.Path, draw: random.Random) -> pathlib.Path:
    """Cut or remove a file of a run or flip a bit of it, each kind of file as likely; returns its path in the run."""
    # Of checkpoints, the newest alone: damage to older ones is never seen.
    newest = {name: max(map(int, os.listdir(path / name)), default=0) for name in ("checkpoints", "best")
              if (path / name).is_dir()}  # fmt: skip
    kinds: dict[str, list[pathlib.Path]] = {}
    for file in sorted(path.rglob("*")):
        kind, *parts = file.relative_to(path).parts
        if file.is_file() and file.stat().st_size and (kind not in newest or parts[0] == str(newest[kind])):
            kinds.setdefault(kind, []).append(file)
    file = draw.choice(kinds[draw.choice([*kinds, *newest, *newest])])
    content = bytearray(file.read_bytes())
    if rule == "cut":
        del content[draw.randrange(len(content)) :]
    elif rule == "flip":
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    file.write_bytes(content)
    if rule == "remove":
        file.unlink()
    return file.relative_to(path)
