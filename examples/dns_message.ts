/**
 * Answers a message of the domain name system. For `examples/dns.ts`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
// @ts-types="./dns_packet.d.ts"
import codec from "npm:dns-packet@5.6.1";
import type { Answer, OptAnswer } from "./dns_packet.d.ts";
import type { Finding, Zone } from "./dns_zone.ts";

const HEADER_SIZE = 12;
/** The least that a record takes: a root name of one byte, and ten for type, class, time and length. */
const RECORD_SIZE = 11;
/** The least that a question takes: the same, with type and class. */
const QUESTION_SIZE = 5;
/** What a client without EDNS takes over UDP, in bytes (RFC 1035, section 2.3.4). */
const UDP_SIZE = 512;
/** What crosses today's networks in one piece, in bytes: the DNS flag day of 2020. */
const EDNS_SIZE = 1232;

/** The opcode and the wish for recursion, bits of the header that an answer takes over. */
const KEPT = 0b1111 << 11 | codec.RECURSION_DESIRED;
const RCODES = { NOERROR: 0, FORMERR: 1, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };
/** The upper bits of the code of a wrong EDNS version, 16, which go into the OPT record. */
const BADVERS = 1;

/** What a query asks. */
interface Query {
  /** The question as it came, to be sent back. */
  question: Uint8Array;
  name: string;
  type: string;
  class: string;
}

/** What a message says, as far as it can be read. */
interface Request {
  /** What says that the client knows EDNS. So must every answer, of errors too (RFC 6891, section 6.1.1). */
  edns?: OptAnswer;
  /** Undefined if the message is wrong. */
  query?: Query;
}

/** What goes into an answer, besides the header. */
interface Reply extends Request, Partial<Finding> {
  truncated?: boolean;
  extendedRcode?: number;
}

/**
 * Answers a query.
 *
 * @param zone What is known.
 * @param message The query, without a length.
 * @param overUdp Whether the answer must fit into a datagram.
 * @returns The answer; empty for what must not be answered, because it is a response or has no header.
 */
export function respond(
  zone: Zone,
  message: Uint8Array,
  overUdp: boolean,
): Uint8Array {
  if (message.length < HEADER_SIZE || message[2] & 0x80) {
    return new Uint8Array();
  }
  const request = decode(message);
  const { edns, query } = request;
  if (message[2] >> 3 & 0b1111) {
    return encode(message, RCODES.NOTIMP, { edns });
  }
  if (query === undefined) return encode(message, RCODES.FORMERR, { edns });
  if (edns?.ednsVersion) {
    const extendedRcode = BADVERS;
    return encode(message, RCODES.NOERROR, { ...request, extendedRcode });
  }
  const served = query.class === "IN" && !/^[AI]XFR$/.test(query.type);
  if (!served) return encode(message, RCODES.REFUSED, request);
  const found = zone.find(query.name, query.type);
  const rcode = RCODES[found.rcode];
  const whole = encode(message, rcode, { ...request, ...found });
  if (whole.length <= room(edns, overUdp)) return whole;
  return encode(message, rcode, { ...request, answers: [], truncated: true });
}

/** How long an answer may be. */
function room(edns: OptAnswer | undefined, overUdp: boolean): number {
  if (!overUdp) return 65535;
  const wanted = Math.max(edns?.udpPayloadSize ?? 0, UDP_SIZE);
  return Math.min(wanted, EDNS_SIZE);
}

/** Reads a message, as far as it can be read. */
function decode(message: Uint8Array): Request {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  const [count, ...counts] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  const records = counts.reduce((sum, each) => sum + each);
  const least = count * QUESTION_SIZE + records * RECORD_SIZE;
  if (least > bytes.length) return {};
  try {
    const { questions, answers, authorities, additionals } = codec.decode(
      bytes,
    );
    const [edns, ...more] = additionals.filter(isOpt);
    const misplaced = [...answers, ...authorities].some(isOpt);
    const wrong = more.length > 0 || misplaced || (edns && edns.name !== ".");
    if (count !== 1 || wrong) return { edns };
    const [name, question] = readQuestion(message) ?? [];
    if (name === undefined || question === undefined) return { edns };
    const { type, class: ofClass } = questions[0];
    return { edns, query: { question, name, type, class: ofClass } };
  } catch (error) {
    if (error instanceof Error) return {}; // the codec has no class of its own
    throw error;
  }
}

const isOpt = (record: Answer): record is OptAnswer => record.type === "OPT";

/**
 * The name of the question, which the codec cannot give back byte for byte: in lower case, with "\046" for a
 * dot that is not between labels. And all of the question. Undefined if the name is none.
 */
function readQuestion(
  message: Uint8Array,
): [name: string, question: Uint8Array] | undefined {
  const labels: string[] = [];
  let at = HEADER_SIZE;
  for (let length; (length = message[at]) > 0; at += 1 + length) {
    if (length > 63) return undefined; // a pointer, with nothing to point at
    const label = message.subarray(at + 1, at + 1 + length);
    labels.push(String.fromCharCode(...label).replaceAll(".", "\\046"));
  }
  const name = labels.join(".").replace(/[A-Z]/g, (c) => c.toLowerCase());
  return [name, message.subarray(HEADER_SIZE, at + 5)];
}

function encode(
  message: Uint8Array,
  rcode: number,
  { edns, query, answers, authorities, truncated, extendedRcode }: Reply,
): Uint8Array {
  const kept = (message[2] << 8 | message[3]) & KEPT;
  const authoritative = answers !== undefined && rcode !== RCODES.REFUSED;
  const packet = codec.encode({
    type: "response",
    id: message[0] << 8 | message[1],
    flags: kept | rcode | (authoritative ? codec.AUTHORITATIVE_ANSWER : 0) |
      (truncated ? codec.TRUNCATED_RESPONSE : 0),
    answers,
    authorities,
    additionals: edns === undefined ? [] : [ednsOf(edns, extendedRcode)],
  });
  if (query === undefined) return packet;
  packet[5] = 1; // the count of questions
  const [header, rest] = [
    packet.subarray(0, HEADER_SIZE),
    packet.subarray(HEADER_SIZE),
  ];
  return Buffer.concat([header, query.question, rest]); // the codec writes no pointers
}

function ednsOf(
  { flags }: OptAnswer,
  extendedRcode = 0,
): OptAnswer {
  return {
    name: ".",
    type: "OPT",
    udpPayloadSize: EDNS_SIZE,
    extendedRcode,
    ednsVersion: 0,
    flags: flags & codec.DNSSEC_OK,
    options: [],
  };
}
