// @ts-check

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const here = fileURLToPath(new URL("..", import.meta.url));
const modules = fileURLToPath(new URL("../../node_modules/", import.meta.url));
const tsc = join(modules, ".bin/tsc");

/** The strictest settings of a TypeScript project. */
const strict = {
  target: "es2022",
  lib: ["es2022", "dom", "dom.iterable"],
  module: "nodenext",
  strict: true,
  noEmit: true,
  types: [],
  skipLibCheck: false,
};

/** Checks these files of the project. @param {string[]} files @param {string[]} [flags] */
async function checked(files, flags = []) {
  await writeFile(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions: strict, files }),
  );
  await run(tsc, ["-p", project, ...flags]).catch(({ stdout }) => assert.fail(stdout));
}

const BUNDLER = ["--module", "esnext", "--moduleResolution", "bundler"];

/** The folder of a project that has installed the package from its archive. */
let project = "";

/** @type {string[]} */
let packed = [];

before(async () => {
  project = await mkdtemp(join(tmpdir(), "marcador-package-"));
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", project], {
    cwd: here,
  });
  const [{ filename, files }] = JSON.parse(stdout);
  packed = files.map((/** @type {{ path: string }} */ { path }) => path).sort();
  await writeFile(join(project, "package.json"), '{ "type": "module", "private": true }');
  const quiet = ["--offline", "--no-audit", "--no-fund", "--no-update-notifier"];
  await run("npm", ["install", ...quiet, join(project, filename)], { cwd: project });
});

after(() => rm(project, { recursive: true, force: true }));

test("the package has the client, the element, their types, and nothing else", async () => {
  const modules = ["client", "element", "view"].map(async (folder) =>
    (await readdir(join(here, folder))).map((name) => `${folder}/${name}`),
  );
  const entries = ["marcador.js", "marcador.d.ts", "element.js", "element.d.ts"];
  const rest = ["LICENSE", "README.md", "package.json"];
  assert.deepEqual(packed, [...(await Promise.all(modules)).flat(), ...entries, ...rest].sort());
  const own = await readFile(join(here, "LICENSE"), "utf8");
  assert.equal(own, await readFile(join(here, "../LICENSE"), "utf8"), "the licence is the same");
});

test("the installed package can be imported in Node", async () => {
  await writeFile(
    join(project, "main.js"),
    `import { connect } from "marcador";
     import { MarcadorBoard } from "marcador/element";
     const board = connect({ getToken: async () => null, baseUrl: "http://127.0.0.1:9" });
     console.log(board.getSnapshot().status, typeof MarcadorBoard);
     board.close();`,
  );
  const { stdout } = await run(process.execPath, ["main.js"], { cwd: project });
  assert.equal(stdout, "connecting function\n");
});

test("the installed package has types", async () => {
  await writeFile(
    join(project, "main.ts"),
    `import { connect, type Board, type Snapshot } from "marcador";
     import "marcador/element";
     const board: Board = connect({ board: "school:42", period: "weekly", getToken: async () => null });
     const stop: () => void = board.subscribe(() => {
       const { entries, status }: Snapshot = board.getSnapshot();
       console.log(status, entries[0]?.username.length);
     });
     stop();
     const element = document.createElement("marcador-board");
     element.getToken = async () => "token";
     element.addEventListener("marcador-update", ({ detail }) => console.log(detail.snapshot.totalEntries + 1));
     element.addEventListener("marcador-rank", ({ detail }) => console.log(detail.newRank));
     // @ts-expect-error
     connect({ bord: "school:42" });
     // @ts-expect-error
     element.getToken = "token";
     // @ts-expect-error
     board.getSnapshot().entries[0].rank = 1;`,
  );
  for (const flags of [[], BUNDLER]) await checked(["main.ts"], flags);
});

test("the tag is typed in JSX of React, in Vue and in Svelte", async () => {
  await mkdir(join(project, "node_modules/@types"), { recursive: true });
  for (const name of ["react", "@types/react", "vue", "svelte"]) {
    await symlink(join(modules, name), join(project, "node_modules", name), "dir");
  }
  await writeFile(
    join(project, "board.tsx"),
    `import { useRef } from "react";
     import type { MarcadorBoard } from "marcador"; // the client alone brings the tag
     export function Board({ token }: { token: () => Promise<string> }) {
       const ref = useRef<MarcadorBoard>(null);
       return (
         <section onClick={() => ref.current?.retry()}>
           <marcador-board key="a" ref={ref} board="classroom:7a" period="weekly" rows={10} getToken={token}
             className="wide" style={{ height: 300 }}
             onmarcador-update={({ detail }) => console.log(detail.snapshot.totalEntries + 1)} />
           <marcador-board />
           {/* @ts-expect-error */}
           <marcador-board board={7} />
           {/* @ts-expect-error */}
           <marcador-board getToken="token" />
           {/* @ts-expect-error */}
           <marcador-board bord="global" />
         </section>
       );
     }`,
  );
  await writeFile(
    join(project, "templates.ts"),
    `import "marcador/element";
     import type { SvelteHTMLElements } from "svelte/elements";
     import type { GlobalComponents } from "vue";
     const getToken = async () => "token";
     type Vue = InstanceType<GlobalComponents["marcador-board"]>["$props"];
     export const vue: Vue = { board: "global", rows: 5, getToken, class: "wide", key: 1,
       "onmarcador-rank": ({ detail }) => console.log(detail.newRank) };
     type Svelte = SvelteHTMLElements["marcador-board"];
     export const svelte: Svelte = { board: "global", rows: "5", getToken: null, class: "wide",
       "onmarcador-status": ({ detail }) => console.log(detail.status),
       "on:marcador-rank": ({ detail }) => console.log(detail.newRank) };
     // @ts-expect-error
     export const wrongInVue: Vue = { rows: true };
     // @ts-expect-error
     export const wrongInSvelte: Svelte = { getToken: "token" };`,
  );
  await checked(["board.tsx", "templates.ts"], [...BUNDLER, "--jsx", "react-jsx"]);
});
