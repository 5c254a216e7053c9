"""Hashes of earlier versions: what this one computes for the same specs is the same."""

import json
from pathlib import Path

import pytest

from growlang.checking import check
from growlang.planning import plan

FIXTURES = Path(__file__).parent / "fixtures"
ROOT = FIXTURES.parent.parent
CHANGED = {"specs/gpt2_small.grow": "tests/fixtures/specs/gpt2_untied.grow"}
"""Shipped specs that say something else now, with a copy of what they said then."""
STORED = {
    f"{stored.stem}:{spec}": (spec, hashes)
    for stored in sorted((FIXTURES / "hashes").glob("*.json"))
    for spec, hashes in json.loads(stored.read_text()).items()
}


@pytest.mark.parametrize("name", STORED)
def test_a_spec_has_the_hashes_that_an_earlier_version_computed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, hashes = STORED[name]
    monkeypatch.chdir(ROOT)
    checked = check(Path(CHANGED.get(spec, spec))).checked
    assert checked is not None
    found = {"net_hash": checked.net.net_hash, "spec_hash": checked.resolved.spec_hash}
    recipes = [r.name for r in checked.resolved.recipes] if "plan_hash" in hashes else []
    plans = {"plan_hash": {r: plan(checked, r).plan_hash for r in recipes}} if recipes else {}
    assert found | plans == hashes
