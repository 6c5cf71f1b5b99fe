/**
 * Simulates a server: threads that take jobs in order, and processors that the threads share.
 *
 * @module
 */

/** What a request costs, in microseconds of processor time. */
export interface Costs {
  /** On the main thread. */
  mainUs: number;
  /** In a worker or a child: moving the bytes. 0 if there is none. */
  otherUs: number;
}

/** A server and its load. */
export interface Setting extends Costs {
  /** The processors. */
  cores: number;
  /** The workers or children; 0 if handlers run on the main thread. */
  workers: number;
  /** The work of the handler for each request, in microseconds. */
  workUs: number;
  /** The clients. Each asks again as soon as it has its answer. */
  clients: number;
  /** What a client's own work costs on one of the processors; 0 if clients run elsewhere. */
  clientUs?: number;
  /** The requests to simulate. The first tenth does not count. */
  requests?: number;
}

/** What a simulation shows. */
export interface Simulated {
  /** Requests per second. */
  rate: number;
  /** Milliseconds within which 99 of 100 requests are answered. */
  p99: number;
  /** The part of the time in which the main thread works. */
  mainBusy: number;
}

/** Something to do on a thread, and what follows. */
interface Job {
  us: number;
  then: () => void;
}

/** The threads, and the processors that run them. Time is in microseconds. */
class Machine {
  now = 0;
  readonly #events: Heap = new Heap();
  readonly #runnable: Thread[] = [];
  #free: number;

  constructor(cores: number) {
    this.#free = cores;
  }

  /** Gives a thread that has something to do a processor, or lets it wait for one. */
  wake(thread: Thread): void {
    this.#runnable.push(thread);
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#free > 0 && this.#runnable.length > 0) {
      this.#free--;
      const thread = this.#runnable.shift()!;
      const { us, then } = thread.jobs.shift()!;
      thread.busyUs += us;
      this.#events.push(this.now + us, () => {
        this.#free++;
        if (thread.jobs.length > 0) this.#runnable.push(thread);
        else thread.running = false;
        then();
        this.#dispatch();
      });
    }
  }

  /** Runs until a condition holds. */
  runUntil(done: () => boolean): void {
    while (!done()) {
      const [at, event] = this.#events.pop();
      this.now = at;
      event();
    }
  }
}

/** A thread does one job after the other. */
class Thread {
  readonly jobs: Job[] = [];
  running = false;
  busyUs = 0;
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  do(us: number, then: () => void): void {
    if (us === 0) return then();
    this.jobs.push({ us, then });
    if (this.running) return;
    this.running = true;
    this.#machine.wake(this);
  }
}

/** Events in the order of their times. */
class Heap {
  readonly #items: [at: number, event: () => void][] = [];

  push(at: number, event: () => void): void {
    const items = this.#items;
    let i = items.push([at, event]) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (items[parent][0] <= items[i][0]) break;
      [items[parent], items[i]] = [items[i], items[parent]];
      i = parent;
    }
  }

  pop(): [at: number, event: () => void] {
    const items = this.#items;
    const first = items[0];
    const last = items.pop()!;
    if (items.length === 0) return first;
    items[0] = last;
    for (let i = 0;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < items.length && items[child][0] < items[least][0]) {
          least = child;
        }
      }
      if (least === i) return first;
      [items[least], items[i]] = [items[i], items[least]];
      i = least;
    }
  }
}

/**
 * Simulates a server under a load of clients that ask without a pause. Half of the main thread's work comes before the
 * handler, and half after it. A connection stays with its worker, as in the servers. The work of a handler varies as
 * that of a Poisson process does (exponentially); what the library does takes the same time each time.
 */
export function simulate(setting: Setting): Simulated {
  const { cores, workers, clients, mainUs, otherUs, workUs } = setting;
  const { clientUs = 0, requests = 40_000 } = setting;
  const machine = new Machine(cores);
  const main = new Thread(machine);
  const pool = Array.from({ length: workers }, () => new Thread(machine));
  const outside = new Thread(machine);
  const random = randomNumbers();
  const times: number[] = [];
  const ask = (client: number) => {
    const startedAt = machine.now;
    const work = workUs === 0 ? 0 : -Math.log(random()) * workUs;
    const answered = () => {
      times.push(machine.now - startedAt);
      outside.do(clientUs, () => ask(client));
    };
    if (workers === 0) return main.do(mainUs + work, answered);
    const worker = pool[client % workers];
    main.do(mainUs / 2, () => {
      worker.do(otherUs + work, () => main.do(mainUs / 2, answered));
    });
  };
  for (let client = 0; client < clients; client++) ask(client);
  machine.runUntil(() => times.length >= requests / 10);
  const [from, busy, first] = [machine.now, main.busyUs, times.length];
  machine.runUntil(() => times.length >= requests);
  const counted = times.slice(first).sort((a, b) => a - b);
  const us = machine.now - from;
  return {
    rate: counted.length / us * 1e6,
    p99: counted[Math.floor(counted.length * 0.99)] / 1000,
    mainBusy: Math.min(1, (main.busyUs - busy) / us),
  };
}

/** Returns the same numbers above 0 and up to 1 each time: those of Park and Miller, 1993. */
function randomNumbers(): () => number {
  let state = 20_231;
  return () => (state = state * 48_271 % 2_147_483_647) / 2_147_483_647;
}
