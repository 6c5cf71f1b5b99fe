import { WorkerServerStub } from "../../internal/workers/worker_server_stub.ts";
import { assert, assertEquals } from "../deps.ts";
import { FACTS } from "./workers_fakes.ts";

Deno.test("WorkerServerStub.requestSignal() is aborted if the server drains already", () => {
  for (const draining of [false, true]) {
    const stub = new WorkerServerStub(FACTS, draining, () => Promise.resolve());
    const early = stub.requestSignal("early");
    assertEquals(early.aborted, draining);
    stub.requests.drain();
    assertEquals(early.aborted, true);
    assertEquals(stub.requestSignal("late").aborted, true);
  }
});

Deno.test("WorkerServerStub.requestSignal() has a signal of its own for each open request", () => {
  const stub = new WorkerServerStub(FACTS, false, () => Promise.resolve());
  const active = stub.requests.begin("request");
  const signal = stub.requestSignal("request");
  assert(stub.requestSignal("request") === signal);
  stub.requests.end(active);
  assert(stub.requestSignal("request") !== signal);
});
