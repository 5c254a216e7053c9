// The pages of `growlang diff --html` and `growlang compile --html` in headless Chromium, without a network.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { background, open as opened, shots, start } from "./browser.mjs";

let started;
before(async () => { started = await start("drawings.py"); }, { timeout: 600_000 });
after(() => started?.stop());

/** Runs a test on a page, which must ask for nothing and say nothing on the console. */
const on = (name, scheme, run, size) => async () => {
  const { page, wrong } = await opened(started, name, scheme, size);
  await run(page);
  assert.deepEqual(wrong, []);
  await page.close();
};
const texts = (page, selector) => page.$$eval(selector, (all) => all.map((one) => one.textContent));
const amount = (page, selector) => page.$$eval(selector, (all) => all.filter((one) => one.checkVisibility()).length);
const panel = (page) => page.$eval("#details", (one) => one.innerText);
const search = async (page, words) => {
  await page.keyboard.press("/");
  await page.keyboard.type(words);
};

/** Pairs of elements that hold text or are pressed, none within the other, which overlap. */
const overlaps = (page) => page.evaluate(() => {
  const all = [...document.querySelectorAll(".label, .box, .chip, .net .name, #controls button, #tools > *")].filter((one) => one.checkVisibility());
  const inner = [...document.querySelectorAll(".box")].map((box) => [...box.querySelectorAll(".component, .shape, .verdict, .sum, .sums > .amount, .node")]);
  const parts = [...document.querySelectorAll("button.node")].map((node) => [...node.querySelectorAll(".signs, .number, .call, b, .cells, .amount")]);
  const found = [];
  for (const group of [all, ...inner, ...parts]) {
    const rects = group.filter((one) => one.checkVisibility()).map((one) => [one, one.getBoundingClientRect()]).filter(([, r]) => r.width && r.height);
    rects.forEach(([a, r], i) => rects.slice(i + 1).forEach(([b, s]) => {
      const wide = Math.min(r.right, s.right) - Math.max(r.left, s.left), high = Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top);
      if (wide > 1 && high > 1 && !a.contains(b) && !b.contains(a)) found.push(`${a.className} ${a.textContent} / ${b.className} ${b.textContent}`);
    }));
  }
  return found;
});

for (const name of ["small", "deep", "chain", "unrelated", "named", "costs", "bare"]) {
  for (const [scheme, width] of [["light", 1280], ["dark", 1680], ["light", 1000], ["light", 840], ["dark", 390]]) {
    test(`${name} in ${scheme}, ${width} wide, draws its nets and nothing overlaps`, on(`${name}.html`, scheme, async (page) => {
      assert.equal(await background(page), scheme === "dark" ? "rgb(18, 22, 29)" : "rgb(255, 255, 255)");
      assert.ok((await amount(page, "button.node")) > 3);
      assert.deepEqual(await overlaps(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      if (shots) await page.screenshot({ path: join(shots, `${name}-${scheme}-${width}.png`), fullPage: true });
      await page.click("#fold").catch(() => {});
      assert.deepEqual(await overlaps(page), []);
      if (shots) await page.screenshot({ path: join(shots, `${name}-${scheme}-${width}-unfolded.png`), fullPage: true });
    }, { width, height: 1000 }));
  }
}

test("amounts are shown at every width, and names are whole", on("deep.html", "light", async (page) => {
  for (const width of [1280, 1000, 840, 390]) {
    await page.setViewport({ width, height: 900 });
    const lost = await page.evaluate(() => [...document.querySelectorAll("button.node")].filter((one) => one.checkVisibility()).filter((node) => {
      const amount = node.querySelector(".amount"), name = node.querySelector(".call");
      return !amount.checkVisibility() || !amount.textContent || (name && name.scrollWidth > name.clientWidth + 1);
    }).map((one) => one.ariaLabel));
    assert.deepEqual(lost, [], String(width));
  }
}));

test("on a phone the nets stand row by row, and a tap says what a block is", on("deep.html", "light", async (page) => {
  const rows = await page.evaluate(() => [...document.querySelectorAll(".label, .cell")].filter((one) => one.checkVisibility())
    .map((one) => [one.getBoundingClientRect().top, one.classList.contains("label") ? one.textContent : one.dataset.side]).sort(([a], [b]) => a - b).map(([, text]) => text));
  const [old, child] = ["parent: core_256", "child: vermeer_1024"];
  assert.deepEqual(rows, ["conditions", old, child, "256 → 1024 px", old, child, "256", child, "128", child, "64", child, "32", child, "16", old, child]);
  const bottom = () => page.$eval("#details", (one) => getComputedStyle(one).position);
  assert.equal(await bottom(), "static");
  await page.tap('button[data-net="1"][data-node="1"]');
  assert.equal(await bottom(), "fixed");
  assert.ok((await panel(page)).startsWith("stem.patch.0"));
  if (shots) await page.screenshot({ path: join(shots, "deep-light-390-tapped.png") });
  await page.tap('button[data-net="1"][data-node="1"]');
  assert.equal(await bottom(), "static");
}, { width: 390, height: 800 }));

test("text has a contrast of at least 4.5 in both schemes", on("deep.html", "light", async (page) => {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const low = await page.evaluate(() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const rgb = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      };
      const light = (colour) => rgb(colour).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const behind = (one) => {
        for (let at = one; at; at = at.parentElement) {
          const colour = getComputedStyle(at).backgroundColor;
          if (colour !== "rgba(0, 0, 0, 0)") return colour;
        }
        return "white";
      };
      return [...document.querySelectorAll(".sign, .call, .amount, .shape, .label, .component, .note, h1, small, td, th, .hint")].filter((one) => one.checkVisibility()).map((one) => {
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), one.className, one.textContent];
      }).filter(([ratio]) => ratio < 4.5);
    });
    assert.deepEqual(low, []);
  }
}));

test("42 blocks are folded into one line, and unfold", on("deep.html", "light", async (page) => {
  const folds = (await texts(page, ".folder b")).filter((text) => text === "× 42");
  assert.equal(folds.length, 2);
  const before = await amount(page, "button.node");
  const folder = await page.evaluateHandle(() => [...document.querySelectorAll(".folder")].find((one) => one.textContent.includes("× 42")));
  assert.equal(await folder.evaluate((one) => one.querySelectorAll(".mark").length), 42);
  await folder.focus();
  await page.keyboard.press("Enter");
  assert.equal(await folder.evaluate((one) => one.ariaExpanded), "true");
  assert.equal(await amount(page, "button.node"), before + 42);
  await page.keyboard.press("Enter");
  assert.equal(await amount(page, "button.node"), before);
  await page.click("#fold");
  assert.equal(await page.$eval("#fold", (one) => one.textContent), "fold all");
  assert.ok((await amount(page, "button.node")) > before + 84);
}));

test("pointing at a block shows its shape, rule, reason and place, and lights its counterpart", on("chain.html", "light", async (page) => {
  await page.click("#fold");
  await page.hover('button[data-net="1"][data-node="7"]');
  const said = await panel(page);
  for (const part of ["core.transformer.5", "1024 x 1024", "specs/gpt2_medium.grow:16:9", "core.transformer.2", "exact", "grow", "init zeros", "specs/gpt2_medium.grow:13:8"]) assert.ok(said.includes(part), part);
  assert.deepEqual(await page.$$eval(".twin", (all) => all.map((one) => [one.dataset.net, one.dataset.node])), [["0", "4"]]);
  assert.equal(await page.$$eval(".lines path", (all) => all.length), 1);
  await page.mouse.move(640, 5);
  assert.equal(await page.$$eval(".twin", (all) => all.length), 0);
  await page.click('button[data-net="0"][data-node="4"]');
  await page.mouse.move(640, 5);
  assert.equal(await page.$$eval("button.twin", (all) => all.length), 2, "a copy and its source stay lit");
  assert.ok((await panel(page)).includes("core.transformer.4, core.transformer.5"));
}));

test("a folded counterpart lights as its cell", on("deep.html", "dark", async (page) => {
  const cell = await page.evaluateHandle(() => document.querySelector('.mark[data-net="0"][data-node="20"]'));
  await cell.scrollIntoView();
  await cell.hover();
  assert.ok((await panel(page)).includes("core.transformer.16"));
  const twins = await page.$$eval(".twin", (all) => all.map((one) => [one.className.includes("mark"), one.dataset.net]));
  assert.deepEqual(twins, [[true, "1"]]);
}));

test("the legend filters", on("deep.html", "light", async (page) => {
  assert.deepEqual(await texts(page, "#controls [data-kind] span:nth-child(2)"), ["kept", "new", "replaced", "dropped"]);
  await page.click('[data-kind="dropped"]');
  assert.equal(await page.$eval("#found", (one) => one.textContent), "4 of 126 blocks");
  const bright = await page.$$eval("button.node:not(.dim)", (all) => all.map((one) => one.dataset.net));
  assert.deepEqual(bright, ["0", "0", "0", "0"]);
  await page.click('[data-kind="new"], [data-kind="reinitialised"]');
  assert.equal(await page.$eval("#found", (one) => one.textContent), "6 of 126 blocks");
  await page.keyboard.press("Escape");
  assert.equal(await amount(page, ".node.dim"), 0);
}));

test("the search finds tensors, components, rules and places", on("chain.html", "light", async (page) => {
  for (const [words, found] of [["qkv.weight", "36 of 42 blocks"], ["deepen", "38 of 42 blocks"], ["head.unembed", "2 of 42 blocks"], ["init zeros", "12 of 42 blocks"], ["gpt2_medium.grow:16", "25 of 42 blocks"], ["nothing like this", "nothing matches: Esc clears"]]) {
    await search(page, words);
    assert.equal(await page.$eval("#found", (one) => one.textContent), found, words);
    await page.keyboard.press("Escape");
    assert.equal(await page.$eval("#search", (one) => one.value), "");
  }
  await search(page, "init zeros");
  await page.keyboard.press("Enter");
  assert.ok((await panel(page)).includes("core.transformer.1\n"), await panel(page));
  await page.keyboard.press("Enter");
  assert.ok((await panel(page)).includes("core.transformer.3\n"));
}));

test("the keyboard goes from block to block", on("deep.html", "light", async (page) => {
  const at = () => page.evaluate(() => document.activeElement.ariaLabel.split(",")[0]);
  await page.focus('button.node[tabindex="0"]');
  assert.equal(await at(), "time");
  for (const [key, place] of [["ArrowDown", "head.residual.0"], ["ArrowLeft", "stem.patch.0"], ["ArrowDown", "stem.residual.0"], ["ArrowRight", "head.unpatch.0"], ["ArrowUp", "head.residual.0"], ["ArrowRight", "stem.patch.0"]]) {
    await page.keyboard.press(key);
    assert.equal(await at(), place, key);
  }
  assert.equal(await page.evaluate(() => document.activeElement.dataset.net), "1");
  assert.equal(await page.$$eval('button.node[tabindex="0"]', (all) => all.length), 1);
  await page.keyboard.press("Home");
  assert.equal(await at(), "time");
  await page.keyboard.press("Enter");
  assert.ok((await panel(page)).startsWith("time"));
  await page.keyboard.press("Escape");
  assert.ok((await panel(page)).startsWith("Point at a block"));
}));

test("the scheme follows the system until it is chosen", on("small.html", "dark", async (page) => {
  assert.equal(await background(page), "rgb(18, 22, 29)");
  await page.click("#scheme");
  assert.equal(await background(page), "rgb(255, 255, 255)");
}));

test("phases say what is frozen, and bars what things cost", on("costs.html", "light", async (page) => {
  assert.deepEqual(await texts(page, ".phases b"), ["frozen", "joint", "aesthetic"]);
  const frozen = () => page.$$eval("button.node.frozen", (all) => all.map((one) => one.dataset.node).length);
  assert.equal(await frozen(), 44, "time, the positions and 42 blocks");
  await page.click('[data-phase="joint"]');
  assert.equal(await frozen(), 0);
  assert.ok((await page.$eval("#told", (one) => one.textContent)).startsWith("joint: 500,000 steps at batch 2,048"));
  const share = () => page.$$eval(".folder", (all) => all[all.length - 1].style.getPropertyValue("--share"));
  const core = () => page.evaluate(() => [...document.querySelectorAll(".folder")].find((one) => one.textContent.includes("× 42")).style.getPropertyValue("--share"));
  assert.equal(Math.round(parseFloat(await core())), 97);
  await page.click('[data-measure="flops"]');
  assert.equal(Math.round(parseFloat(await core())), 72);
  assert.ok(await share());
}));

test("a spec without a recipe says so", on("bare.html", "light", async (page) => {
  assert.ok((await texts(page, "#controls .hint"))[0].includes("no recipe"));
  assert.equal(await page.$$eval("#controls [data-kind]", (all) => all.length), 0);
}));

test("names of the user are text", on("named.html", "light", async (page) => {
  assert.equal(await page.title(), "small → large: growlang");
  await page.hover('button[data-net="1"][data-node="1"]');
  assert.ok((await panel(page)).includes("<script>document.title = 'broken'<"));
  assert.equal(readFileSync(join(started.folder, "named.html"), "utf8").match(/<script/g).length, 2);
}));

test("what can be pressed has a name, and a page its landmarks", on("deep.html", "light", async (page) => {
  const nameless = await page.$$eval("button, input, section, [role=group], [role=region]", (all) => all
    .filter((one) => !one.ariaLabel && !one.textContent.trim()).map((one) => one.outerHTML));
  assert.deepEqual(nameless, []);
  assert.deepEqual(await page.$$eval("main, header, aside[role=region], footer, h1", (all) => all.map((one) => one.localName)), ["header", "h1", "main", "footer", "aside"]);
  const label = await page.$eval('button[data-net="1"][data-node="1"]', (one) => one.ariaLabel);
  assert.equal(label, "stem.patch.0, patch(factor = 4, width = 128), 2 replaced, 6,272 parameters");
}));

test("printed from a dark page, the controls are gone and paper is white", on("deep.html", "light", async (page) => {
  await page.click("#scheme");
  assert.equal(await background(page), "rgb(18, 22, 29)");
  await page.emulateMediaType("print");
  assert.equal(await amount(page, "#tools, #details"), 0);
  assert.equal(await background(page), "rgb(255, 255, 255)");
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).getPropertyValue("-webkit-print-color-adjust")), "exact");
}));
