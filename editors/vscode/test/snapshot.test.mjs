// The scopes of a text with slips, as a snapshot: `UPDATE=1 npm test` writes it anew.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { tokenize } from "./grammar.mjs";

const text = readFileSync(new URL("slips.grow", import.meta.url), "utf8");
const expected = new URL("slips.scopes.txt", import.meta.url);

/** Each line, and below it its tokens with their scopes. */
function scopes() {
  const lines = text.trimEnd().split("\n");
  const rows = tokenize(text.trimEnd()).map((tokens, row) => {
    const named = tokens.filter((t) => lines[row].slice(t.startIndex, t.endIndex).trim());
    return named.map((t) => {
      const word = lines[row].slice(t.startIndex, t.endIndex).trim();
      return `    ${word.padEnd(12)} ${t.scopes.slice(1).join(" ")}`.trimEnd();
    });
  });
  return lines.map((line, row) => [line, ...rows[row], ""].join("\n")).join("\n");
}

test("a slip leaves the statements behind it as they are", () => {
  if (process.env.UPDATE) writeFileSync(expected, scopes());
  assert.equal(scopes(), readFileSync(expected, "utf8"));
});
