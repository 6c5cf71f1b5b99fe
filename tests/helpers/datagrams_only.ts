/**
 * Leaves out the tests that have nothing to do with datagrams or `reusePort`, by their names and their code: the others
 * run alike with and without `--unstable-net`. `.ci/run` preloads it for the run without that flag.
 *
 * @module
 */

/** Words of a test that `--unstable-net` may make a difference to. */
const CONCERNED = /dgram|datagram|udp|reuse_?port|unstableNet|KINDS/i;

const test = Deno.test as (...args: unknown[]) => void;
const some = (...args: unknown[]) => {
  const texts = args.flatMap((each) =>
    typeof each === "object" ? Object.values(each as object) : [each]
  );
  if (texts.some((each) => CONCERNED.test(String(each)))) test(...args);
};
Object.assign(Deno, { test: Object.assign(some, Deno.test) });
