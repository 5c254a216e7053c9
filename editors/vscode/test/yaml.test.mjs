// The YAML language server, which the YAML extension of editors runs, reads the twins of the specs.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import rpc from "vscode-jsonrpc/node";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const specs = ["specs", "examples"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .filter((name) => name.endsWith(".grow"))
    .map((name) => join(folder, name)),
);

/** The twin that `growlang convert` writes, as it stands beside the spec. */
function twin(spec) {
  const text = execFileSync(
    process.env.PYTHON ?? "python3",
    ["-m", "growlang", "convert", spec, "--to", "yaml"],
    { cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT }, encoding: "utf8" },
  );
  return { uri: pathToFileURL(join(ROOT, `${spec}.yaml`)).href, text };
}

const main = createRequire(import.meta.url).resolve("yaml-language-server");
const program = main.replace(/(yaml-language-server).*$/, "$1/bin/$1");
const server = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(server.stdout),
  new rpc.StreamMessageWriter(server.stdin),
);
const settings = { yaml: { validate: true, schemaStore: { enable: false } } };
const waiting = new Map();
connection.onRequest("workspace/configuration", ({ items }) =>
  items.map(({ section }) => settings[section] ?? null),
);
connection.onRequest("client/registerCapability", () => null);
connection.onNotification("textDocument/publishDiagnostics", ({ uri, diagnostics }) =>
  waiting.get(uri)?.(diagnostics),
);
connection.listen();
await connection.sendRequest("initialize", {
  processId: process.pid,
  rootUri: pathToFileURL(ROOT).href,
  capabilities: { workspace: { configuration: true } },
});
connection.sendNotification("initialized", {});
connection.sendNotification("workspace/didChangeConfiguration", { settings });

after(async () => {
  await connection.sendRequest("shutdown");
  await connection.sendNotification("exit");
  await once(server, "exit");
  connection.dispose();
});

let opened = 0;
/** What the server finds in a text that is opened in place of a twin, each as a message. */
async function findings({ uri, text }) {
  const own = uri.replace(/\.grow\.yaml$/, `.${opened++}.grow.yaml`);
  const found = new Promise((answer) => waiting.set(own, answer));
  const textDocument = { uri: own, languageId: "yaml", version: 1, text };
  connection.sendNotification("textDocument/didOpen", { textDocument });
  const messages = (await found).map(({ message }) => message);
  connection.sendNotification("textDocument/didClose", { textDocument: { uri: own } });
  return messages;
}

const twins = specs.map(twin);

test("there is nothing to say of a twin", async (t) => {
  assert.ok(twins.length >= 8, `${twins.length} twins`);
  for (const each of twins) {
    assert.match(each.text, /^# yaml-language-server: \$schema=(\.\.\/)+docs\/schema\/grow-1\.json\n/);
    assert.deepEqual(await findings(each), [], each.uri);
  }
  t.diagnostic(`${twins.length} twins`);
});

const BROKEN = {
  "an unknown key": ["\nmodel:", "\nmodle: {}\nmodel:", /Property modle is not allowed/],
  "a wrong type": ["\ngrow: 1", "\ngrow: one", /Value must be 1|Incorrect type/],
  "no name": ["\n  name: ", "\n  nmae: ", /Missing property "name"|not allowed/],
  "an unknown argument": ["heads:", "haeds:", /Property haeds is not allowed|Missing property/],
  "no YAML": ["\nmodel:", "\nmodel: [", /./],
  "a schema that is not there": ["$schema=", "$schema=nowhere/", /Unable to load schema/],
};

test("what is wrong in a twin is found", async (t) => {
  const whole = twins.find(({ text }) => text.includes("heads:"));
  for (const [name, [old, broken, said]] of Object.entries(BROKEN)) {
    await t.test(name, async () => {
      assert.ok(whole.text.includes(old));
      const found = await findings({ ...whole, text: whole.text.replace(old, broken) });
      assert.ok(found.some((message) => said.test(message)), `${found.join("; ")}`);
    });
  }
});
