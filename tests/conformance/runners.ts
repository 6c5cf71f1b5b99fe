/**
 * The two systems: each runs a scenario and returns its transcript.
 *
 * @module
 */

import type { Address } from "../../mod.ts";
import { deadline } from "../deps.ts";
import type { Scenario, ServerSpec, Step } from "./scenario.ts";
import type { Servers } from "./served.ts";
import { World } from "./world.ts";

/** Milliseconds for a scenario, on a busy machine. */
const LIMIT = 60_000;

/** CPython, in a process of its own that answers a question after the other. */
export class Python implements AsyncDisposable {
  readonly #child = new Deno.Command("python3", { // ends with its stdin
    args: ["-S", new URL("runner.py", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  readonly #asked = this.#child.stdin.getWriter();
  readonly #answers = this.#child.stdout
    .pipeThrough(new TextDecoderStream()).getReader();
  #text = "";

  /** Runs a scenario. */
  run(scenario: Scenario): Promise<string[]> {
    return this.#ask({ run: scenario });
  }

  /** Serves; the answer has the address, and closes the server. */
  async serve(
    spec: ServerSpec,
  ): Promise<{ address: Address; close(): Promise<string[]> }> {
    const { id, address } = await this.#ask<{ id: number; address: Address }>({
      serve: spec,
    });
    return { address, close: () => this.#ask({ close: id }) };
  }

  /** Runs the steps of a client. */
  talk(steps: Step[], address: Address): Promise<string[]> {
    return this.#ask({ talk: steps, address });
  }

  async #ask<T = string[]>(question: unknown): Promise<T> {
    const line = `${JSON.stringify(question)}\n`;
    await this.#asked.write(new TextEncoder().encode(line));
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#answers.read();
      if (done) throw new Error("Python has ended");
      this.#text += value;
    }
    const [answer, ...rest] = this.#text.split("\n");
    this.#text = rest.join("\n");
    return JSON.parse(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#asked.close();
    await this.#answers.cancel();
    await this.#child.status;
  }
}

/** Runs a scenario with this module. */
export async function run(
  scenario: Scenario,
  servers: Servers,
): Promise<string[]> {
  const where = await Deno.makeTempDir();
  const world = new World(where);
  const served = scenario.server && await servers.serve(scenario.server, where);
  if (served !== undefined) world.names.set("server", served.server);
  try {
    await within(world.run(scenario.steps), world.lines);
  } finally {
    await world.close();
    world.lines.push(...await served?.close() ?? []);
    await Deno.remove(where, { recursive: true });
  }
  return world.lines;
}

/** Runs the steps of a client, with a server that is elsewhere. */
export async function talk(
  steps: Step[],
  serverAddress: Address,
): Promise<string[]> {
  const where = await Deno.makeTempDir();
  const world = new World(where);
  world.names.set("server", { serverAddress });
  try {
    await within(world.run(steps), world.lines);
  } finally {
    await world.close();
    await Deno.remove(where, { recursive: true });
  }
  return world.lines;
}

/** Serves with this module; the answer has the address, and closes the server. */
export async function serveHere(
  spec: ServerSpec,
  servers: Servers,
): Promise<{ address: Address; close(): Promise<string[]> }> {
  const where = await Deno.makeTempDir();
  const served = await servers.serve(spec, where);
  return {
    address: served.server.serverAddress,
    close: async () => {
      const hooks = await served.close();
      await Deno.remove(where, { recursive: true });
      return hooks;
    },
  };
}

async function within(running: Promise<void>, lines: string[]): Promise<void> {
  try {
    await deadline(running, LIMIT);
  } catch (error) {
    lines.push(`no end: ${error}`);
  }
}
