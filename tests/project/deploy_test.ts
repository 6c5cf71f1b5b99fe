/**
 * The files of deploy/: they are valid, they fit together, and servers behind HAProxy restart without a failed request.
 */

import { parseAllDocuments } from "npm:yaml@2.9.1";
import { loopbackNetwork } from "../../bench/operating/process.ts";
import { measureLoss } from "../../bench/operating/reuse_port.ts";
import { rollingRestart } from "../../bench/operating/rolling_restart.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
  delay,
} from "../deps.ts";
import { granted, have, havePython, unstableNet } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";

const root = new URL("../../", import.meta.url);
const mayRun = granted("read", "write", "run", "net");
const read = (name: string) => Deno.readTextFileSync(new URL(name, root));

/** Runs a command, and returns its exit code and output. */
async function run(
  program: string,
  args: string[],
  options: Deno.CommandOptions = {},
): Promise<[code: number, text: string]> {
  const command = boundedCommand(program, {
    args,
    cwd: root,
    stdout: "piped",
    stderr: "piped",
    ...options,
    env: { NO_COLOR: "1", ...options.env },
  });
  const { code, stdout, stderr } = await command.output();
  const [out, errors] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  return [code, out + errors];
}

/** Calls a function with a directory, and removes the directory. */
async function withDirectory(
  fn: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await fn(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  name:
    "deploy/haproxy.cfg: three servers restart one after another, and no request fails",
  ignore: !mayRun || !have("haproxy"),
  timeout: 120_000,
  async fn() {
    const { counts, stopped, codes } = await rollingRestart(1);
    assertEquals(counts.failed, {});
    assertGreater(counts.short, 100);
    assertGreater(counts.kept, 100);
    assertEquals(codes, [0, 0, 0]);
    for (const line of stopped) assertMatch(line, /^Stopped: .*"forced":0/);
  },
});

/** Receives messages for a service manager until it is closed. */
async function received(manager: Deno.DatagramConn): Promise<string[]> {
  const messages: string[] = [];
  for await (const [message] of manager) {
    messages.push(new TextDecoder().decode(message));
  }
  return messages;
}

Deno.test({
  name:
    "deploy/socketserver.service: its command restarts without losing a client, and notifies systemd",
  ignore: !mayRun || !havePython() || !unstableNet,
  timeout: 120_000,
  fn: () =>
    withDirectory(async (directory) => {
      const host = `${loopbackNetwork()}1`;
      const path = `${directory}/notify`;
      const unit = read("deploy/socketserver.service")
        .replaceAll("127.0.0.1", host)
        .replaceAll("/run/systemd/notify", path)
        .replace("/usr/local/bin/deno", Deno.execPath());
      const [, command] = /^ExecStart=((?:.*\\\n)*.*)$/m.exec(unit)!;
      const name = /^FileDescriptorName=(.+)$/m
        .exec(read("deploy/socketserver.socket"))![1];
      const transport = "unixpacket";
      const manager = Deno.listenDatagram({ transport, path });
      const messages = received(manager);
      const [code, text] = await run("python3", [
        ...["tests/testdata/hand_over.py", "2", name],
        ...command.split(/[ \\\n]+/),
      ], { env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "30000000" } });
      manager.close();
      assertEquals(code, 0, text);
      const { answered, failures, reports } = JSON.parse(text);
      assertEquals({ answered, failures }, { answered: true, failures: [] });
      for (const line of reports) assertMatch(line, /^Stopped: .*"forced":0/);
      const told = (await messages).filter((each) => /READY|STOPP/.test(each));
      const words = told.map((each) => each.split("=")[0]);
      assertEquals(words, Array(3).fill(["READY", "STOPPING"]).flat());
    }),
});

Deno.test({
  name: "deploy/haproxy.cfg is valid as it is",
  ignore: !mayRun || !have("haproxy"),
  async fn() {
    const args = ["-c", "-f", "deploy/haproxy.cfg"];
    const [code, text] = await run("haproxy", args);
    assertEquals(code, 0, text);
    assert(!/warning/i.test(text), text);
  },
});

Deno.test({
  name: "deploy/*.service and *.socket are valid, and their sandbox is narrow",
  ignore: !mayRun || !have("systemd-analyze"),
  fn: () =>
    withDirectory(async (directory) => {
      const names = ["socketserver.socket", "socketserver.service"];
      const paths = names.map((name) => `${directory}/${name}`);
      names.forEach((name, i) => {
        const text = read(`deploy/${name}`)
          .replace("/usr/local/bin/deno", Deno.execPath());
        Deno.writeTextFileSync(paths[i], text);
      });
      assertEquals(await run("systemd-analyze", ["verify", ...paths]), [0, ""]);
      const security = ["security", "--offline=true", "--threshold=20"];
      const [code, text] = await run("systemd-analyze", [
        ...security,
        paths[1],
      ]);
      assertEquals(code, 0, text);
    }),
});

/** Returns the objects of deploy/kubernetes.yaml by kind. */
// deno-lint-ignore no-explicit-any -- the type check is a test
function manifest(): Record<string, any> {
  const documents = parseAllDocuments(read("deploy/kubernetes.yaml"));
  const objects = documents.map((document) => document.toJS({}));
  return Object.fromEntries(objects.map((object) => [object.kind, object]));
}

Deno.test({
  name: "deploy/kubernetes.yaml has only fields that Kubernetes knows",
  ignore: !mayRun,
  fn: () =>
    withDirectory(async (directory) => {
      const groups = { Deployment: "apps/v1", Service: "core/v1" };
      const modules = { ...groups, PodDisruptionBudget: "policy/v1" };
      const objects = manifest();
      assertEquals(Object.keys(objects), Object.keys(modules));
      const typed = (kind: string, object: unknown) =>
        `import("npm:kubernetes-types@1.30.0/${
          modules[kind as keyof typeof modules]
        }").${kind} = ${JSON.stringify(object)};`;
      const wrong = JSON.stringify(objects.Deployment)
        .replace("readinessProbe", "readynessProbe");
      const lines = Object.keys(modules)
        .map((kind, i) => `export const a${i}: ${typed(kind, objects[kind])}`);
      lines.push("// @ts-expect-error the check finds a misspelt field");
      lines.push(`export const b: ${typed("Deployment", JSON.parse(wrong))}`);
      const file = `${directory}/manifest.ts`;
      Deno.writeTextFileSync(file, lines.join("\n"));
      // The types of Kubernetes need none of Deno's, which take longer to check than all else.
      const config = `${directory}/deno.json`;
      Deno.writeTextFileSync(config, '{"compilerOptions":{"lib":["es5"]}}');
      const check = ["check", "--config", config, file];
      const [code, text] = await run(Deno.execPath(), check);
      assertEquals(code, 0, text);
    }),
});

/** Returns the value of a flag of deploy/server.ts in a text. */
function flag(text: string, name: string): number {
  const match = new RegExp(`--${name}=(\\d+)`).exec(text);
  return Number(match![1]);
}

Deno.test({
  name: "the files of deploy/ give a drain enough time",
  ignore: !mayRun,
  fn() {
    const drain = (text: string) => {
      const delay = /--shutdown-delay/.test(text)
        ? flag(text, "shutdown-delay")
        : 0;
      return delay + flag(text, "close-timeout");
    };
    const { spec } = manifest().Deployment.spec.template;
    const [container] = spec.containers;
    const { seconds } = container.lifecycle.preStop.sleep;
    const args = container.args.join(" ");
    assertGreater(spec.terminationGracePeriodSeconds, seconds + drain(args));

    const service = read("deploy/socketserver.service");
    const [, stop] = /^TimeoutStopSec=(\d+)$/m.exec(service)!;
    assertGreater(Number(stop), drain(service));

    const container_ = read("deploy/Containerfile");
    assertGreater(flag(container_, "stop-timeout"), drain(container_));

    const proxy = read("deploy/haproxy.cfg");
    const [, interval] = /\binter (\d+)s\b/.exec(proxy)!;
    assertGreater(flag(container_, "shutdown-delay"), Number(interval));
    const [, most] = /\bmaxconn (\d+)\b/.exec(proxy)!;
    const [, limit] = /maxConnections: (\d+)/.exec(read("deploy/server.ts"))!;
    assertGreater(Number(limit), Number(most));
  },
});

Deno.test({
  name: "deploy/kubernetes.yaml and the Containerfile name the same ports",
  ignore: !mayRun,
  fn() {
    const [{ ports }] = manifest().Deployment.spec.template.spec.containers;
    const numbers = ports.map((port: { containerPort: number }) =>
      port.containerPort
    );
    const text = read("deploy/Containerfile");
    assertStringIncludes(text, `EXPOSE ${numbers.join(" ")}\n`);
    const net = numbers.map((port: number) => `0.0.0.0:${port}`).join(",");
    assertStringIncludes(text, `"--allow-net=${net}"`);
  },
});

/** Copies the files that the COPY lines of the Containerfile name. */
async function copyInto(directory: string): Promise<string> {
  const text = read("deploy/Containerfile");
  for (const [, list] of text.matchAll(/^COPY (.+)$/gm)) {
    const words = list.split(" ");
    const to = words.pop()!;
    const [code, said] = await run("sh", [
      ...[
        "-c",
        `mkdir -p "$(dirname "$0/${to}x")" && cp -r ${
          words.join(" ")
        } "$0/${to}"`,
      ],
      directory,
    ]);
    assertEquals(code, 0, said);
  }
  return text;
}

Deno.test({
  name:
    "deploy/Containerfile copies all files of the server, which drains at SIGTERM as process 1",
  ignore: !mayRun || Deno.build.os !== "linux" || !have("unshare"),
  fn: () =>
    withDirectory(async (directory) => {
      const text = await copyInto(directory);
      const env = { DENO_DIR: `${directory}/cache` };
      const cached = await run(
        Deno.execPath(),
        ["cache", "deploy/server.ts"],
        { cwd: directory, env },
      );
      assertEquals(cached[0], 0, cached[1]);
      const [, entry] = /^ENTRYPOINT (\[.+\])$/m.exec(text)!;
      const [deno, ...args] = JSON.parse(entry);
      assertEquals(deno, "deno");
      const host = `${loopbackNetwork()}1`;
      const flags = args.map((arg: string) => arg.replaceAll("0.0.0.0", host));
      await using child = boundedCommand("unshare", {
        args: [
          ...["--map-root-user", "--pid", "--fork", "--kill-child"],
          ...[Deno.execPath(), ...flags, `--host=${host}`, "--close-timeout=5"],
        ],
        cwd: directory,
        stdin: "null",
        stdout: "piped",
        env: { ...env, NO_COLOR: "1" },
      }).spawn();
      const lines = child.stdout.pipeThrough(new TextDecoderStream())
        .values({ preventCancel: true });
      await lines.next(); // the server listens
      await ready(`http://${host}:8081/ready`); // earlier, process 1 ignores the signal
      const pid = read(`/proc/${child.pid}/task/${child.pid}/children`);
      Deno.kill(Number(pid), "SIGTERM");
      let said = "";
      for await (const part of lines) said += part;
      assertStringIncludes(said, "Stopped:");
      assertEquals((await child.status).code, 0);
    }),
});

/** Waits until a server is ready. */
async function ready(url: string): Promise<void> {
  for (;;) {
    const { ok, body } = await fetch(url);
    await body?.cancel();
    if (ok) return;
    await delay(10); // nothing tells that a server is ready
  }
}

Deno.test({
  name:
    "net.ipv4.tcp_migrate_req keeps the queue of one of two servers that share a port",
  ignore: !mayRun || Deno.build.os !== "linux" || !have("unshare"),
  async fn() {
    assertGreater((await measureLoss(false)).queued, 0);
    assertEquals((await measureLoss(true)).queued, 0);
  },
});
