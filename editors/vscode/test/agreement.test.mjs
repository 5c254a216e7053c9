// The grammar agrees with the language's own lexer and parser on every spec of the project.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { tokenize } from "./grammar.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const NAMES = relative(ROOT, fileURLToPath(new URL("names.grow", import.meta.url)));
const FIXTURES = ["specs", "fmt", "mended"].map((folder) => `tests/fixtures/${folder}`);
const FOLDERS = ["specs", "examples", ...FIXTURES];

/** What the innermost scopes of a word may be, by its role in the language. */
const SCOPES = {
  comment: /^comment\.line\./,
  string: /^string\.quoted\./,
  number: /^constant\.numeric\./,
  constant: /^constant\.language\./,
  operator: /^keyword\.operator\.word\./,
  keyword: /^keyword\.control\./,
  slot: /^storage\.type\.slot\./,
  place: /^variable\.language\.place\./,
  import: /^entity\.name\.namespace\./,
  param: /^variable\.other\.constant\./,
  data: /^variable\.other\.constant\./,
  block: /^entity\.name\.function\.block\./,
  model: /^entity\.name\.type\.model\./,
  section: /^entity\.name\.section\./,
  binding: /^variable\.other\.property\./,
  argument: /^variable\.parameter\./,
  op: /^entity\.name\.function\.op\./,
  call: /^support\.function\./,
  name: /^variable\.other\.grow$/,
};
/** Scopes of parts of a word: an escape, a unit. */
const PARTS = /^(constant\.character\.escape|keyword\.other\.unit)\./;

const specs = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith(".grow") && statSync(join(ROOT, name)).isFile()),
);

const corpus = JSON.parse(
  execFileSync(process.env.PYTHON ?? "python3", ["tests/roles.py", NAMES, ...specs], {
    cwd: ROOT,
    env: { ...process.env, PYTHONPATH: ROOT },
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  }),
);

/** The scopes of a word's characters, without those of its parts. */
function scopesOf(tokens, start, end) {
  const inside = tokens.filter((t) => t.startIndex < end && t.endIndex > start);
  return new Set(inside.map((t) => t.scopes.findLast((scope) => !PARTS.test(scope))));
}

/** The index in UTF-16 units of a column in code points. */
const index = (line, column) => [...line].slice(0, column - 1).join("").length;

/** The words of a spec whose scopes are not those of their roles, each as a message. */
function disagreements({ name, text, words }) {
  const lines = text.split("\n");
  const tokens = tokenize(text);
  return words.flatMap(([role, row, column, word]) => {
    const start = index(lines[row - 1], column);
    const scopes = [...scopesOf(tokens[row - 1], start, start + word.length)];
    return scopes.every((scope) => SCOPES[role].test(scope))
      ? []
      : [`${name}:${row}:${column}: ${role} \`${word}\` is ${scopes.join(", ")}`];
  });
}

test("every word has the scope of its role", (t) => {
  const words = corpus.flatMap((spec) => spec.words);
  t.diagnostic(`${words.length} words in ${corpus.length} layouts of ${specs.length + 1} specs`);
  assert.deepEqual(corpus.flatMap(disagreements), []);
});

test("the specs have words of every role", () => {
  assert.ok(specs.length >= 80, `${specs.length} specs`);
  const roles = new Set(corpus.flatMap(({ words }) => words.map(([role]) => role)));
  assert.deepEqual([...roles].sort(), Object.keys(SCOPES).sort());
});

test("nothing that parses is marked as illegal", () => {
  const illegal = corpus.flatMap(({ name, text }) =>
    tokenize(text).flatMap((tokens, row) =>
      tokens
        .filter((t) => t.scopes.some((scope) => scope.startsWith("invalid")))
        .map(() => `${name}:${row + 1}`),
    ),
  );
  assert.deepEqual(illegal, []);
});
