// The page of `growlang report` in headless Chromium, without a network.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const here = dirname(fileURLToPath(import.meta.url));
const shots = process.env.SCREENSHOTS;
let folder, browser;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "growlang-report-"));
  execFileSync(process.env.PYTHON ?? "python3", [join(here, "pages.py"), folder], { stdio: "inherit" });
  browser = await puppeteer.launch({
    args: [...chromium.args, "--no-sandbox"],
    executablePath: await chromium.executablePath(),
    headless: "shell",
  });
}, { timeout: 600_000 });

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens a page; whatever it asks the network for, or says on the console, is in `wrong`. */
async function open(name, scheme) {
  const page = await browser.newPage();
  const wrong = [], own = pathToFileURL(join(folder, name)).href;
  page.on("console", (message) => wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  await page.setOfflineMode(true);
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    const url = request.url();
    if (url === own || url.startsWith("data:")) return request.continue();
    wrong.push(`request: ${url}`);
    return request.abort();
  });
  await page.setViewport({ width: 1280, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(own, { waitUntil: "load" });
  await page.waitForFunction(() => [...document.querySelectorAll(".chart canvas")].length > 0);
  return { page, wrong };
}

/** The points of a curve as the page embeds them. */
const points = (page, chart, index = 0) => page.evaluate((chart, index) => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const series = data.charts.find((one) => one.id === chart).series[index];
  return { steps: data.axes[series.x], values: series.y };
}, chart, index);

const legend = (page, chart) => page.$$eval(`[data-chart="${chart}"] .u-value`, (cells) => cells.map((cell) => cell.textContent));
const shown = (value) => String(Number(value.toPrecision(5)));
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

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
