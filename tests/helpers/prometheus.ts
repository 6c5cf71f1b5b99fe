/**
 * A strict reader of the text format of Prometheus, version 0.0.4.
 *
 * @module
 */

import { assert, assertEquals } from "../deps.ts";

/** One line with a value. */
export interface PrometheusSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** The contents of a text. */
export interface PrometheusText {
  /** The values. */
  samples: PrometheusSample[];
  /** The types by name. */
  types: Map<string, string>;
  /** Returns the value with exactly these labels; fails if there is none, or more than one. */
  value: (name: string, labels: Record<string, string>) => number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/;

/** Reads a text, and fails if Prometheus, or `promtool check metrics`, would complain. */
export function parsePrometheus(text: string): PrometheusText {
  assert(text.endsWith("\n"), "the last line has no end");
  const helps = new Map<string, string>();
  const types = new Map<string, string>();
  const samples: PrometheusSample[] = [];
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [hash, word, name, ...rest] = line.split(" ");
    if (hash === "#") {
      assert(NAME.test(name), line);
      const known = word === "HELP" ? helps : types;
      assert(word === "HELP" || word === "TYPE", line);
      assert(!known.has(name), `twice: ${line}`);
      assert(rest.length > 0, line);
      known.set(name, rest.join(" "));
      family = name;
      continue;
    }
    const sample = parseSample(line);
    samples.push(sample);
    const base = types.get(family) === "histogram"
      ? sample.name.replace(/_(bucket|sum|count)$/, "")
      : sample.name;
    assertEquals(base, family, "a value stands outside of its family");
  }
  for (const [name, type] of types) {
    assert(helps.has(name), `${name} has no help`);
    assertEquals(name.endsWith("_total"), type === "counter", name);
    if (type === "histogram") checkHistogram(name, samples);
  }
  const keys = samples.map(({ name, labels }) => keyOf(name, labels));
  assertEquals(new Set(keys).size, keys.length, "a value twice");
  return {
    samples,
    types,
    value: (name, labels) => {
      const index = keys.indexOf(keyOf(name, labels));
      assert(index >= 0, `no ${keyOf(name, labels)} in ${text}`);
      return samples[index].value;
    },
  };
}

function keyOf(name: string, labels: Record<string, string>): string {
  return name + JSON.stringify(Object.entries(labels).sort());
}

function parseSample(line: string): PrometheusSample {
  const match = SAMPLE.exec(line);
  assert(match !== null, `no value: ${line}`);
  const labels: Record<string, string> = {};
  for (let rest = match[2] ?? ""; rest !== "";) {
    const label = LABEL.exec(rest);
    assert(label !== null, `no label: ${rest}`);
    assert(!(label[1] in labels), `a label twice: ${line}`);
    labels[label[1]] = label[2].replace(
      /\\(.)/g,
      (_, escaped) => escaped === "n" ? "\n" : escaped,
    );
    rest = rest.slice(label[0].length);
  }
  const value = Number(match[3]);
  assert(Number.isFinite(value), line);
  return { name: match[1], labels, value };
}

/** Checks that the buckets of a histogram grow, and that the last one has the count. */
function checkHistogram(name: string, samples: PrometheusSample[]): void {
  const counts = samples.filter((each) => each.name === `${name}_count`);
  for (const { labels, value } of counts) {
    const buckets = samples.filter((each) => {
      const { le: _, ...rest } = each.labels;
      return each.name === `${name}_bucket` &&
        keyOf("", rest) === keyOf("", labels);
    });
    const bounds = buckets.map(({ labels }) =>
      labels.le === "+Inf" ? Infinity : Number(labels.le)
    );
    assertEquals(bounds, bounds.toSorted((a, b) => a - b));
    assertEquals(bounds.at(-1), Infinity);
    const values = buckets.map((bucket) => bucket.value);
    assertEquals(values, values.toSorted((a, b) => a - b));
    assertEquals(values.at(-1), value);
  }
}
