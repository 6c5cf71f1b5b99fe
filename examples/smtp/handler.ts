/**
 * SMTP for handlers: receives mail (RFC 5321) with SIZE, PIPELINING, 8BITMIME and STARTTLS (RFC 3207).
 *
 * @module
 */

import {
  LimitOverrunError,
  StreamRequestHandler,
  TimeoutError,
} from "@socketserver/socketserver";
import { type SSLContext, SSLSocket } from "@socketserver/socketserver/ssl";
import type { Maildir } from "./maildir.ts";
import { parsePath } from "./path.ts";
import { readText, toFileLine } from "./text.ts";

/** The time for a whole mail, as a multiple of `timeout`: an hour by default. */
const MAIL_TIMEOUTS = 12;
/** The most recipients of a mail, and the most mistakes of a client. RFC 5321 asks for 100 of the former. */
const RECIPIENTS_MAX = 100;
const MISTAKES_MAX = 20;

/** A reply: a code, and a line of text or several. */
type Reply = [code: number, ...lines: string[]];

const BAD_SEQUENCE: Reply = [503, "bad sequence of commands"];
const TOO_LARGE: Reply = [552, "the mail is too large"];

/** Receives mail for any address into one maildir. */
export class SMTPHandler extends StreamRequestHandler {
  /** The destination of the mails. */
  static maildir: Maildir;
  /** The settings of TLS, for STARTTLS; undefined without a certificate. */
  static ssl: SSLContext | undefined;
  /** Seconds for each command. */
  override timeout = 300;
  override lineLimit = 2048; // RFC 5321 asks for 512
  override wbufsize = 65536; // the replies to commands that came together leave together
  override disableNagleAlgorithm = true;
  /** The largest mail, in bytes. */
  sizeLimit = 10_485_760;

  /** The name by which the client has greeted; "" before. */
  #client = "";
  #sender: string | undefined;
  #recipients: string[] = [];
  #mistakes = 0;
  #ended = false;
  #startsTls = false;

  override async handle(): Promise<void> {
    await this.#reply([220, "localhost ESMTP"]);
    while (!this.#ended) {
      const reply = await this.#next();
      if (reply === undefined) return;
      await this.#reply(reply);
      if (this.#startsTls) await this.#startTls(this.#ssl!);
    }
    await this.wfile.flush();
    if (!this.signal.aborted) await this.connection.lingeringClose(1);
  }

  /** Reads the next command and executes it. Returns undefined at the end of the stream. */
  async #next(): Promise<Reply | undefined> {
    this.connection.setdeadline(this.timeout);
    try {
      if (!await this.waitForRequest()) {
        return this.signal.aborted
          ? this.#close("the server closes")
          : undefined;
      }
      return this.#count(await this.#execute(await this.rfile.readline()));
    } catch (error) {
      if (error instanceof LimitOverrunError) {
        return this.#count([500, "the line is too long"]);
      }
      if (error instanceof TimeoutError) return this.#close("too slow");
      throw error;
    }
  }

  #close(reason: string): Reply {
    this.#ended = true;
    this.connection.setdeadline(1); // for the reply
    return [421, `${reason}, closing`];
  }

  /** Returns a reply, or the last one if the client has made too many mistakes. */
  #count(reply: Reply): Reply {
    if (reply[0] >= 500) this.#mistakes++;
    return this.#mistakes > MISTAKES_MAX
      ? this.#close("too many mistakes")
      : reply;
  }

  async #reply([code, ...lines]: Reply): Promise<void> {
    const last = lines.length - 1;
    const text = lines.map((line, i) =>
      `${code}${i < last ? "-" : " "}${line}`
    );
    await this.wfile.write(`${text.join("\r\n")}\r\n`);
  }

  /** Asks for the handshake that follows the reply. */
  #askTls(): Reply {
    if (this.#isSecure) return [503, "TLS is on already"];
    if (this.#ssl === undefined) return [500, "no such command"];
    this.#startsTls = true;
    return [220, "begin the handshake"];
  }

  /** Makes the handshake. Fails if the client has sent more than STARTTLS: somebody between may have added it. */
  async #startTls(ssl: SSLContext): Promise<void> {
    this.#startsTls = false;
    await this.wfile.flush();
    this.request = await ssl.wrapSocket(this.request, { serverSide: true });
    await this.setup(); // opens new files
    this.#client = ""; // nothing that was said before counts
    this.#reset();
  }

  get #ssl(): SSLContext | undefined {
    return (this.constructor as typeof SMTPHandler).ssl;
  }

  get #isSecure(): boolean {
    return this.request instanceof SSLSocket;
  }

  async #execute(bytes: Uint8Array): Promise<Reply> {
    const text = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
    const [, verb, , argument = ""] = /^([a-z]+)( (.*))?$/i.exec(text) ?? [];
    switch (verb?.toUpperCase()) {
      case "EHLO":
        return this.#greet(argument, this.extensions);
      case "HELO":
        return this.#greet(argument, []);
      case "MAIL":
        return this.#mail(argument);
      case "RCPT":
        return this.#rcpt(argument);
      case "DATA":
        return argument ? [501, "DATA has no argument"] : await this.#data();
      case "STARTTLS":
        return argument ? [501, "STARTTLS has no argument"] : this.#askTls();
      case "RSET":
        this.#reset();
        return [250, "forgotten"];
      case "NOOP":
        return [250, "nothing done"];
      case "VRFY":
        return [252, "send some mail, and see"];
      case "QUIT":
        this.#ended = true;
        return [221, "goodbye"];
      default:
        return [500, "no such command"];
    }
  }

  /** The extensions that EHLO announces. */
  get extensions(): string[] {
    const extensions = [`SIZE ${this.sizeLimit}`, "8BITMIME", "PIPELINING"];
    const offers = this.#ssl !== undefined && !this.#isSecure;
    return offers ? [...extensions, "STARTTLS"] : extensions;
  }

  #greet(client: string, extensions: string[]): Reply {
    if (!/^[\w.:[\]-]{1,255}$/.test(client)) {
      return [501, "the name of a host must follow"];
    }
    this.#client = client;
    this.#reset();
    return [250, "localhost", ...extensions];
  }

  #reset(): void {
    this.#sender = undefined;
    this.#recipients = [];
  }

  #mail(argument: string): Reply {
    if (this.#client === "" || this.#sender !== undefined) return BAD_SEQUENCE;
    const path = parsePath(argument, "FROM");
    if (path === undefined) return [501, "MAIL FROM:<address> is expected"];
    for (const [name, value] of path.parameters) {
      if (name === "SIZE" && /^\d{1,20}$/.test(value)) {
        if (Number(value) > this.sizeLimit) return TOO_LARGE;
      } else if (name !== "BODY" || !/^(7BIT|8BITMIME)$/i.test(value)) {
        return [555, `the parameter ${name} is not supported`];
      }
    }
    this.#sender = path.address;
    return [250, "sender accepted"];
  }

  #rcpt(argument: string): Reply {
    if (this.#sender === undefined) return BAD_SEQUENCE;
    const path = parsePath(argument, "TO");
    if (!path?.address) return [501, "RCPT TO:<address> is expected"];
    if (path.parameters.size > 0) return [555, "no parameter is supported"];
    if (this.#recipients.length === RECIPIENTS_MAX) {
      return [452, "too many recipients"];
    }
    this.#recipients.push(path.address);
    return [250, "recipient accepted"];
  }

  /** Receives a mail, and stores it. */
  async #data(): Promise<Reply> {
    if (this.#recipients.length === 0) return BAD_SEQUENCE;
    await this.#reply([354, "end the mail with a line with a single dot"]);
    this.connection.setdeadline(this.timeout * MAIL_TIMEOUTS);
    const head = new TextEncoder().encode(this.#head());
    this.#reset();
    return await this.#receive(head);
  }

  /** Returns the header lines that a server adds. */
  #head(): string {
    const date = new Date().toUTCString().replace("GMT", "+0000");
    return [
      `Return-Path: <${this.#sender}>`,
      `Envelope-To: ${this.#recipients.join(",\n ")}`,
      `Received: from ${this.#client} ([${this.clientAddress[0]}])`,
      ` by localhost with ${this.protocol}; ${date}\n`,
    ].join("\n");
  }

  /** How the mail comes, as RFC 3848 has it. */
  get protocol(): string {
    return this.#isSecure ? "ESMTPS" : "ESMTP";
  }

  /** Reads the text of a mail to its end in any case, so that the next command is not taken for a part of it. */
  async #receive(head: Uint8Array): Promise<Reply> {
    let size = 0;
    let bad: Reply | undefined;
    const failed: (error: unknown) => Reply = (error) => {
      console.error(error);
      return [452, "the mail cannot be stored"];
    };
    const { maildir } = this.constructor as typeof SMTPHandler;
    await using mail = await maildir.begin().catch((error) => {
      bad = failed(error);
      return undefined;
    });
    await mail?.write(head);
    for await (const part of readText(this.rfile)) {
      if (bad !== undefined) continue;
      const line = toFileLine(part);
      if ((size += part.length) > this.sizeLimit) bad = TOO_LARGE;
      else if (line === undefined) bad = [550, "CR or LF without the other"];
      else await mail!.write(line).catch((error) => bad = failed(error));
    }
    if (bad === undefined) {
      await mail!.commit().catch((error) => bad = failed(error));
    }
    return bad ?? [250, "the mail is stored"];
  }
}
