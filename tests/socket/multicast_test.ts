import {
  AF_INET,
  inetAton,
  IP_ADD_MEMBERSHIP,
  IP_DROP_MEMBERSHIP,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IPPROTO_IP,
  type OptionValue,
  SOCK_DGRAM,
  Socket,
} from "../../socket.ts";
import { assertEquals, assertMatch, assertThrows } from "../deps.ts";
import { unstableNet } from "../helpers/allowed.ts";
import { bytes, concat, text } from "../helpers/bytes.ts";
import { FakeDatagram } from "../helpers/fakes.ts";
import { nodeUdp, portOf, udp } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

/** A group of the range for use within one organisation (RFC 2365). */
const GROUP = "239.255.77.77";
const LOOPBACK = "127.0.0.1";

type Bind = (host?: string) => Socket;

const BACKENDS: [name: string, bind: Bind, ignore: boolean][] = [
  ["Deno.listenDatagram", udp, !unstableNet],
  ["node:dgram", unstableNet ? nodeUdp : udp, false],
];

function set(socket: Socket, name: number, value: OptionValue): void {
  socket.setsockopt(IPPROTO_IP, name, value);
}

/** Whether this machine delivers multicast over its loopback. */
async function delivers(): Promise<boolean> {
  using receiver = nodeUdp("0.0.0.0");
  using sender = nodeUdp();
  receiver.settimeout(5); // on a busy machine
  try {
    set(receiver, IP_ADD_MEMBERSHIP, [GROUP, LOOPBACK]);
    await sender.sendto(bytes("?"), [GROUP, portOf(receiver.getsockname())]);
    return (await receiver.recv(1)).length > 0;
  } catch {
    return false;
  }
}

const deaf = !await delivers();

for (const [backend, bind, missing] of BACKENDS) {
  const ignore = deaf || missing;
  Deno.test({
    name:
      `Socket over ${backend} receives from a multicast group between IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP`,
    ignore,
    async fn() {
      using receiver = bind("0.0.0.0");
      using sender = bind();
      const port = portOf(receiver.getsockname());
      set(sender, IP_MULTICAST_TTL, 1);
      for (
        const value of [
          [GROUP, LOOPBACK],
          packed(GROUP, LOOPBACK),
        ] as OptionValue[]
      ) {
        set(receiver, IP_ADD_MEMBERSHIP, value);
        await sender.sendto(bytes("to the group"), [GROUP, port]);
        assertEquals(await within(receiver.recvfrom(99)), [
          bytes("to the group"),
          sender.getsockname(),
        ]);
        set(receiver, IP_DROP_MEMBERSHIP, value);
        await sender.sendto(bytes("not heard"), [GROUP, port]);
        await sender.sendto(bytes("to this one"), [LOOPBACK, port]);
        assertEquals(text(await within(receiver.recv(99))), "to this one");
      }
    },
  });

  Deno.test(`Socket over ${backend} refuses to join twice, and to leave a group that it has not joined`, async () => {
    using socket = bind("0.0.0.0");
    const value = [GROUP, LOOPBACK] as const;
    assertEquals(
      await codeOf(() => set(socket, IP_DROP_MEMBERSHIP, value)),
      "EADDRNOTAVAIL",
    );
    set(socket, IP_ADD_MEMBERSHIP, value);
    assertEquals(
      await codeOf(() => set(socket, IP_ADD_MEMBERSHIP, value)),
      "EADDRINUSE",
    );
    set(socket, IP_DROP_MEMBERSHIP, value);
  });

  Deno.test(`Socket over ${backend} reports that an interface does not exist`, async () => {
    using socket = bind("0.0.0.0");
    const code = await codeOf(async () => {
      set(socket, IP_ADD_MEMBERSHIP, [GROUP, "192.0.2.77"]); // fails now,
      await socket.sendto(bytes("x"), socket.getsockname()); // or here
      await socket.sendto(bytes("x"), [LOOPBACK, 9]);
    });
    assertMatch(code ?? "", /^(ENODEV|EINVAL)$/); // EINVAL is the code of node:dgram
  });
}

Deno.test("IP_ADD_MEMBERSHIP refuses an invalid group or interface, and names it", async () => {
  using socket = udp();
  const values = [["192.0.2.1"], [GROUP, "eth0"], ["::1"], 5, "239.0.0.1", []];
  for (const value of values) {
    assertThrows(
      () => set(socket, IP_ADD_MEMBERSHIP, value as OptionValue),
      TypeError,
      `must be [group, interface] with a group of 224.0.0.0/4, got ${value}`,
    );
  }
  using unbound = new Socket(AF_INET, SOCK_DGRAM);
  assertEquals(
    await codeOf(() => set(unbound, IP_ADD_MEMBERSHIP, [GROUP])),
    "ENOPROTOOPT",
  );
});

/** A datagram socket of Deno in memory: it records changes of memberships, and fails if a test says so. */
class FakeDenoDatagram extends FakeDatagram {
  readonly calls: string[] = [];
  failing = "";

  #do(call: string): Promise<void> {
    this.calls.push(call);
    return call.startsWith(this.failing || "-")
      ? Promise.reject(new Deno.errors.AddrNotAvailable(call))
      : Promise.resolve();
  }

  async joinMulticastV4(group: string, networkInterface: string) {
    await this.#do(`join ${group} ${networkInterface}`);
    return {
      leave: () => this.#do(`leave ${group}`),
      setLoopback: (on: boolean) => this.#do(`loopback ${on}`),
      setTTL: (ttl: number) => this.#do(`ttl ${ttl}`),
    };
  }
}

Deno.test("DenoDatagram sets options through a membership of its own if there is none", async () => {
  const fake = new FakeDenoDatagram();
  using socket = Socket.from(fake);
  set(socket, IP_MULTICAST_TTL, 7);
  await socket.sendto(bytes("x"), [LOOPBACK, 9]);
  assertEquals(fake.calls, [
    "join 224.0.0.1 127.0.0.1",
    "ttl 7",
    "leave 224.0.0.1",
  ]);
  set(socket, IP_ADD_MEMBERSHIP, [GROUP]);
  set(socket, IP_MULTICAST_LOOP, 0);
  await socket.sendto(bytes("x"), [LOOPBACK, 9]);
  assertEquals(fake.calls.slice(3), [
    `join ${GROUP} 0.0.0.0`,
    "loopback false",
  ]);
});

Deno.test("DenoDatagram reports the failure of an option in the next call", async () => {
  const fake = new FakeDenoDatagram(bytes("data"));
  using socket = Socket.from(fake);
  for (const failing of ["join", "ttl", "leave"]) {
    fake.failing = failing;
    set(socket, IP_MULTICAST_TTL, 7);
    assertEquals(
      await codeOf(() => socket.sendto(bytes("x"), [LOOPBACK, 9])),
      "EADDRNOTAVAIL",
    );
    assertEquals(await socket.sendto(bytes("x"), [LOOPBACK, 9]), 1);
  }
  set(socket, IP_MULTICAST_TTL, 8);
  assertEquals(await codeOf(() => socket.recv(9)), "EADDRNOTAVAIL");
  assertEquals(text(await socket.recv(9)), "data");
  fake.failing = "join";
  set(socket, IP_ADD_MEMBERSHIP, [GROUP]);
  assertEquals(await codeOf(() => socket.recv(9)), "EADDRNOTAVAIL");
  fake.failing = "";
  set(socket, IP_ADD_MEMBERSHIP, [GROUP]); // not joined
});

Deno.test("IP_MULTICAST_TTL over node:dgram cannot be 0", async () => {
  using socket = nodeUdp();
  set(socket, IP_MULTICAST_TTL, 255);
  assertEquals(socket.getsockopt(IPPROTO_IP, IP_MULTICAST_TTL), 255);
  assertEquals(
    await codeOf(() => set(socket, IP_MULTICAST_TTL, 0)),
    "ENOPROTOOPT",
  );
});

/** The `ip_mreq` of a membership. */
function packed(group: string, networkInterface: string): Uint8Array {
  return concat([inetAton(group), inetAton(networkInterface)]);
}
