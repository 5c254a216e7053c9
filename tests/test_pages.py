from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fixture_specs import SHIPPED, checked, growlang

import growlang as growlang_api
from growlang.comparing import Difference, diff
from growlang.compiling import compiled
from growlang.growth.mapping import CATEGORIES
from growlang.net import Net
from growlang.pages.boxes import Group, boxes, groups, rows
from growlang.pages.comparison import KINDS
from growlang.pages.document import LARGEST
from growlang.tables.mappings import SIGNS

OWN = SHIPPED.parent / "examples" / "own_loop"
RETAIN = SHIPPED.parent / "examples" / "greedy_growing" / "specs"
LARGE = [
    ("core_256", "vermeer_1024"),
    ("sid2_512", "sid2_512_2b"),
    ("llama2_7b", "llama_pro_8b"),
    ("vermeer_1024", "sid2_512_2b"),
]


@cache
def difference(parent: Path, child: Path) -> Difference:
    return diff(checked(parent), checked(child))


def shipped(parent: str, child: str) -> Difference:
    return difference(SHIPPED / f"{parent}.grow", SHIPPED / f"{child}.grow")


def own() -> Difference:
    return difference(OWN / "small.grow", OWN / "large.grow")


def data_of(page: str) -> dict[str, Any]:
    """What the page embeds, as a browser reads it: up to the first end of a script."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def told(page: dict[str, Any], side: int) -> dict[str, str]:
    """The category of each tensor of a net, as the page tells it."""
    found = {}
    for node in page["nets"][side]["nodes"]:
        layout = page["tables"]["layouts"][node["layout"]]
        outcome = page["tables"]["outcomes"][node["outcome"]]
        for (suffix, _), (kind, *_) in zip(layout, outcome, strict=True):
            name = f"{node['path']}.{suffix}" if suffix else node["path"]
            found[name] = page["kinds"][kind]["id"]
    return found


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("parent", "child"), LARGE)
def test_a_page_is_small_even_for_billions_of_parameters(parent: str, child: str) -> None:
    assert len(shipped(parent, child).html().encode()) <= LARGEST


def test_a_page_loads_nothing() -> None:
    pages = [own().html(), compiled(checked(SHIPPED / "uvit_512.grow")).html()]
    for page in pages:
        assert "default-src 'none'" in unescape(page)
        assert re.findall(r"(?:src|href|action)\s*=\s*[\"']", page) == []
        assert re.findall(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", page) == []
        assert set(re.findall(r"https?://[^\"' )]+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_same_specs_give_the_same_bytes() -> None:
    code = (
        "import sys, growlang; from growlang.comparing import diff; a, b = sys.argv[1:]; "
        "sys.stdout.buffer.write(diff(growlang.load(a), growlang.load(b)).html().encode())"
    )
    command = [sys.executable, "-c", code, OWN / "small.grow", OWN / "large.grow"]
    pages = [
        subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert pages[0] == pages[1] == own().html().encode()


def test_names_of_the_user_stay_text(tmp_path: Path) -> None:
    folder = tmp_path / "a<" / "script><script>alert(1)<"
    folder.mkdir(parents=True)
    spec = folder / "b></script><img src=x onerror=alert(1)>.grow"
    spec.parent.mkdir(parents=True, exist_ok=True)
    text = (OWN / "small.grow").read_text()
    spec.write_text(text)
    child = spec.with_name("child.grow")
    named = spec.name
    child.write_text((OWN / "large.grow").read_text().replace("small.grow", named))
    for page in (difference(spec, child).html(), compiled(checked(child)).html()):
        data = data_of(page)
        assert any(named in place for place in data["tables"]["places"])
        assert page.count("<script") == page.count("</script>") == 2
        assert "<img" not in page


# --- what it tells --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        (OWN / "small.grow", OWN / "large.grow"),
        (SHIPPED / "core_64.grow", SHIPPED / "uvit_512.grow"),
        (SHIPPED / "llama2_7b.grow", SHIPPED / "llama_pro_8b.grow"),
        (RETAIN / "core_32.grow", RETAIN / "retain_128.grow"),
        (SHIPPED / "gpt2_small.grow", SHIPPED / "core_64.grow"),
    ],
)
def test_the_page_tells_of_every_tensor_what_the_mapping_says(parent: Path, child: Path) -> None:
    found = difference(parent, child)
    page = data_of(found.html())
    assert told(page, 1) == {e.name: e.category for e in found.mapping.of_child}
    parents = told(page, 0)
    assert parents.keys() == found.a.table.keys()
    sources = {e.source for e in found.mapping.of_child if e.source}
    assert {name for name, kind in parents.items() if kind != "dropped"} == sources


def test_blocks_are_told_where_they_come_from_and_where_they_go() -> None:
    page = data_of(shipped("llama2_7b", "llama_pro_8b").html())
    old, new = ({n["path"]: n for n in net["nodes"]} for net in page["nets"])
    copied = new["core.transformer.4"]  # `init like core.transformer[3]`, between 3 and 4
    assert [page["nets"][0]["nodes"][n]["path"] for n in copied["others"]] == ["core.transformer.3"]
    users = [page["nets"][1]["nodes"][n]["path"] for n in old["core.transformer.3"]["others"]]
    assert users == ["core.transformer.3", "core.transformer.4"]


def test_the_page_says_the_rule_the_place_and_the_verdict() -> None:
    found = own()
    page = data_of(found.html())
    reasons = {tuple(reason) for reason in page["tables"]["reasons"]}
    assert reasons == {(e.rule, str(e.reason)) for e in found.mapping}
    verdicts = {b["component"]: b["verdict"] for b in page["nets"][1]["boxes"] if b["verdict"]}
    assert verdicts == {
        v.place: {"level": v.level, "reason": v.reason} for v in found.mapping.verdicts
    }
    spans = {str(n.span) for n in found.b.nodes if n.span}
    assert spans <= {place for place in page["tables"]["places"] if place}


def test_without_scripts_there_is_a_table() -> None:
    page = shipped("core_64", "uvit_512").html()
    assert "<noscript>" in page
    for said in ("780,949,504", "redeclared; the parent&#x27;s was dropped", "stage.256"):
        assert said in page


def test_nets_that_no_statement_relates_have_proposals() -> None:
    found = shipped("sid2_512", "uvit_512")
    page = found.html()
    assert "No statement takes tensors of sid2_512 into uvit_512" in page
    assert "drop label, stage[256]" in page
    assert [net["side"] for net in data_of(page)["nets"]] == ["old", "new"]


def test_equal_nets_are_said_to_be_equal() -> None:
    assert "The nets are equal." in shipped("core_64", "core_64").html()


def test_weights_of_one_net_are_compared(tmp_path: Path) -> None:
    spec = growlang_api.compile(OWN / "small.grow")
    paths = [tmp_path / f"{seed}.safetensors" for seed in (0, 1)]
    for seed, path in enumerate(paths):
        spec.save(path, spec.module(seed=seed))
    page = growlang_api.diff(*paths).html()
    assert "The nets are equal, but their weights are not." in page
    assert "|b - a| / |a|" in page
    assert set(told(data_of(page), 1).values()) == {"copied"}


def test_the_legend_has_a_sign_for_every_category() -> None:
    signs = [sign for sign, _, _ in KINDS.values()]
    assert tuple(KINDS) == CATEGORIES
    assert len(set(signs)) == len(signs)
    assert [s.replace("−", "-") for s in signs] == [SIGNS[c][0] for c in CATEGORIES]


def test_costs_and_phases_are_those_of_the_plan() -> None:
    spec = compiled(checked(SHIPPED / "uvit_512.grow"))
    page = data_of(spec.html())
    (net,) = page["nets"]
    for measure in ("parameters", "flops", "saved"):
        total = sum(getattr(cost, measure) for cost in spec.costs)
        assert sum(node[measure] for node in net["nodes"]) == total
    for phase, told_phase in zip(spec.schedule, page["phases"], strict=True):
        frozen = set(phase.frozen)
        whole = {net["nodes"][n]["path"] for n in told_phase["frozen"]}
        nodes = {n.path: {t.name for t in n.tensors} for n in spec.net.nodes if n.tensors}
        assert whole == {path for path, names in nodes.items() if names <= frozen}
        assert told_phase["partly"] == {}


def test_a_spec_without_a_recipe_has_no_phases() -> None:
    assert data_of(compiled(checked(OWN / "small.grow")).html())["phases"] == []


# --- the drawing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("aaaa", [(0, 1, 4)]),
        ("ababc", [(0, 2, 2), (4, 1, 1)]),
        ("abbb", [(0, 1, 1), (1, 1, 3)]),
        ("aabaab", [(0, 3, 2)]),
        ("abc", [(0, 1, 1), (1, 1, 1), (2, 1, 1)]),
        ("", []),
    ],
)
def test_repeats_are_found(keys: str, expected: list[tuple[int, int, int]]) -> None:
    assert list(groups(list(keys))) == [Group(*group) for group in expected]


def net_of(name: str) -> Net:
    return checked(SHIPPED / f"{name}.grow").net


def test_a_u_has_its_resolutions_as_rows() -> None:
    old, new = net_of("core_64"), net_of("uvit_512")
    assert [row.id for row in rows((old, new))] == [
        *("conditions", "ends", "stage.256", "stage.128", "stage.64", "stage.32", "core")
    ]
    assert [row.label for row in rows((old, new))][1:3] == ["64 → 512 px", "256"]
    sides = {(box.component, box.side) for box in boxes(new)}
    assert {("stem", "encode"), ("head", "decode"), ("core", "whole")} <= sides
    assert {("stage.64", "encode"), ("stage.64", "decode")} <= sides


def test_a_chain_has_its_components_as_rows() -> None:
    found = net_of("gpt2_small")
    assert [row.id for row in rows((found,))] == ["stem", "core", "head"]
    assert {box.side for box in boxes(found)} == {"whole"}


# --- the commands ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [["diff", OWN / "small.grow", OWN / "large.grow"], ["compile", OWN / "large.grow"]],
    ids=["diff", "compile"],
)
def test_a_page_is_written_and_never_over_a_file(tmp_path: Path, command: list[Any]) -> None:
    page = tmp_path / "page.html"
    run = growlang(*command, "--html", page)
    assert (run.status, run.out.strip()) == (0, str(page))
    first = page.read_text()
    page.write_text("notes")
    run = growlang(*command, "--html", page)
    assert run.status == 2
    assert "page.html exists" in run.err
    assert "--force" in run.err
    assert page.read_text() == "notes"
    assert growlang(*command, "--html", page, "--force").status == 0
    assert page.read_text() == first
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--html", "page.txt"], "page.txt does not end in .html"),
        (["--html", "nowhere/page.html"], "there is no folder nowhere"),
        (["--html", "page.html", "--json"], "--html is written instead of what is printed"),
        (["--force"], "--force replaces a page: it does nothing alone"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = growlang("diff", OWN / "small.grow", OWN / "large.grow", *arguments)
    assert run.status == 2
    assert said in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_page_reports_what_differs(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run = growlang("diff", OWN / "small.grow", OWN / "large.grow", "--html", page, "--exit-code")
    assert run.status == 1
    assert page.exists()
