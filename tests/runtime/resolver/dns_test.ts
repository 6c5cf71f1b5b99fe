import {
  AF_INET,
  AF_INET6,
  GaiError,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
} from "../../../socket.ts";
import { hostFor, permitted } from "../../../internal/runtime/resolver/dns.ts";
import { assertEquals, assertThrows } from "../../deps.ts";
import { granted } from "../../helpers/allowed.ts";
import { codeOf } from "../../helpers/thrown.ts";
import { boundedCommand, within } from "../../helpers/within.ts";

Deno.test("hostFor() accepts the special hosts, and literals in each form", () => {
  // deno-fmt-ignore
  const rows: [family: number, host: string, found: string][] = [
    [AF_INET, "", "0.0.0.0"], [AF_INET6, "", "::"], [AF_INET, "<broadcast>", "255.255.255.255"],
    [AF_INET, "localhost", "127.0.0.1"], [AF_INET6, "localhost", "::1"], [AF_INET, "127.1", "127.0.0.1"],
    [AF_INET, "017700000001", "127.0.0.1"], [AF_INET, "::ffff:192.0.2.1", "192.0.2.1"],
    [AF_INET6, "0:0::1", "::1"], [AF_INET6, "fe80::1%eth0", "fe80::1%eth0"],
    [AF_INET, "a.test", "a.test"], [AF_INET6, "<broadcast>", "<broadcast>"],
  ];
  for (const [family, host, found] of rows) {
    assertEquals(hostFor(family, host, 80, "bind"), found, host);
  }
});

Deno.test("hostFor() refuses addresses of the other family, and names them", () => {
  for (
    const [family, host] of [[AF_INET, "::1"], [AF_INET6, "127.1"]] as const
  ) {
    const error = assertThrows(
      () => hostFor(family, host, 80, "bind"),
      GaiError,
    );
    const cure = family === AF_INET
      ? "an IPv6 address needs AF_INET6: `new Socket(AF_INET6)`"
      : "an IPv4 address needs AF_INET: `new Socket(AF_INET)`";
    assertEquals(
      error.message,
      `Cannot bind "${host}": ${cure}, or the \`addressFamily\` of a server (EAI_ADDRFAMILY)`,
    );
    assertEquals(error.address, host, "address");
    assertEquals(error.syscall, "bind", "syscall");
  }
});

for (
  const net of [["localhost"], ["127.0.0.1", "[::1]"], [
    "localhost:81",
    "127.0.0.1",
  ]]
) {
  Deno.test({
    name: `hostFor() leaves localhost to Deno if only ${net} is permitted`,
    permissions: { net },
    fn() {
      assertEquals(hostFor(AF_INET, "localhost", 80, "bind"), "localhost");
      assertEquals(hostFor(AF_INET6, "localhost", 80, "bind"), "localhost");
      assertEquals(permitted("a.test", "192.0.2.1", 80), "a.test");
    },
  });
}

Deno.test({
  name:
    "hostFor() returns the loopback address if it and the name are permitted",
  permissions: { net: ["localhost:80", "127.0.0.1:80", "[::1]"] },
  fn() {
    assertEquals(hostFor(AF_INET, "localhost", 80, "bind"), "127.0.0.1");
    assertEquals(hostFor(AF_INET6, "localhost", 80, "bind"), "::1");
    assertEquals(hostFor(AF_INET, "localhost", 81, "bind"), "localhost");
  },
});

Deno.test({
  name: "Socket.bind() binds localhost if only the name is permitted",
  permissions: { net: ["localhost"] },
  fn() {
    using socket = new Socket();
    socket.bind(["localhost", 0]);
    assertEquals(socket.getsockname()[0], "127.0.0.1");
  },
});

Deno.test({
  name: "Socket.bind() says that localhost has another family only if it has",
  permissions: { net: ["localhost"] },
  async fn() {
    using socket = new Socket(AF_INET6);
    const code = await codeOf(() => socket.bind(["localhost", 0])); // Deno chooses the address
    assertEquals(code === undefined || code === "EAI_ADDRFAMILY", true, code);
  },
});

for (const flags of [[], ["--unstable-net"]]) {
  Deno.test({
    name: `Socket keeps to --deny-net=localhost ${flags}`.trim(),
    ignore: !granted("run", "read"),
    async fn() {
      const code = `
        import { Socket } from "${new URL(
        "../../../socket.ts",
        import.meta.url,
      )}";
        const data = new Uint8Array(1);
        for (const type of [${SOCK_STREAM}, ${SOCK_DGRAM}]) {
          const calls = [
            (socket) => socket.bind(["localhost", 0]),
            (socket) => socket.connect(["localhost", 9]).then(() => socket.send(data)),
          ];
          for (const call of calls) {
            const socket = new Socket(${AF_INET}, type);
            try {
              await call(socket);
              console.log("no error");
            } catch (error) {
              console.log(error.code);
            }
            socket.close();
          }
        }`;
      const url = `data:text/javascript,${encodeURIComponent(code)}`;
      // deno-fmt-ignore
      const args = ["run", "--quiet", "--no-check", "--no-prompt", ...flags, "--allow-net",
        "--deny-net=localhost", "--allow-import", url];
      const command = boundedCommand(Deno.execPath(), {
        args,
        stderr: "inherit",
      });
      const { stdout } = await within(command.output());
      assertEquals(new TextDecoder().decode(stdout), "EACCES\n".repeat(4));
    },
  });
}
