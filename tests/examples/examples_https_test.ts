/** examples/https.ts and client_certificate.ts with curl, Chromium and openssl. */

import { assert, assertEquals, assertStringIncludes } from "../deps.ts";
import { Authority, type Identity } from "../helpers/certificates.ts";
import { complaint, mayRun, start, talk } from "./example_helpers.ts";
import { have } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";

const hosts = ["localhost", "127.0.0.1"];

/** Runs `fn` in a directory with the certificates: `<name>.pem` and `<name>.key`. */
async function withFiles(
  identities: Record<string, Partial<Identity>>,
  fn: (path: (name: string) => string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const path = (name: string) => `${directory}/${name}`;
  try {
    for (const [name, { cert = "", key = "" }] of Object.entries(identities)) {
      await Deno.writeTextFile(path(`${name}.pem`), cert);
      await Deno.writeTextFile(path(`${name}.key`), key);
    }
    await fn(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  name: "examples/https.ts serves curl, and a new certificate after SIGHUP",
  ignore: !mayRun || !have("curl"),
  async fn() {
    const [first, second] = [new Authority("First"), new Authority("Second")];
    const files = {
      server: first.issue({ name: "localhost", hosts }),
      first,
      second,
    };
    await withFiles(files, async (path) => {
      await Deno.writeTextFile(path("hello.txt"), "hello\n");
      const [cert, key] = [path("server.pem"), path("server.key")];
      await using server = await start(
        "examples/https.ts",
        "127.0.0.1",
        "0",
        path("."),
        cert,
        key,
      );
      const get = (authority: string) =>
        // deno-fmt-ignore
        talk("curl", ["-s", "--cacert", path(`${authority}.pem`), "--http1.1",
          `https://localhost:${server.port}/hello.txt`], "");
      assertEquals(await get("first"), "hello\n");
      assertEquals(await get("second"), "");
      const renewed = second.issue({ name: "localhost", hosts });
      await Deno.writeTextFile(cert, renewed.cert);
      Deno.kill(server.pid, "SIGHUP"); // the certificate does not fit the key: nothing changes
      assertEquals(await get("first"), "hello\n");
      await Deno.writeTextFile(key, renewed.key);
      Deno.kill(server.pid, "SIGHUP");
      while (await get("second") === ""); // until the signal has arrived
      assertEquals(await get("first"), "");
      assertEquals(await server.end("SIGINT"), 0);
      assertStringIncludes(await server.stderr, "KEY_VALUES_MISMATCH");
    });
  },
});

/** A page with the list of a directory, to which it is redirected, in a frame. */
const PAGE = `<title>A</title><p id=x>hi<pre></pre><script>
const request = new XMLHttpRequest();
request.open("GET", "/sub dir", false);
request.send();
document.querySelector("pre").textContent = request.responseURL + request.responseText;
</script>`;

Deno.test({
  name:
    "examples/https.ts serves Chromium a page and the list behind a redirect",
  ignore: !mayRun || !have("chromium"),
  async fn() {
    const identity = new Authority().issue({ name: "localhost", hosts });
    await withFiles({ server: identity }, async (path) => {
      await Deno.mkdir(path("indexed"));
      await Deno.writeTextFile(path("indexed/index.html"), PAGE);
      await Deno.mkdir(path("sub dir"));
      await Deno.writeTextFile(path("sub dir/<&>.txt"), "odd name");
      await using server = await start(
        "examples/https.ts",
        "127.0.0.1",
        "0",
        path("."),
        path("server.pem"),
        path("server.key"),
      );
      // deno-fmt-ignore
      const args = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", "--dump-dom", "--ignore-certificate-errors",
        `--user-data-dir=${path("profile")}`, `https://localhost:${server.port}/indexed/`];
      const { stdout } = await boundedCommand("chromium", {
        args,
        stdin: "null",
        stderr: "null",
      }).output();
      const shown = new TextDecoder().decode(stdout);
      assertStringIncludes(shown, '<p id="x">hi');
      assertStringIncludes(shown, `localhost:${server.port}/sub%20dir/`);
      assertStringIncludes(shown, 'href="./%3C%26%3E.txt"');
    });
  },
});

Deno.test({
  name:
    "examples/client_certificate.ts greets openssl by the name in its certificate",
  ignore: !mayRun || !have("openssl"),
  async fn() {
    const authority = new Authority();
    const files = {
      authority,
      server: authority.issue({ name: "localhost", hosts }),
      alice: authority.issue({ name: "alice" }),
      rogue: new Authority().issue({ name: "rogue" }),
    };
    await withFiles(files, async (path) => {
      await using server = await start(
        "examples/client_certificate.ts",
        "127.0.0.1",
        "0",
        path("server.pem"),
        path("server.key"),
        path("authority.pem"),
      );
      const greet = (name?: string) => {
        const own = name === undefined
          ? []
          : ["-cert", path(`${name}.pem`), "-key", path(`${name}.key`)];
        // deno-fmt-ignore
        const args = ["s_client", "-connect", `127.0.0.1:${server.port}`, "-quiet",
          "-CAfile", path("authority.pem"), "-verify_return_error", ...own];
        return talk("openssl", args, "");
      };
      assertEquals(await greet("alice"), "hello alice, over TLSv1.3\n");
      assertEquals(await greet("rogue"), "");
      assertEquals(await greet(), "");
      assertEquals(await server.end("SIGINT"), 0);
      const [rogue, none, ...rest] = (await server.stderr).trimEnd().split(
        "\n",
      );
      assert(rogue.startsWith("127.0.0.1:"), rogue);
      assertStringIncludes(none, "PEER_DID_NOT_RETURN_A_CERTIFICATE");
      assertEquals(rest, []);
    });
  },
});

Deno.test({
  name:
    "examples/https.ts exits with one line if its certificate cannot be read",
  ignore: !mayRun,
  async fn() {
    const args = ["localhost", "0", ".", "no-such.pem", "no-such.key"];
    const said = await complaint("examples/https.ts", ...args);
    assertStringIncludes(said, "no-such.pem");
  },
});
