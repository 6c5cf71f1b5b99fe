/**
 * Leaves out each test whose name and code do not mention datagrams or `reusePort`: it runs the same with and without
 * `--unstable-net`. `.ci/run` preloads this module for the run without that flag.
 *
 * @module
 */

/** The words of a test for which `--unstable-net` may make a difference. */
const CONCERNED = /dgram|datagram|udp|reuse_?port|unstableNet|KINDS/i;

const test = Deno.test as (...args: unknown[]) => void;
const some = (...args: unknown[]) => {
  const texts = args.flatMap((each) =>
    typeof each === "object" ? Object.values(each as object) : [each]
  );
  if (texts.some((each) => CONCERNED.test(String(each)))) test(...args);
};
Object.assign(Deno, { test: Object.assign(some, Deno.test) });
