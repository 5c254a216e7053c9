// A headless Chromium without a network, for the tests of pages.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const here = dirname(fileURLToPath(import.meta.url));

/** Pages that a Python script writes into a folder, and a browser for them. */
export async function start(script) {
  const folder = mkdtempSync(join(tmpdir(), "growlang-pages-"));
  execFileSync(process.env.PYTHON ?? "python3", [join(here, script), folder], { stdio: "inherit" });
  const browser = await puppeteer.launch({
    args: [...chromium.args, "--no-sandbox"],
    executablePath: await chromium.executablePath(),
    headless: "shell",
  });
  const stop = async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, browser, stop };
}

/** Opens a page; whatever it asks the network for, or says on the console, is in `wrong`. */
export async function open({ folder, browser }, name, scheme, { width = 1280, height = 900 } = {}) {
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
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(own, { waitUntil: "load" });
  return { page, wrong };
}

export const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
export const shots = process.env.SCREENSHOTS;
