/** The capacity in docs/operating.md: what the simulation predicts, and that the tables are those of the figures. */

import {
  checkTable,
  costTable,
  predictions,
  readFigures,
  scalingTable,
} from "../bench/capacity.ts";
import { readResults } from "../bench/results.ts";
import { simulate } from "../bench/simulation.ts";
import { assert, assertEquals } from "./deps.ts";
import { granted } from "./helpers/allowed.ts";

/** Asserts that a number is near another one. */
function assertNear(found: number, expected: number, by: number): void {
  const far = Math.abs(found - expected) > by;
  assert(!far, `${found} is not within ${by} of ${expected}`);
}

const NOTHING = { mainUs: 0, otherUs: 0, workUs: 0, requests: 5000 };

Deno.test("simulate() gives one thread the rate of its costs, however many processors there are", () => {
  for (const cores of [1, 8]) {
    const setting = { ...NOTHING, mainUs: 20, cores, workers: 0, clients: 8 };
    const { rate, mainBusy } = simulate(setting);
    assertNear(rate, 50_000, 500);
    assertNear(mainBusy, 1, 0.01);
  }
});

Deno.test("simulate() spreads work over workers, until the main thread or the processors are full", () => {
  const rate = (cores: number, workers: number) =>
    simulate({
      ...{ mainUs: 10, otherUs: 0, workUs: 100 },
      ...{ cores, workers, clients: 256, requests: 10_000 },
    }).rate;
  assertNear(rate(1, 1), 1e6 / 110, 300); // the processor
  assertNear(rate(16, 2), 2 * 1e6 / 100, 800); // the workers
  assertNear(rate(2, 16), 2 * 1e6 / 110, 800); // the processors
  assertNear(rate(64, 64), 1e6 / 10, 3000); // the main thread
});

Deno.test("simulate() lets clients on the same machine take a part of it", () => {
  const setting = { ...NOTHING, mainUs: 20, cores: 1, workers: 0, clients: 8 };
  assertNear(simulate({ ...setting, clientUs: 20 }).rate, 25_000, 250);
});

Deno.test("simulate() makes clients wait in line", () => {
  const setting = { ...NOTHING, mainUs: 1000, cores: 1, workers: 0 };
  assertNear(simulate({ ...setting, clients: 1 }).p99, 1, 0.01);
  assertNear(simulate({ ...setting, clients: 20 }).p99, 20, 0.1);
});

Deno.test({
  name: "docs/operating.md has the capacity that bench/capacity.json gives",
  ignore: !granted("read"),
  fn() {
    const url = new URL("../docs/operating.md", import.meta.url);
    const cells = (text: string) =>
      text.split("\n").filter((line) => line.startsWith("|"))
        .map((line) => line.split("|").map((cell) => cell.trim()))
        .filter(([, , cell]) => !/^-*:$/.test(cell));
    const page = Deno.readTextFileSync(url);
    const part = (name: string) => {
      const [, text] = page.split(new RegExp(`<!-- (?:end of )?${name} -->`));
      return cells(text);
    };
    const figures = readFigures();
    assert(Object.keys(figures).length > 4);
    assertEquals(part("costs"), cells(costTable(figures)));
    assertEquals(part("scaling"), cells(scalingTable(figures)));
    const checks = predictions(figures, readResults());
    assertEquals(part("checked"), cells(checkTable(checks)));
    for (const { predicted, measured } of checks) {
      assertNear(predicted / measured, 1, 0.15);
    }
  },
});
