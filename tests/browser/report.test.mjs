// The page of `growlang report` in headless Chromium, without a network.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { background, open as opened, shots, start } from "./browser.mjs";

let started, folder;

before(async () => {
  started = await start("reports.py");
  folder = started.folder;
}, { timeout: 600_000 });

after(() => started?.stop());

async function open(name, scheme) {
  const found = await opened(started, name, scheme);
  await found.page.waitForFunction(() => [...document.querySelectorAll(".chart canvas")].length > 0);
  return found;
}

/** The points of a curve as the page embeds them. */
const points = (page, chart, index = 0) => page.evaluate((chart, index) => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const series = data.charts.find((one) => one.id === chart).series[index];
  return { steps: data.axes[series.x], values: series.y };
}, chart, index);

const legend = (page, chart) => page.$$eval(`[data-chart="${chart}"] .u-value`, (cells) => cells.map((cell) => cell.textContent));
const shown = (value) => String(Number(value.toPrecision(5)));

for (const name of ["one.html", "three.html"]) {
  for (const scheme of ["light", "dark"]) {
    test(`${name} in ${scheme} loads nothing and draws its curves`, async () => {
      const { page, wrong } = await open(name, scheme);
      assert.equal(await background(page), scheme === "dark" ? "rgb(18, 22, 29)" : "rgb(255, 255, 255)");
      assert.equal(await page.$$eval(".chart canvas", (all) => all.filter((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value !== 0);
      }).length), name === "one.html" ? 7 : 6);
      assert.ok(await page.$$eval("img", (all) => all.every((image) => image.naturalWidth > 0)));
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      assert.ok((await page.title()).endsWith("growlang report"));
      if (shots) await page.screenshot({ path: join(shots, `${name}-${scheme}.png`), fullPage: true });
      assert.deepEqual(wrong, []);
      await page.close();
    });
  }
}

test("hovering a curve shows its values", async () => {
  const { page, wrong } = await open("one.html", "light");
  const { steps, values } = await points(page, "loss");
  const over = await page.$('[data-chart="loss"] .u-over');
  await over.scrollIntoView();
  const box = await over.boundingBox();
  const at = 19;
  await page.mouse.move(box.x + (box.width * steps[at]) / steps[steps.length - 1], box.y + box.height / 2);
  await page.waitForFunction(() => document.querySelector('[data-chart="loss"] .u-value').textContent !== "–");
  const [step, loss] = await legend(page, "loss");
  assert.deepEqual([step, loss], [String(steps[at]), shown(values[at])]);
  const [other] = await legend(page, "grad-norm");
  assert.equal(other, step);
  assert.deepEqual(wrong, []);
  await page.close();
});

test("dragging over a curve zooms all of them, and a double click shows all", async () => {
  const { page, wrong } = await open("three.html", "light");
  const over = await page.$('[data-chart="loss"] .u-over');
  await over.scrollIntoView();
  const box = await over.boundingBox();
  const extent = () => page.$$eval('[data-chart="speed"] canvas', ([canvas]) => canvas.toDataURL());
  const before = await extent();
  await page.mouse.move(box.x + box.width * 0.2, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 50, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction((before) => document.querySelector('[data-chart="speed"] canvas').toDataURL() !== before, {}, before);
  await page.mouse.click(box.x + box.width * 0.5, box.y + 50, { count: 2 });
  await page.waitForFunction((before) => document.querySelector('[data-chart="speed"] canvas').toDataURL() === before, {}, before);
  assert.deepEqual(wrong, []);
  await page.close();
});

test("the slider chooses the grids of a step", async () => {
  const { page, wrong } = await open("three.html", "light");
  const visible = () => page.$$eval("figure.grid", (all) => all.map((figure) =>
    [...figure.querySelectorAll("img")].filter((image) => !image.hidden).map((image) => Number(image.dataset.step))));
  assert.deepEqual(await visible(), [[30], [30], [20]]);
  await page.focus("#step");
  await page.keyboard.press("Home");
  assert.deepEqual(await visible(), [[6], [6], [6]]);
  await page.keyboard.press("ArrowRight");
  assert.deepEqual(await visible(), [[12], [12], [12]]);
  assert.equal(await page.$eval("#step-shown", (output) => output.textContent), "step 12");
  assert.deepEqual(wrong, []);
  await page.close();
});

test("the keyboard reads values, zooms and switches scales", async () => {
  const { page, wrong } = await open("one.html", "dark");
  const { steps, values } = await points(page, "loss");
  await page.focus('[data-chart="loss"]');
  for (const key of ["Home", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
  const said = () => page.$eval('[data-chart="loss"] [aria-live]', (line) => line.textContent);
  const where = steps.indexOf(Number((await said()).match(/^step (\d+)/)[1]));
  assert.ok((await said()).includes(`loss ${shown(values[where])}`));
  const picture = () => page.$eval('[data-chart="loss"] canvas', (canvas) => canvas.toDataURL());
  const whole = await picture();
  await page.keyboard.press("+");
  await page.waitForFunction((whole) => document.querySelector('[data-chart="loss"] canvas').toDataURL() !== whole, {}, whole);
  await page.keyboard.press("Escape");
  await page.waitForFunction((whole) => document.querySelector('[data-chart="loss"] canvas').toDataURL() === whole, {}, whole);
  await page.click('[data-chart="loss"] .tools button');
  assert.equal(await page.$eval('[data-chart="loss"] .tools button', (button) => button.ariaPressed), "false");
  await page.click("#scheme");
  assert.equal(await background(page), "rgb(255, 255, 255)");
  assert.deepEqual(wrong, []);
  await page.close();
});

test("what runs say is text", async () => {
  const text = readFileSync(join(folder, "one.html"), "utf8");
  assert.ok(!text.includes("<script>document.title"));
  const { page } = await open("one.html", "light");
  assert.ok((await page.$eval("figure img", (image) => image.alt)).includes("<script>document.title"));
  await page.close();
});
