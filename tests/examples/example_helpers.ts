/**
 * Starts examples with the permissions that they document, and runs clients.
 *
 * @module
 */

import { assertEquals, assertMatch } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { boundedCommand } from "../helpers/within.ts";

/** The directory of the project. */
export const root: URL = new URL("../..", import.meta.url);
/** Whether examples can be started here. */
export const mayRun: boolean = granted("run", "read");

/** Returns the flags of the command in the header of an example. */
function documentedFlags(script: string): string[] {
  const text = Deno.readTextFileSync(new URL(script, root));
  const command = new RegExp(`deno run (.*) ${script}`).exec(text);
  return command![1].split(" ");
}

/** Returns the command that runs an example. */
export function deno(script: string, ...args: string[]): Deno.Command {
  const flags = documentedFlags(script);
  return boundedCommand(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, script, ...args],
    cwd: root,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  });
}

/** Reads a stream until its text matches. */
export async function readUntil(
  stream: ReadableStream<Uint8Array>,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  let text = "";
  for await (const chunk of stream.values({ preventCancel: true })) {
    text += new TextDecoder().decode(chunk);
    const match = pattern.exec(text);
    if (match !== null) return match;
  }
  throw new Error(`the program ended; it said ${JSON.stringify(text)}`);
}

/** A running example. */
export interface Running extends AsyncDisposable {
  /** The pid. */
  readonly pid: number;
  /** The port that it printed. */
  readonly port: string;
  /** The text on stderr until it ends. */
  readonly stderr: Promise<string>;
  /** Sends a signal, and returns the exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

/** Starts an example, with the permissions that it documents, and waits until it listens. */
export async function start(
  script: string,
  ...args: string[]
): Promise<Running> {
  const child = deno(script, ...args).spawn();
  const stderr = new Response(child.stderr).text();
  const listening = /Listening on (?:[\d.]+:|\[[\da-f:]+\]:|port )(\d+)\b/;
  const [, port] = await readUntil(child.stdout, listening);
  const end = async (signal: Deno.Signal) => {
    child.kill(signal);
    const [status] = await Promise.all([
      child.status,
      child.stdout.cancel(),
      stderr,
    ]);
    return status.code;
  };
  let ended: Promise<number> | undefined;
  return {
    pid: child.pid,
    port,
    stderr,
    end: (signal) => ended ??= end(signal),
    [Symbol.asyncDispose]: async () => void await (ended ??= end("SIGTERM")),
  };
}

/** Returns the output of a client for `input`. */
export async function talk(
  program: string,
  args: string[],
  input: string,
): Promise<string> {
  const command = boundedCommand(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  await using child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout);
}

/** Runs a program that must fail with one line, no stack trace, and exit code 1. */
export async function complaint(
  script: string,
  ...args: string[]
): Promise<string> {
  const { code, stderr } = await deno(script, ...args).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 1);
  assertMatch(text, /^[^\n]+\n$/);
  return text;
}

/**
 * Makes the tests of one server steps of one test, because a start takes longer than most of them.
 *
 * @param name The test.
 * @param serve Starts the server, runs the tests with it, and ends it.
 * @returns What adds a test.
 */
export function onOneServer<Given extends unknown[]>(
  name: string,
  serve: (tests: (...given: Given) => Promise<void>) => Promise<void>,
): (
  name: string,
  fn: (...given: Given) => Promise<void>,
  ignore?: boolean,
) => void {
  const tests: [string, (...given: Given) => Promise<void>, boolean][] = [];
  Deno.test({
    name,
    ignore: !mayRun,
    timeout: 300_000, // for all steps
    fn: (t) =>
      serve(async (...given) => {
        for (const [name, fn, ignore] of tests) {
          await t.step({ name, ignore, fn: () => fn(...given) });
        }
      }),
  });
  return (name, fn, ignore = false) => void tests.push([name, fn, ignore]);
}
