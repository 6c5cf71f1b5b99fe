/** Capacity and scaling: the simulation, the placement on processors, and the tables of the pages. */

import {
  checkTable,
  costTable,
  predictions,
  readFigures,
  scalingTable,
} from "../../bench/capacity.ts";
import { choosingTable } from "../../bench/choosing_table.ts";
import { placement, steps } from "../../bench/placement.ts";
import { readResults } from "../../bench/results.ts";
import { readScale } from "../../bench/scale_figures.ts";
import { scaleTable } from "../../bench/scale_page.ts";
import { simulate } from "../../bench/simulation.ts";
import { assert, assertEquals } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";

/** Asserts that a number is near another. */
function assertNear(found: number, expected: number, by: number): void {
  const far = Math.abs(found - expected) > by;
  assert(!far, `${found} is not within ${by} of ${expected}`);
}

const NOTHING = { mainUs: 0, otherUs: 0, workUs: 0, requests: 5000 };

Deno.test("simulate() limits one thread to the rate of its costs, whatever the number of processors", () => {
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

Deno.test("simulate() gives clients on the same machine a share of its processors", () => {
  const setting = { ...NOTHING, mainUs: 20, cores: 1, workers: 0, clients: 8 };
  assertNear(simulate({ ...setting, clientUs: 20 }).rate, 25_000, 250);
});

Deno.test("simulate() queues clients", () => {
  const setting = { ...NOTHING, mainUs: 1000, cores: 1, workers: 0 };
  assertNear(simulate({ ...setting, clients: 1 }).p99, 1, 0.01);
  assertNear(simulate({ ...setting, clients: 20 }).p99, 20, 0.1);
});

/** Returns the cells of the tables in a section of a page. */
function cellsOf(page: string, name: string): string[][] {
  const url = new URL(`../../docs/${page}`, import.meta.url);
  const [, part] = Deno.readTextFileSync(url)
    .split(new RegExp(`<!-- (?:end of )?${name} -->`));
  return cells(part);
}

function cells(text: string): string[][] {
  return text.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter(([, , cell]) => !/^-+:?$/.test(cell));
}

Deno.test({
  name: "docs/ has the capacities of bench/capacity.json",
  ignore: !granted("read"),
  fn() {
    const figures = readFigures();
    assert(Object.keys(figures).length > 4);
    assertEquals(cellsOf("operating.md", "costs"), cells(costTable(figures)));
    assertEquals(
      cellsOf("scaling.md", "scaling"),
      cells(scalingTable(figures)),
    );
    const checks = predictions(figures, readResults());
    assertEquals(cellsOf("scaling.md", "checked"), cells(checkTable(checks)));
    for (const { predicted, measured } of checks) {
      assertNear(predicted / measured, 1, 0.15);
    }
  },
});

Deno.test({
  name: "docs/scaling.md has the rates of bench/scale.json",
  ignore: !granted("read"),
  fn() {
    const scale = readScale();
    const { processors } = scale.machine;
    assertEquals(cellsOf("scaling.md", "measured"), cells(scaleTable(scale)));
    const counts = new Set(scale.points.map(({ processors }) => processors));
    assertEquals([...counts], steps(processors));
  },
});

Deno.test({
  name: "docs/choosing.md has the costs of bench/results.json",
  ignore: !granted("read"),
  fn() {
    const table = cells(choosingTable(readResults()));
    assertEquals(cellsOf("choosing.md", "cost"), table);
    for (const row of table) assert(row[2] !== "-", `${row} is not measured`);
  },
});

Deno.test("scaleTable() marks shared processors and load limits, and has the multiple of one processor", () => {
  const point = { load: "echo", way: "Way", cost: 10 };
  const table = scaleTable({
    machine: { processors: 4, model: "x" },
    points: [
      { ...point, processors: 1, median: 50_000, busy: 0.5, shared: false },
      { ...point, processors: 2, median: 90_000, busy: 0.99, shared: false },
      { ...point, processors: 4, median: 75_000, busy: 0.5, shared: true },
    ],
  });
  const [head, row] = cells(table).map((row) => row.slice(1, -1));
  assertEquals(head.slice(3), ["1", "2", "4*"]);
  assertEquals(row.slice(3), ["50,000", "≥ 90,000 (1.80)", "75,000 (1.50)"]);
});

Deno.test("placement() gives the server the first processors, and each load generator one of the others", () => {
  assertEquals(placement(1, 2), {
    server: [0],
    generators: [[1]],
    shared: false,
  });
  const three = placement(3, 4);
  assertEquals(three.server, [0, 1, 2]);
  assertEquals(three.generators, [[3]]);
  assertEquals(placement(2, 16).generators, [[2], [3]]);
});

Deno.test("placement() lets server and load share all processors if none is free", () => {
  const all = placement(Infinity, 4);
  assertEquals(all.shared, true);
  assertEquals(all.server, [0, 1, 2, 3]);
  assertEquals(all.generators, [all.server, all.server]);
  assertEquals(placement(1, 1).shared, true);
  assertEquals(placement(1, 1).generators, [[0]]);
});

Deno.test("steps() doubles the processors up to all", () => {
  assertEquals(steps(1), [1]);
  assertEquals(steps(2), [1, 2]);
  assertEquals(steps(12), [1, 2, 4, 8, 12]);
});
