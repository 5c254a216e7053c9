"""The page about runs: what is in it, what it is made of, and that it loads nothing."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fixture_specs import growlang
from tiny import (
    CORE,
    interrupt_at,
    mapping,
    metrics,
    net,
    phase,
    plan,
    settings,
    train,
    write_data,
)

import growlang as api
from growlang.pages.markup import Html, element
from growlang.plans.learning_rate import scales, spans
from growlang.plans.plan import Plan
from growlang.spec.recipe import Sample, Validation
from growlang.spec.samplers import DDIM
from growlang_runtime.report.page.curves import charts
from growlang_runtime.report.page.document import LARGEST
from growlang_runtime.report.page.facts import facts_of, names_of
from growlang_runtime.report.page.thinning import means, rounded, thinned

STORED = Path(__file__).parent.parent / "fixtures" / "runs" / "0.1" / "runs"
EVALUATED = Path(__file__).parent.parent / "fixtures" / "runtime" / "evaluation.json"
PROMPTS = ["<script>alert(1)</script>", "a & b"]


class Page(HTMLParser):
    """The elements of a page: their names with their attributes, ids, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [a[attribute] or "" for _, a in self.elements if attribute in a]


def embedded(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert found
    return dict(json.loads(found[1]))


def pictures(html: str) -> int:
    return sum(map(len, re.findall(r"data:image/webp;base64,[^\"]*", html)))


def watched() -> Plan:
    """A plan with two phases, frozen tensors, validation, and captions that are too long."""
    (source,) = settings().data
    held = [source.model_copy(update={"holdout": 0.5})]
    first = phase("first", 3, data=held, frozen=CORE)
    second = phase("second", 3, data=held, lr_scale=dict.fromkeys(CORE, 0.5))
    chosen = Validation(data=held, transform=settings().transform, holdout=0.5)
    return plan(
        [first, second], validation=chosen, sample=Sample(sampler=DDIM(steps=2), prompts=PROMPTS)
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was resumed in its second phase, with an evaluation."""
    captions = [b"one <b>two</b> three four five six %d" % i for i in range(6)]
    folder = write_data(tmp_path_factory.mktemp("run"), captions=captions)
    options = {"quiet": True, "validate_every": 3, "sample_every": 3}
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 4)
        train(watched(), folder, **options)
    done = train(watched(), folder, resume="must", **options).run
    (done / "evaluation").mkdir()
    shutil.copy(EVALUATED, done / "evaluation" / "model-12345678.json")
    return done


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return api.report(run).html


def test_the_page_loads_nothing(html: str) -> None:
    page = Page(html)
    assert all(source.startswith("data:image/") for source in page.all("src"))
    ids = page.all("id")
    assert sorted(ids) == sorted(set(ids))
    assert {link.removeprefix("#") for link in page.all("href")} <= set(ids)
    assert {tag for tag, _ in page.elements} & {"link", "iframe", "object", "base"} == set()
    assert "default-src 'none'" in page.all("content")[2]
    assert not re.search(r"""\b(fetch|XMLHttpRequest|import)\s*\(|url\(|@import""", html)


def test_the_page_is_small(html: str) -> None:
    assert pictures(html) > 0
    assert len(html.encode()) - pictures(html) <= LARGEST


def test_every_section_is_there(html: str) -> None:
    page = Page(html)
    sections = [a["id"] for tag, a in page.elements if tag == "section"]
    assert sections == [
        *("runs", "curves", "samples", "evaluation", "time", "plan", "frozen", "skipped"),
        *("left-out", "environment"),
    ]


def test_values_are_those_of_the_metrics(run: Path, html: str) -> None:
    data, lines = embedded(html), metrics(run)
    rows = {line["step"]: line for line in lines if "event" not in line}
    curves = {chart["id"]: chart["series"] for chart in data["charts"]}
    for id, key in (("loss", "loss"), ("grad-norm", "grad_norm"), ("speed", "images_per_s")):
        series = curves[id][0]
        steps = data["axes"][series["x"]]
        assert steps == list(rows) == [1, 2, 3, 4, 5, 6]
        assert series["y"] == pytest.approx([rows[s][key] for s in steps], rel=1e-5), id
    validated = [line for line in lines if line.get("event") == "validation"]
    averaged, plain = curves["validation"]
    assert data["axes"][averaged["x"]] == [line["step"] for line in validated]
    assert averaged["y"] == pytest.approx([line["averaged"] for line in validated], rel=1e-5)
    assert plain["y"] == pytest.approx([line["plain"] for line in validated], rel=1e-5)
    assert [one["name"] for one in curves["levels"]] == [
        f"log-SNR {level['log_snr']:.3g}" for level in validated[0]["levels"]
    ]
    assert curves["levels"][2]["y"][-1] == pytest.approx(
        validated[-1]["levels"][2]["averaged"], rel=1e-5
    )
    (marks,) = data["runs"]
    assert marks["phases"] == [["first", 0, 3], ["second", 3, 6]]
    assert marks["resumes"] == [4]


def test_what_happened_is_told(run: Path, html: str) -> None:
    page, lines = Page(html), metrics(run)
    for line in lines:
        if line.get("event") == "frozen":
            assert line["sha256"] in page.text
    captions = next(line for line in lines if line.get("event") == "captions")
    assert f"text{captions['captions']:,}{captions['cut']:,}" in page.text
    total = sum(sum(x["seconds"].values()) for x in lines if "seconds" in x)
    assert f"{total:,.1f} s" in page.text
    said = json.loads(EVALUATED.read_text())
    assert all(metric["name"] in page.text for metric in said["metrics"])
    assert said["metrics"][0]["protocol"]["extractor"] in page.text


def test_text_of_runs_is_no_markup(html: str) -> None:
    for text in ("<script>alert", "<b>two</b>", "a & b"):
        assert text not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert element("p", "<", Html("<b>"), title='"') == '<p title="&quot;">&lt;<b></p>'


def test_the_learning_rate_of_a_group(run: Path) -> None:
    (found,) = [c for c in charts([facts_of(run, "a")], 100) if c.id == "lr"]
    base, core = found.series
    assert (base.x, core.x) == ([1, 2, 3, 4, 5, 6], [4, 5, 6])
    assert core.y == pytest.approx([0.5 * value for value in base.y[3:]])  # type: ignore[operator]
    assert core.name.endswith("core (x 0.5)")


def test_the_learning_rate_of_what_is_new_is_what_it_is_trained_with(run: Path) -> None:
    child = net("child", residuals=2)
    grown = mapping(child, net())
    scaled = {name: 0.5 for name in CORE} | {n: 0.25 for n in grown.new if n.endswith("weight")}
    phases = [phase("first", 2), phase("second", 6, rewarm=4, lr_scale=scaled)]
    lines = [{"step": step, "phase": "second", "lr": 1.0} for step in range(3, 9)]
    told = replace(facts_of(run, "a"), plan=plan(phases, child, mapping=grown), lines=(*lines,))
    (found,) = [c for c in charts([told], 100) if c.id == "lr"]
    used = [scales(phases[1], spans(phases)[1], step - 1, grown.new) for step in range(3, 9)]
    groups = {
        "lr of text, time, core (x 0.5)": CORE[0],
        "new tensors of stem (x 0.25)": "stem.residual.1.conv1.weight",
        "new tensors": "stem.residual.1.conv1.bias",
    }
    assert {one.name: one.y for one in found.series} == {"lr": [1] * 6} | {
        title: pytest.approx([at.get(name, 1.0) for at in used]) for title, name in groups.items()
    }
    assert used[0][groups["new tensors of stem (x 0.25)"]] == 0.25 / 4


def test_runs_of_0_1_and_several_runs_are_overlaid(run: Path, tmp_path: Path) -> None:
    stored = [STORED / "core_8/main", STORED / "grown_16/carry", STORED / "grown_16/main"]
    alone = Page(api.report(stored[2]).html)
    assert {"lineage", "frozen", "curves"} <= set(alone.all("id"))
    assert {"time", "samples", "evaluation", "left-out"} & set(alone.all("id")) == set()
    output = tmp_path / "new" / "all.html"
    shown = growlang("report", run, *stored, "-o", output)
    assert (shown.status, shown.out) == (0, f"{output}\n")
    html = output.read_text()
    assert len(html.encode()) - pictures(html) <= LARGEST
    data = embedded(html)
    names = [made["name"] for made in data["runs"]]
    assert names == ["tiny/main", "core_8/main", "grown_16/carry", "grown_16/main"]
    loss = next(chart for chart in data["charts"] if chart["id"] == "loss")
    assert [series["run"] for series in loss["series"]] == [0, 1, 2, 3]
    assert "core_8/main" in Page(html).text


def test_a_page_is_as_it_was_at_a_step(run: Path) -> None:
    data = embedded(api.report(f"{run}@4").html)
    assert data["runs"][0]["phases"] == [["first", 0, 3], ["second", 3, 6]]
    assert max(step for axis in data["axes"] for step in axis) == 4


def test_long_runs_make_no_large_page(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        path = Path(shutil.copytree(STORED / "core_8/main", tmp_path / name / "main"))
        lines: list[dict[str, Any]] = [
            {"step": s, "loss": 1 / s, "lr": 1 / s, "grad_norm": s / 7} for s in range(1, 4000)
        ]
        lines[2345]["loss"] = 77.5
        lines[0]["low_error"] = 0.5
        found = {"metrics": {"fid": 9.5, "kid": None}, "floors": {"fid": 2.5}}
        lines += [{"step": 3000, "event": "evaluation", **found}]
        lines += [{"step": s, "event": "skipped", "loss": "nan"} for s in range(500)]
        (path / "metrics.jsonl").write_text("".join(f"{json.dumps(x)}\n" for x in lines))
        paths.append(path)
    html = api.report(paths).html
    assert len(html.encode()) - pictures(html) <= LARGEST
    drawn = embedded(html)["charts"]
    assert (drawn[-1]["title"], drawn[-1]["series"][0]["name"]) == ("low error", "low error")
    (fid,) = [chart for chart in drawn if chart["title"] == "Evaluation: fid"]
    assert [(one["run"], one["name"], one["y"]) for one in fid["series"]] == [
        *((0, "fid", [9.5]), (0, "fid floor", [2.5])),
        *((1, "fid", [9.5]), (1, "fid floor", [2.5])),
    ]
    loss = drawn[0]["series"]
    assert all(77.5 in series["y"] for series in loss if series["name"] == "loss")
    assert "500 steps were skipped" in html
    assert "and 460 more" in html


def test_each_run_shows_its_newest_evaluations(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        path = Path(shutil.copytree(STORED / "core_8/main", tmp_path / name / "main"))
        (path / "evaluation").mkdir()
        for step in range(70):
            said = {"step": step, "metrics": [{"name": f"own_{name}", "value": 1.0}]}
            (path / f"evaluation/step_{step:08d}.json").write_text(json.dumps(said))
        paths.append(path)
    html = api.report(paths).html
    assert [html.count(f"<td>own_{name}</td>") for name in ("a", "b")] == [60, 60]
    assert "and 20 older ones" in html


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere"], "nowhere does not exist: only runs are reported"),
        ([STORED / "core_8/main", "-o", "page.txt"], "does not end in .html"),
        ([STORED / "core_8/main", "-o", "mine.html"], "is no report of growlang"),
        ([STORED / "core_8/main@7"], "has no checkpoint of step 7"),
    ],
)
def test_what_cannot_be_reported(
    words: list[Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.html").write_text("<p>my own</p>")
    shown = growlang("report", *words)
    assert (shown.status, expected in shown.err) == (2, True), shown.err
    assert Path("mine.html").read_text() == "<p>my own</p>"
    assert growlang("report", STORED / "core_8/main").out == "report.html\n"
    assert growlang("report", STORED / "core_8/main").out == "report.html\n"


def test_thinned_rows_have_the_peaks() -> None:
    rows = [{"loss": 1.0, "grad_norm": 1.0} for _ in range(1000)]
    rows[333]["loss"], rows[777]["grad_norm"], rows[5]["loss"] = 9.0, 9.0, float("nan")
    kept = thinned(rows, 40)
    assert {0, 333, 777, 999} <= set(kept)
    assert kept == sorted(kept)
    assert len(kept) <= 42
    assert thinned(rows[:7], 40) == [0, 1, 2, 3, 4, 5, 6]


def test_means_are_over_a_window() -> None:
    values: list[float | None] = [float(i) for i in range(100)]
    assert means(values) == pytest.approx(values)
    values[50] = None
    found = means(values)
    assert found[49] == pytest.approx((47 + 48 + 49 + 51) / 4)
    assert means([1.0, 2.0]) == [None, None]
    assert [rounded(x) for x in (None, 3.0, 0.12345678, 1e-9)] == [None, 3, 0.123457, 1e-9]


def test_names_tell_runs_apart() -> None:
    assert names_of([Path("/a/m/main")]) == ["m/main"]
    assert names_of([Path("/a/m/main"), Path("/b/m/main")]) == ["a/m/main", "b/m/main"]
