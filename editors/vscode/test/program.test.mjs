// Which program is started, and what the user is told where it does not run.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = fileURLToPath(new URL("../src/program.ts", import.meta.url));
const built = await build({ entryPoints: [source], platform: "node", format: "esm", write: false });
const code = Buffer.from(built.outputFiles[0].contents).toString("base64");
const { problem, program } = await import(`data:text/javascript;base64,${code}`);

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const OURS = `import sys; sys.path.insert(0, ${JSON.stringify(ROOT)})`;
const folder = mkdtempSync(join(tmpdir(), "growlang-"));

/** A script of Python's by a name of its own. */
function script(name, lines) {
  const path = join(folder, name);
  const python = process.env.PYTHON ?? "python3";
  writeFileSync(path, [`#!/usr/bin/env ${python}`, ...lines, ""].join("\n"));
  chmodSync(path, 0o755);
  return path;
}

test("a setting names a command or a path", () => {
  assert.equal(program("growlang", "/work", "/home/me"), "growlang");
  assert.equal(program("  ", undefined, "/home/me"), "growlang");
  const relative = program(".venv/bin/growlang", "/work", "/home/me");
  assert.equal(relative, resolve("/work/.venv/bin/growlang"));
  assert.equal(program("/opt/growlang", "/work", "/home/me"), "/opt/growlang");
  assert.equal(program("~/bin/growlang", "/work", "/home/me"), "/home/me/bin/growlang");
});

test("the project's own server runs", async () => {
  const path = script("growlang", [OURS, "from growlang.cli import main; main()"]);
  assert.equal(await problem(path), undefined);
});

test("without pygls, the message is the program's own, with the pip command", async () => {
  const path = script("without-pygls", [
    OURS,
    "import growlang.cli.writing as writing; writing.find_spec = lambda name: None",
    "from growlang.cli import main; main()",
  ]);
  const found = await problem(path);
  assert.match(found, /needs pygls, which is not installed/);
  assert.match(found, /pip install "growlang\[lsp\]"/);
});

test("without growlang, the message says how to install it and which setting names it", async () => {
  const found = await problem(join(folder, "missing"));
  assert.match(found, /is not found\. Install it with pip install "growlang\[lsp\]"/);
  assert.match(found, /or set growlang\.path\.$/);
});

test("a program that is something else is named with what it said", async () => {
  const path = script("other", ["import sys", "sys.exit('no such command: lsp')"]);
  assert.match(await problem(path), /other lsp` does not run: no such command: lsp/);
  const silent = script("silent", ["raise SystemExit(3)"]);
  assert.match(await problem(silent), /it exits with 3/);
});

test("a program that neither serves nor ends is given up", async () => {
  const path = script("endless", ["import time", "time.sleep(60)"]);
  assert.match(await problem(path, 500), /endless lsp` does not answer\./);
});
