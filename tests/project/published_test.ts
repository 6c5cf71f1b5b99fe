/**
 * The files that would be published, and no others, served over HTTP: a program that imports them from there
 * runs in all four ways, online and from the cache alone.
 */

import { assertEquals } from "../deps.ts";
import { granted, mayFork } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";
import { publishedFiles, root } from "./published.ts";

const template = new URL("../testdata/published_program.ts", import.meta.url);

/** The package that the program imports. */
const NAME = "@socketserver/socketserver";

/** An HTTP server with the published files and the program. */
async function serveRegistry() {
  const files = new Set(await publishedFiles());
  const text = await Deno.readTextFile(template);
  const missing: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async ({ url }) => {
      const headers = { "content-type": "application/typescript" };
      const path = new URL(url).pathname.slice(1);
      if (path === "program.ts") {
        return new Response(text.replace(NAME, "./mod.ts"), { headers });
      }
      if (files.has(path)) {
        return new Response(await Deno.readFile(new URL(path, root)), {
          headers,
        });
      }
      missing.push(path);
      return new Response(null, { status: 404 });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { server, url, text, missing };
}

/** A folder with an empty cache, and how Deno is run with it. */
async function freshDeno() {
  const folder = await Deno.makeTempDir();
  const deno = async (host: string, command: string, ...args: string[]) => {
    const { code, stdout, stderr } = await boundedCommand(Deno.execPath(), {
      args: [command, "--quiet", `--allow-import=${host}`, ...args],
      cwd: folder,
      env: { DENO_DIR: `${folder}/cache`, NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stderr);
    return [code, new TextDecoder().decode(stdout), said] as const;
  };
  return {
    folder,
    deno,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** The permissions that the servers and their children need. */
const PERMISSIONS = [
  ...["--no-prompt", "--allow-net=127.0.0.1", "--allow-read"],
  ...["--allow-run", "--allow-env"],
];

/** The exit code and the output of the program when all is well. */
const GOOD = [
  0,
  "TCPSERVER\nASYNCTCPSERVER\nTHREADINGTCPSERVER\nFORKINGTCPSERVER\n",
  "",
] as const;

Deno.test({
  name:
    "the published files serve a program in a folder or the registry, online and from the cache",
  ignore: !mayFork || !granted("net", "read", "write", "env"),
  timeout: 300_000, // four programs, each of which starts workers and children
  async fn() {
    const { server, url, text, missing } = await serveRegistry();
    const { host } = new URL(url);
    const run = ["run", ...PERMISSIONS] as const;
    try {
      await using online = await freshDeno();
      await using offline = await freshDeno();
      const programs = ({ folder }: { folder: string }) => {
        const path = `${folder}/program.ts`;
        Deno.writeTextFileSync(path, text.replace(NAME, `${url}/mod.ts`));
        return [`${url}/program.ts`, path]; // that of the registry first: nothing is in the cache then
      };
      for (const program of programs(online)) {
        assertEquals(await online.deno(host, ...run, program), GOOD, program);
      }
      const cached = await offline.deno(host, "cache", ...programs(offline));
      assertEquals(cached, [0, "", ""]);
      await server.shutdown();
      for (const program of programs(offline)) {
        const said = await offline.deno(host, ...run, "--cached-only", program);
        assertEquals(said, GOOD, program);
      }
      assertEquals(missing, []);
    } finally {
      await server.shutdown();
    }
  },
});
