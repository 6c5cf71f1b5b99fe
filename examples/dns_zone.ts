/**
 * A zone of the domain name system, and its answers. For `examples/dns.ts`.
 *
 * @module
 */
import type { Answer } from "./dns_packet.d.ts";

/** A record in the form of the codec. */
export type ZoneRecord = Exclude<Answer, { type: "OPT" }>;

/** The answer of a zone for a name. */
export interface Finding {
  rcode: "NOERROR" | "NXDOMAIN" | "REFUSED";
  answers: ZoneRecord[];
  authorities: ZoneRecord[];
}

/** The records of a zone, by name. Names are in lower case, and without the last dot. */
export class Zone {
  readonly #names = new Map<string, ZoneRecord[]>();
  readonly #apex: string;
  readonly #soa: ZoneRecord;

  /** @throws {Error} if there is not exactly one SOA, or a record is outside of the zone or beside a CNAME. */
  constructor(records: ZoneRecord[]) {
    const [soa, ...more] = records.filter(({ type }) => type === "SOA");
    if (soa?.type !== "SOA" || more.length > 0) {
      throw new Error("Cannot make a zone: it must have one SOA record");
    }
    this.#apex = soa.name.toLowerCase();
    // How long a resolver may cache a negative answer: RFC 2308, section 3.
    this.#soa = { ...soa, ttl: Math.min(soa.ttl, soa.data.minimum) };
    for (const record of records) this.#add(record);
  }

  #add(record: ZoneRecord): void {
    const name = record.name.toLowerCase();
    if (!this.#has(name)) {
      throw new Error(`Cannot make a zone: "${name}" is not in it`);
    }
    for (let at = name; !this.#names.has(at) && this.#has(at);) {
      this.#names.set(at, []); // a name between has no records, but is there
      at = at.slice(at.indexOf(".") + 1 || at.length);
    }
    const there = this.#names.get(name)!;
    there.push(record);
    if (there.length > 1 && there.some(({ type }) => type === "CNAME")) {
      throw new Error(`Cannot make a zone: "${name}" is a CNAME, and more`);
    }
  }

  #has(name: string): boolean {
    return name === this.#apex || name.endsWith(`.${this.#apex}`);
  }

  /**
   * Looks a name up, and follows its CNAMEs within the zone.
   *
   * @param name The name, in lower case.
   * @param type The type of record, or "ANY", which returns the records of one type (RFC 8482).
   */
  find(name: string, type: string): Finding {
    const answers: ZoneRecord[] = [];
    const end = (rcode: Finding["rcode"], ...authorities: ZoneRecord[]) => ({
      ...{ rcode, answers, authorities },
    });
    const seen = new Set<string>();
    if (!this.#has(name)) return end("REFUSED");
    while (this.#has(name) && !seen.has(name)) {
      seen.add(name);
      const there = this.#names.get(name);
      if (there === undefined) return end("NXDOMAIN", this.#soa);
      const wanted = type === "ANY" ? there[0]?.type : type;
      const found = there.filter((record) => record.type === wanted);
      answers.push(...found);
      if (found.length > 0) return end("NOERROR");
      const [alias] = there;
      if (alias?.type !== "CNAME") return end("NOERROR", this.#soa);
      answers.push(alias);
      name = alias.data.toLowerCase();
    }
    return end("NOERROR"); // an alias of a name elsewhere, or of itself
  }
}
