/** Starts `growlang lsp` for the specs that are open. */
import { homedir } from "node:os";
import { commands, env, type ExtensionContext, window, workspace } from "vscode";
import { LanguageClient } from "vscode-languageclient/node";
import { INSTALL, problem, program } from "./program";

let client: LanguageClient | undefined;
/** Starts and stops come one after another. */
let queue: Promise<void> = Promise.resolve();

export function activate(context: ExtensionContext): Promise<void> {
  context.subscriptions.push(
    commands.registerCommand("growlang.restart", restart),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("growlang.path")) void restart();
    }),
    workspace.onDidGrantWorkspaceTrust(() => void restart()),
  );
  return restart();
}

export function deactivate(): Promise<void> {
  return (queue = queue.then(stop));
}

function restart(): Promise<void> {
  return (queue = queue.then(stop).then(start));
}

async function stop(): Promise<void> {
  const running = client;
  client = undefined;
  await running?.dispose();
}

async function start(): Promise<void> {
  const uri = workspace.workspaceFolders?.[0]?.uri;
  const folder = uri?.scheme === "file" ? uri.fsPath : undefined;
  const setting = workspace.getConfiguration("growlang").get("path", "growlang");
  const command = program(setting, folder, homedir());
  const found = await problem(command);
  if (found !== undefined) {
    void explain(found);
    return;
  }
  client = new LanguageClient(
    "growlang",
    "Grow",
    { command, args: ["lsp"] },
    {
      documentSelector: [
        { scheme: "file", language: "grow" },
        { scheme: "untitled", language: "grow" },
        { scheme: "file", language: "yaml", pattern: "**/*.grow.yaml" },
      ],
      middleware: {
        // What may be written in YAML is known from the schema.
        provideCompletionItem: (document, position, context, token, next) =>
          document.languageId === "grow" ? next(document, position, context, token) : [],
      },
    },
  );
  await client.start();
}

/** Shows why there is no server, with what the user can do about it. */
async function explain(message: string): Promise<void> {
  const [copy, settings, retry] = ["Copy pip command", "Open settings", "Try again"] as const;
  switch (await window.showErrorMessage(message, copy, settings, retry)) {
    case copy:
      await env.clipboard.writeText(INSTALL);
      break;
    case settings:
      await commands.executeCommand("workbench.action.openSettings", "growlang.path");
      break;
    case retry:
      await restart();
  }
}
