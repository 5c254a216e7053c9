"""Classes by their names: as many as there are, whichever way they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited

from growlang.ops.conditions import Classes

OWN = SPECS / "own_images.grow"
CALL = 'classes(width, names = ["circle", "square"])'


@pytest.mark.parametrize(
    "call",
    [
        'classes(2, width, names = ["circle", "square"])',
        'classes(2, width = width, names = ["circle", "square"])',
        'classes(names = ["circle", "square"], width = width)',
    ],
)
def test_names_are_counted_however_they_are_written(tmp_path: Path, call: str) -> None:
    spec = edited(OWN, tmp_path / "own_images.grow", (CALL, call))
    assert checked(spec).net_hash == checked(OWN).net_hash
    assert checked(spec).spec_hash == checked(OWN).spec_hash


def test_names_are_part_of_the_net(tmp_path: Path) -> None:
    unnamed = edited(OWN, tmp_path / "own_images.grow", (CALL, "classes(2, width)"))
    assert checked(unnamed).net_hash != checked(OWN).net_hash
    assert checked(OWN).net.encoders["shape"]["names"] == ["circle", "square"]
    assert "names" not in Classes(n=2, width=8).arguments()
