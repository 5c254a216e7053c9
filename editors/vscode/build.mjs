// Writes dist/: the client in one file, the licences of the packages that are in it, and the JSON
// Schema of the YAML syntax; and the project's licence, where a package has its own.
import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

await rm("dist", { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: true,
  metafile: true,
});

const packages = Object.keys(metafile.inputs).flatMap(
  (path) => path.match(/^node_modules\/(@[^/]+\/)?[^/]+/)?.[0] ?? [],
);
const licences = [...new Set(packages)].sort().map(async (folder) => {
  const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) throw new Error(`${folder} has no licence`);
  return `${folder.replace("node_modules/", "")}\n\n${await readFile(`${folder}/${file}`, "utf8")}`;
});
await writeFile("dist/licences.txt", (await Promise.all(licences)).join("\n\n"));
await copyFile("../../docs/schema/grow-1.json", "dist/grow-1.json");
await copyFile("../../LICENSE", "LICENSE");
