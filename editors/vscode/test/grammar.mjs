// Runs the TextMate engine of VS Code over a text.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";

const wasm = createRequire(import.meta.url).resolve("vscode-oniguruma/release/onig.wasm");
const path = new URL("../syntaxes/grow.tmLanguage.json", import.meta.url);

await oniguruma.loadWASM(await readFile(wasm));
const registry = new textmate.Registry({
  onigLib: Promise.resolve(oniguruma),
  loadGrammar: async (scope) =>
    scope === "source.grow"
      ? textmate.parseRawGrammar(await readFile(path, "utf8"), path.pathname)
      : null,
});
const grammar = await registry.loadGrammar("source.grow");

/**
 * The tokens of each line of a text: `{startIndex, endIndex, scopes}`, the innermost scope last.
 * @param {string} text
 */
export function tokenize(text) {
  let stack = textmate.INITIAL;
  return text.split("\n").map((line) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
    stack = ruleStack;
    return tokens;
  });
}
