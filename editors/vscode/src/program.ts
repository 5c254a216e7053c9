/** Which program the client starts, and what is wrong with it; knows nothing of VS Code. */
import { spawn } from "node:child_process";
import { isAbsolute, resolve } from "node:path";

export const INSTALL = 'pip install "growlang[lsp]"';

/**
 * The program that a setting names: `~` is the user's home, and a relative path with a separator
 * starts at the workspace's folder; a bare name is looked up on the PATH.
 */
export function program(setting: string, folder: string | undefined, home: string): string {
  const path = setting.trim() || "growlang";
  if (/^~[\\/]/.test(path)) return home + path.slice(1);
  if (folder !== undefined && /[\\/]/.test(path) && !isAbsolute(path)) return resolve(folder, path);
  return path;
}

/**
 * Why `growlang lsp` cannot run, as a message for the user; undefined where it can. The server is
 * started with an empty stdin, at whose end it exits: with 2, and the reason on stderr, if what it
 * needs is not installed.
 */
export function problem(command: string, patienceMs = 30_000): Promise<string | undefined> {
  return new Promise((answer) => {
    const server = spawn(command, ["lsp"], {
      stdio: ["ignore", "ignore", "pipe"],
      signal: AbortSignal.timeout(patienceMs),
    });
    let said = "";
    server.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.name === "AbortError") answer(`\`${command} lsp\` does not answer.`);
      const missing = error.code === "ENOENT";
      const reason = missing ? "is not found" : `cannot be started (${error.code})`;
      answer(`\`${command}\` ${reason}. Install it with ${INSTALL}, or set growlang.path.`);
    });
    server.on("close", (status) => {
      const reason = said.trim() || `it exits with ${status}`;
      answer(status === 0 ? undefined : `\`${command} lsp\` does not run: ${reason}`);
    });
  });
}
