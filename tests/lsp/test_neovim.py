"""The server under Neovim's own client, in a spec with an error in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lsp_texts import CORE, SPECS

SCRIPT = Path(__file__).with_name("neovim.lua")
ROOT = SCRIPT.parent.parent.parent
LIMIT = 600
"""Seconds that the editor may take."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nvim") is None, reason="Neovim is not installed"),
]


def edited(folder: Path) -> dict[str, Any]:
    """What the server answers to Neovim, which then writes the files that it has changed."""
    environment = os.environ | {
        "FOLDER": str(folder),
        "PYTHON": sys.executable,
        "ROOT": str(ROOT),
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / ".state"),
    }
    command = ["nvim", "--clean", "--headless", "-n", "-c", f"luafile {SCRIPT}", "-c", "cquit"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def test_the_features_answer_in_neovim(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    broken = CORE.replace("batch     = 8", "batch     = (").replace("half = 1", "half  = 1")
    (folder / "core.grow").write_text(broken)
    (folder / "child.grow").write_text((SPECS / "child.grow").read_text())
    found = edited(folder)
    assert found["diagnostics"][0] == [22, "G001"]
    assert found["definition"]["range"]["start"] == {"line": 3, "character": 6}
    assert "attention heads" in found["hover"]["contents"]["value"]
    assert "text" in [item["label"] for item in found["completion"]]
    assert "small" in [s["name"] for s in found["symbols"]]
    places = [(Path(r["uri"]).name, r["range"]["start"]["line"]) for r in found["references"]]
    assert sorted(places) == [
        ("child.grow", 3),
        ("child.grow", 16),
        ("core.grow", 8),
        ("core.grow", 12),
    ]
    assert [h["kind"] for h in found["highlights"]] == [3, 2]
    assert [f["startLine"] for f in found["folds"]] == [6, 18, 26]
    assert len(found["colours"]["data"]) % 5 == 0
    assert found["prepared"]["placeholder"] == "text"
    assert found["refused"]["error"].startswith("invalid name `Text`")
    core, child = ((folder / name).read_text() for name in ("core.grow", "child.grow"))
    assert "captions = words(24" in core
    assert "attend = [self, captions]" in core
    assert "batch     = (" in core, "what does not parse is laid out by nobody"
    assert "keep core, captions, time" in child
    assert "freeze core, captions, time" in child
