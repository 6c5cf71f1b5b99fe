import { comparisons } from "../../bench/comparisons.ts";
import { Lines } from "../../bench/lines.ts";
import { compare } from "../../bench/measure.ts";
import { filled } from "../../bench/pages.ts";
import { peerTable } from "../../bench/peer_table.ts";
import { SMOKE } from "../../bench/plan.ts";
import { reasonFor } from "../../bench/reasons.ts";
import { measured, readResults, type Results } from "../../bench/results.ts";
import { difference, median, ratio } from "../../bench/statistics.ts";
import { ServerProcess } from "../../bench/server_process.ts";
import { outcomeTable, verdictTable } from "../../bench/tables.ts";
import { changeTable, targetTables } from "../../bench/target_tables.ts";
import { type Target, TARGETS } from "../../bench/targets.ts";
import { tlsComparisons } from "../../bench/tls.ts";
import { Missing, program, removeFolder } from "../../bench/tools.ts";
import { describe, fallen, judge } from "../../bench/verdicts.ts";
import {
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { until } from "../helpers/within.ts";

const LEAST: Target = {
  benchmark: "echo",
  of: "ours",
  against: "peer",
  atLeast: 0.97,
};
const MOST: Target = { benchmark: "idle", of: "ours", atMost: 9 };

/** Returns the results of one benchmark, from values by contender. */
function resultsOf(name: string, values: Record<string, number[]>): Results {
  const contenders = Object.fromEntries(
    Object.entries(values).map(([who, all]) => [who, measured(all)]),
  );
  return {
    [name]: { title: name, unit: "x", command: "", contenders, skipped: {} },
  };
}

Deno.test("median() returns the middle value, or the mean of the middle two", () => {
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([10, 1, 2, 4]), 3);
  assertThrows(() => median([]), RangeError, "no values");
});

Deno.test("ratio() compares round by round, so that a slow round cancels out", () => {
  assertEquals(ratio([100, 10, 100], [50, 5, 50]), 2);
  assertEquals(ratio([100, 100, 10], [200, 100, 10]), 1);
  assertThrows(() => ratio([1], [1, 2]), RangeError, "1 rounds here, 2 there");
});

Deno.test("difference() is the median of the differences", () => {
  assertEquals(difference([30, 45, 31], [10, 20, 12]), 20);
});

Deno.test("judge() checks a ratio against its bound", () => {
  const at = (ours: number) =>
    judge(LEAST, resultsOf("echo", { ours: [ours], peer: [100] }));
  assertEquals(at(97), { target: LEAST, reached: 0.97, good: true });
  assertEquals(at(96).good, false);
});

Deno.test("judge() checks the value itself if a target has no peer", () => {
  const at = (ours: number) => judge(MOST, resultsOf("idle", { ours: [ours] }));
  assertEquals(at(9).good, true);
  assertEquals(at(9.5).good, false);
});

Deno.test("judge() leaves a target open if a contender or a benchmark is missing", () => {
  const open = judge(LEAST, resultsOf("echo", { ours: [1] }));
  assertEquals(open.reached, undefined);
  assertEquals(open.good, undefined);
  assertEquals(judge(LEAST, {}).good, undefined);
  assertStringIncludes(verdictTable([open]), "not measured");
});

Deno.test("judge() checks differences, memory and processor time if the target asks for them", () => {
  const results = resultsOf("import", { ours: [40, 50], peer: [20, 30] });
  const target = { ...MOST, benchmark: "import", against: "peer" };
  assertEquals(judge({ ...target, by: "difference" }, results).reached, 20);
  const { ours, peer } = results["import"].contenders;
  ours.memory = 7;
  assertEquals(judge({ ...target, figure: "memory" }, results).reached, 7);
  Object.assign(ours, { cost: 20 });
  peer.cost = 18;
  const figure = "processor time";
  assertEquals(judge({ ...target, figure }, results).reached, 0.9);
});

Deno.test("fallen() passes 14 percent under the record and names 16", () => {
  const record = resultsOf("echo", { ours: [100], peer: [100] });
  const now = (ours: number) =>
    fallen([LEAST], record, resultsOf("echo", { ours: [ours], peer: [100] }));
  assertEquals(now(86), []);
  assertEquals(now(84), [LEAST]);
  assertEquals(now(200), []);
});

Deno.test("fallen() passes 14 percent over the record and names 16 if less is better", () => {
  const record = resultsOf("idle", { ours: [10] });
  const now = (ours: number) =>
    fallen([MOST], record, resultsOf("idle", { ours: [ours] }));
  assertEquals(now(11.4), []);
  assertEquals(now(11.6), [MOST]);
  assertEquals(now(1), []);
});

Deno.test("fallen() ignores a figure that is missing on either side", () => {
  const full = resultsOf("echo", { ours: [100], peer: [100] });
  assertEquals(fallen([LEAST], full, resultsOf("echo", { ours: [1] })), []);
  assertEquals(fallen([LEAST], {}, full), []);
});

Deno.test("outcomeTable() lists values, ratios to the first, and missing contenders", () => {
  const { echo } = resultsOf("echo", { ours: [3000], peer: [1500] });
  echo.skipped["Bun"] = "no bun";
  echo.contenders["peer"].cost = 12.5;
  const table = outcomeTable(echo);
  assertStringIncludes(table, "ours  3,000 x  1.00");
  assertStringIncludes(table, "peer  1,500 x  2.00  12.5 us each");
  assertStringIncludes(table, "Bun: skipped, no bun");
});

Deno.test("filled() replaces the text between two comments", () => {
  const page = "a\n<!-- t -->\nold\n<!-- end of t -->\nb\n";
  const once = filled(page, "t", "new\n");
  assertEquals(once, "a\n<!-- t -->\n\nnew\n\n<!-- end of t -->\nb\n");
  assertEquals(filled(once, "t", "new\n"), once);
  assertThrows(() => filled(page, "u", ""), RangeError, '"u"');
});

Deno.test("targetTables() lists each target once, with the reason if it is missed", () => {
  const open = targetTables({});
  assertStringIncludes(open, `**0 of ${TARGETS.length} targets are reached.**`);
  assertEquals(open.match(/^\| `/gm)?.length, TARGETS.length);
  const at = (ours: number) => {
    const results = resultsOf("connect", {
      "socketserver": [ours],
      "Deno.listen": [100],
    });
    Object.assign(results["connect"].contenders["Deno.listen"], { cost: 8 });
    Object.assign(results["connect"].contenders["socketserver"], { cost: 10 });
    return targetTables(results);
  };
  const row = "| `connect`, socketserver / Deno.listen | at least 1 | ";
  assertStringIncludes(at(110), `### Reached`);
  assertStringIncludes(at(110), `${row}**1.1** | 0.8 |\n`);
  const target = TARGETS.find(({ benchmark }) => benchmark === "connect")!;
  assertStringIncludes(at(90), `### Missed`);
  assertStringIncludes(at(90), `${row}**0.9** | 0.8 | ${reasonFor(target)} |`);
});

Deno.test("targetTables() prints the figure that a target names in bold", () => {
  const results = resultsOf("timeout", {
    "with settimeout": [90],
    "without": [100],
  });
  const { contenders } = results["timeout"];
  contenders["with settimeout"].cost = 10;
  contenders["without"].cost = 9.8;
  assertStringIncludes(targetTables(results), "| 0.9 | **0.98** |");
});

Deno.test("peerTable() has a judged contender beside each peer that was measured", () => {
  const results = resultsOf("udp", {
    "socketserver UDPServer": [50],
    "Bun.udpSocket": [100],
    "CPython UDPServer": [25],
  });
  results["udp"].contenders["socketserver UDPServer"].cost = 10;
  results["udp"].contenders["Bun.udpSocket"].cost = 4;
  const [head, , row, ...rest] = peerTable(results).trimEnd().split("\n")
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const cell = (peer: string) => row[head.indexOf(peer)];
  assertEquals(row[0], "`udp`, socketserver UDPServer");
  assertEquals(cell("Bun"), "0.5 (0.4)");
  assertEquals(cell("CPython"), "2");
  assertEquals(cell("Node"), "");
  assertEquals(rest.length, 0);
});

Deno.test("peerTable() uses the peer that a target names, or one that does the same", () => {
  const values = {
    "socketserver recv": [1],
    "Deno.listen, fresh arrays of 1 KiB": [2],
    "Deno.listen": [4],
  };
  assertStringIncludes(
    peerTable(resultsOf("echo-64", values)),
    "| `echo-64`, socketserver recv | 0.5 |",
  );
  const beside = {
    "beside the idle": [1],
    "Bun.listen alone": [2],
    "Bun.listen beside the idle": [4],
  };
  assertStringIncludes(
    peerTable(resultsOf("idle-neighbour", beside)),
    "| 0.25 |",
  );
});

Deno.test("changeTable() lists the old and the new value of changed targets, and the reason", () => {
  const lines = changeTable().split("\n");
  for (const { benchmark, changed, atLeast, atMost } of TARGETS) {
    if (!changed) continue;
    const { from, why } = changed;
    const row = lines.find((line) =>
      line.includes(`| ${from} | `) && line.includes(`| ${why} |`)
    );
    assertStringIncludes(row!, `\`${benchmark}\``);
    assertStringIncludes(row!, ` ${atLeast ?? atMost}`);
  }
});

Deno.test({
  name: "reasonFor() has a reason for each missed target",
  ignore: !granted("read"),
  fn() {
    const results = readResults();
    const unexplained = TARGETS.filter((target) =>
      judge(target, results).good === false && !reasonFor(target)
    );
    assertEquals(unexplained.map(describe), []);
  },
});

Deno.test("TARGETS have one bound each, which their texts name", () => {
  for (const target of TARGETS) {
    assertEquals(
      (target.atLeast === undefined) !== (target.atMost === undefined),
      true,
      describe(target),
    );
  }
  assertEquals(describe(LEAST), "echo: ours / peer: at least 0.97");
  assertEquals(describe(MOST), "idle: ours: at most 9");
});

Deno.test("TARGETS name only contenders of their comparisons", () => {
  const all = { ...comparisons("file"), ...tlsComparisons("pem") };
  const missing = TARGETS.filter(({ benchmark, of, against = of }) =>
    benchmark in all &&
    !(of in all[benchmark].contenders && against in all[benchmark].contenders)
  );
  assertEquals(missing, []);
});

Deno.test("Lines.next() returns line after line, and an empty one at the end", async () => {
  const chunks = ["op", "en\nmo", "ved\n"];
  const lines = new Lines(
    ReadableStream.from(chunks).pipeThrough(new TextEncoderStream()),
  );
  assertEquals(await lines.next(), "open");
  assertEquals(await lines.next(), "moved");
  assertEquals(await lines.next(), "");
});

Deno.test({
  name: "compare() skips a missing peer or load generator, and says so",
  ignore: !granted("run", "read", "write"),
  async fn() {
    await assertRejects(() => program("no-such-program"), Missing);
    const { contenders, skipped } = await compare({
      title: "nothing",
      unit: "x",
      load: ["echo", 1, 1, 1],
      contenders: {
        gone: { server: ["no-such-program"] },
        loadless: { server: ["sh"], load: ["no_such_load", 1] },
      },
    }, SMOKE);
    removeFolder();
    assertEquals(contenders, {});
    assertMatch(skipped["gone"], /^no (no-such-program|cc)$/);
    assertMatch(skipped["loadless"], /^cc cannot compile|^no cc$/);
  },
});

Deno.test({
  name:
    "ServerProcess.processorSeconds counts children, also those that have ended",
  ignore: !granted("run", "read"),
  async fn() {
    const burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    const script = `sh -c '${burn}'; echo 1; sh -c '${burn}'; exec sleep 20`;
    await using server = await ServerProcess.start(["sh", "-c", script]);
    const ended = server.processorSeconds;
    assertGreater(ended, 0);
    await until(() => server.processorSeconds > ended);
  },
});
