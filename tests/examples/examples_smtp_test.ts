/** examples/smtp.ts with Python's smtplib, swaks, ncat, and hostile clients. */

import { createConnection, type Socket } from "../../mod.ts";
import { createDefaultContext } from "../../ssl.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../deps.ts";
import {
  mayRun,
  onOneServer,
  type Running,
  start,
  talk,
} from "./example_helpers.ts";
import { have } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { within } from "../helpers/within.ts";

/** A running server, and the directory of its mails. */
interface Post {
  readonly server: Running;
  readonly maildir: string;
}

/**
 * Runs `fn` with a server that gives a client `seconds` for a command. The server must end well, with no unfinished
 * mail.
 *
 * @param files The certificate and key of the server.
 */
async function withPost(
  fn: (post: Post) => Promise<void>,
  seconds = "300", // the default of the program
  files: string[] = [],
): Promise<void> {
  const base = await Deno.makeTempDir();
  const maildir = `${base}/mails`;
  try {
    await using server = await start(
      "examples/smtp.ts",
      "127.0.0.1",
      "0",
      maildir,
      seconds,
      ...files,
    );
    await fn({ server, maildir });
    assertEquals(await server.end("SIGINT"), 0);
    assertEquals(await server.stderr, "");
    assertEquals([...Deno.readDirSync(`${maildir}/tmp`)], []);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

const post = onOneServer<[Post]>(
  "examples/smtp.ts serves its clients",
  (tests) => withPost(tests),
);

const connect = ({ server }: Post): Promise<Socket> =>
  createConnection(["127.0.0.1", Number(server.port)], { timeout: 30 });

/** Sends `input` at once, and returns the whole answer. */
async function ask(post: Post, input: string | Uint8Array): Promise<string> {
  using client = await connect(post);
  using file = client.makefile("rb");
  const answer = file.read();
  await client.sendall(typeof input === "string" ? bytes(input) : input);
  return text(await within(answer));
}

/** Returns the codes of the replies, one for a reply of several lines. */
const codes = (answer: string): number[] =>
  Array.from(answer.matchAll(/^(\d{3}) /gm), ([, code]) => +code);

/** Returns the delivered mails, without the lines that the server adds. */
function delivered({ maildir }: Post): string[] {
  const mails: string[] = [];
  for (const { name } of Deno.readDirSync(`${maildir}/new`)) {
    const path = `${maildir}/new/${name}`;
    const mail = Deno.readTextFileSync(path);
    const [, head, body] =
      /^(Return-Path: .*\nEnvelope-To: (?:.*\n )*.*\nReceived: from \S+ \(\[127.0.0.1\]\)\n by localhost with ESMTPS?; \w{3}, .* \+0000\n)([^]*)$/
        .exec(mail) ?? [, undefined, mail];
    assert(head !== undefined, mail);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    Deno.removeSync(path);
    mails.push(body);
  }
  return mails;
}

const HELLO = "EHLO client.test\r\n";
const ENVELOPE =
  `${HELLO}MAIL FROM:<a@b.test> BODY=8BITMIME SIZE=100\r\nRCPT TO:<c@d.test>\r\n`;
const MAIL = `${ENVELOPE}DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n`;
const GOT = "Subject: x\n\nhello\n";

/** Data that a client sends at once, the codes of the replies after the greeting, and the delivered mails. */
const DIALOGUES: Record<string, [string, number[], string[]?]> = {
  "a mail": [`${MAIL}QUIT\r\n`, [250, 250, 250, 354, 250, 221], [GOT]],
  "two mails": [
    `${MAIL}${MAIL.replace("hello", "again")}QUIT\r\n`,
    [250, 250, 250, 354, 250, 250, 250, 250, 354, 250, 221],
    [GOT, GOT.replace("hello", "again")],
  ],
  "HELO, small letters, and no parameters": [
    "helo x\r\nmail from: <>\r\nrcpt to:<postmaster>\r\ndata\r\n\r\n.\r\nquit\r\n",
    [250, 250, 250, 354, 250, 221],
    ["\n"],
  ],
  "stuffed dots": [
    `${ENVELOPE}DATA\r\n..\r\n...\r\n.x\r\nx.\r\n ..\r\n.\r\nQUIT\r\n`,
    [250, 250, 250, 354, 250, 221],
    [".\n..\nx\nx.\n ..\n"],
  ],
  "a mail with nothing in it": [
    `${ENVELOPE}DATA\r\n.\r\nQUIT\r\n`,
    [250, 250, 250, 354, 250, 221],
    [""],
  ],
  "a line of a mail that is longer than what is read at a time": [
    `${ENVELOPE}DATA\r\n.${".".repeat(200_000)}\r\n.\r\nQUIT\r\n`,
    [250, 250, 250, 354, 250, 221],
    [`${".".repeat(200_000)}\n`],
  ],
  "RSET, NOOP and VRFY": [
    `${HELLO}MAIL FROM:<a@b>\r\nNOOP x\r\nRSET\r\nRCPT TO:<c@d>\r\nVRFY c\r\nQUIT\r\n`,
    [250, 250, 250, 250, 503, 252, 221],
  ],
  "EHLO in a mail forgets it": [
    `${ENVELOPE}EHLO x\r\nDATA\r\nQUIT\r\n`,
    [250, 250, 250, 250, 503, 221],
  ],
  "MAIL before EHLO": ["MAIL FROM:<a@b>\r\nQUIT\r\n", [503, 221]],
  "RCPT before MAIL": [`${HELLO}RCPT TO:<a@b>\r\nQUIT\r\n`, [250, 503, 221]],
  "MAIL after MAIL": [
    `${ENVELOPE}MAIL FROM:<a@b>\r\nQUIT\r\n`,
    [250, 250, 250, 503, 221],
  ],
  "DATA before RCPT, with a text that is then commands": [
    `${HELLO}MAIL FROM:<a@b>\r\nDATA\r\nRSET\r\nQUIT\r\n`,
    [250, 250, 503, 250, 221],
  ],
  "DATA with an argument": [
    `${ENVELOPE}DATA now\r\nQUIT\r\n`,
    [250, 250, 250, 501, 221],
  ],
  "no such command": [
    "HELP ME\r\n\r\n\xff\xfe\r\nEHLO\r\nSTARTTLS\r\nQUIT\r\n",
    [500, 500, 500, 501, 500, 221],
  ],
  "arguments that are none": [
    `${HELLO}MAIL FROM:a@b\r\nMAIL TO:<a@b>\r\nMAIL FROM:<a b@c>\r\nMAIL FROM:<a@b\r\nMAIL\r\nEHLO a b\r\nQUIT\r\n`,
    [250, 501, 501, 501, 501, 501, 501, 221],
  ],
  "a quoted name and a route": [
    `${HELLO}MAIL FROM:<@x,@y:"a b>"@c>\r\nRCPT TO:<"\\"">\r\nQUIT\r\n`,
    [250, 250, 250, 221],
  ],
  "parameters that are none": [
    `${HELLO}MAIL FROM:<a@b> SIZE=x\r\nMAIL FROM:<a@b> SMTPUTF8\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nMAIL FROM:<a@b> SIZE=1\r\nRCPT TO:<a@b> NOTIFY=NEVER\r\nRCPT TO:<>\r\nQUIT\r\n`,
    [250, 555, 555, 555, 250, 555, 501, 221],
  ],
  "a mail that says that it is too large": [
    `${HELLO}MAIL FROM:<a@b> SIZE=10485761\r\nRCPT TO:<a@b>\r\nQUIT\r\n`,
    [250, 552, 503, 221],
  ],
  "a mail that is too large": [
    `${ENVELOPE}DATA\r\n${"x".repeat(10_485_759)}\r\n.\r\nRSET\r\nQUIT\r\n`,
    [250, 250, 250, 354, 552, 250, 221],
  ],
  "a mail that is just not too large": [
    `${ENVELOPE}DATA\r\n${"x".repeat(10_485_758)}\r\n.\r\nQUIT\r\n`,
    [250, 250, 250, 354, 250, 221],
    [`${"x".repeat(10_485_758)}\n`],
  ],
  "a command that is too long": [
    `NOOP ${"x".repeat(5000)}\r\nNOOP\r\nQUIT\r\n`,
    [500, 250, 221],
  ],
  "an end of a mail that is none": [
    `${ENVELOPE}DATA\r\nx\n.\nMAIL FROM:<evil@b>\r\n.\nRSET\r\nx\n.\r\n\r.\r\ny\r\n.\r\nQUIT\r\n`,
    [250, 250, 250, 354, 550, 221],
  ],
  "too many recipients": [
    `${HELLO}MAIL FROM:<a@b>\r\n${"RCPT TO:<a@b>\r\n".repeat(101)}QUIT\r\n`,
    [250, 250, ...Array(100).fill(250), 452, 221],
  ],
  "too many mistakes": [
    "X\r\n".repeat(30) + "QUIT\r\n",
    [...Array(20).fill(500), 421],
  ],
  "commands after QUIT": ["QUIT\r\nNOOP\r\n", [221]],
};

post("follows and refuses, whatever a client sends at once", async (post) => {
  for (
    const [name, [input, replies, mails = []]] of Object.entries(DIALOGUES)
  ) {
    const answer = await ask(post, input);
    assertEquals(codes(answer), [220, ...replies], name);
    const got = delivered(post).sort();
    assertEquals(
      got.map((mail) => mail.length),
      mails.toSorted().map((mail) => mail.length),
      name,
    );
    assert(got.every((mail, i) => mail === mails.toSorted()[i]), name);
  }
});

post("stores the bytes of a mail as they came", async (post) => {
  const body = Uint8Array.from({ length: 512 }, (_, i) => i % 256)
    .filter((byte) => byte !== 10 && byte !== 13);
  const head = bytes(`${ENVELOPE}DATA\r\n`);
  const answer = await ask(
    post,
    Uint8Array.of(...head, ...body, ...bytes("\r\n.\r\nQUIT\r\n")),
  );
  assertEquals(codes(answer).at(-2), 250);
  const [{ name }] = Deno.readDirSync(`${post.maildir}/new`);
  const mail = Deno.readFileSync(`${post.maildir}/new/${name}`);
  assertEquals(mail.subarray(-body.length - 1), Uint8Array.of(...body, 10));
  assertEquals(delivered(post).length, 1);
});

post("keeps nothing of a mail whose client leaves", async (post) => {
  {
    using client = await connect(post);
    await client.sendall(bytes(`${ENVELOPE}DATA\r\nbegun\r\n`));
    using file = client.makefile("rb");
    await within(file.readuntil("354 "));
  }
  assertEquals(codes(await ask(post, "QUIT\r\n")), [220, 221]);
  assertEquals(delivered(post), []);
});

Deno.test({
  name: "examples/smtp.ts tells a silent client why it closes the connection",
  ignore: !mayRun,
  fn: () =>
    withPost(async (post) => {
      assertEquals(codes(await ask(post, "NOOP\r\n")), [220, 250, 421]);
    }, "1"),
});

Deno.test({
  name:
    "examples/smtp.ts tells its clients why it closes their connections when it ends",
  ignore: !mayRun,
  fn: () =>
    withPost(async (post) => {
      using client = await connect(post);
      using file = client.makefile("rb");
      assertMatch(text(await within(file.readline())), /^220 /);
      const ended = post.server.end("SIGTERM");
      assertMatch(text(await within(file.read())), /^421 .*\r\n$/);
      assertEquals(await ended, 0);
    }),
});

Deno.test({
  name: "examples/smtp.ts answers 452 to a mail that it cannot store",
  ignore: !mayRun,
  async fn() {
    const maildir = await Deno.makeTempDir();
    await using server = await start(
      "examples/smtp.ts",
      "127.0.0.1",
      "0",
      maildir,
    );
    for (const gone of [`${maildir}/new`, maildir]) {
      await Deno.remove(gone, { recursive: true });
      const answer = await ask({ server, maildir }, `${MAIL}QUIT\r\n`);
      assertEquals(codes(answer), [220, 250, 250, 250, 354, 452, 221]);
    }
    await server.end("SIGINT");
    assertStringIncludes(await server.stderr, "No such file");
  },
});

const SMTPLIB = `
import mailbox, smtplib, sys
from email.message import EmailMessage

mail = EmailMessage()
mail["Subject"], mail["From"], mail["To"] = "Grüße", "a@b.test", "c@d.test"
mail.set_content(".\\n..dots\\n" + "ü" * 3000 + "\\n", cte="8bit")
mail.add_attachment(bytes(range(256)) * 5000, maintype="application", subtype="x")
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=20) as client:
    client.ehlo()
    print(sorted(client.esmtp_features.items()))
    for _ in range(3):
        client.send_message(mail, mail_options=["BODY=8BITMIME"])
    try:
        client.sendmail("a@b", ["c@d"], "x" * 11_000_000)
    except smtplib.SMTPSenderRefused as error:
        print(error.smtp_code)
for got in mailbox.Maildir(sys.argv[2]):
    text, attachment = got.get_payload()
    same = attachment.get_payload(decode=True) == bytes(range(256)) * 5000
    print(got["Return-Path"], got["Envelope-To"], same,
          text.get_payload(decode=True).decode() == ".\\n..dots\\n" + "ü" * 3000 + "\\n")
`;

post("receives the mails of Python's smtplib", async (post) => {
  const args = ["-c", SMTPLIB, post.server.port, post.maildir];
  assertEquals(
    await talk("python3", args, ""),
    "[('8bitmime', ''), ('pipelining', ''), ('size', '10485760')]\n552\n" +
      "<a@b.test> c@d.test True True\n".repeat(3),
  );
  assertEquals(delivered(post).length, 3);
}, !have("python3"));

post("receives the mails of swaks, and of many at once", async (post) => {
  const mail = (body: string) =>
    // deno-fmt-ignore
    talk("swaks", ["--server", `127.0.0.1:${post.server.port}`, "--from", "a@b.test",
      "--to", "c@d.test", "--ehlo", "swaks.test", "--timeout", "20", "--pipeline",
      "--body", body], "");
  const said = await Promise.all(["first", ".second", "third"].map(mail));
  for (const answer of said) assertStringIncludes(answer, "221 goodbye");
  const ends = delivered(post).map((mail) => mail.trimEnd().split("\n").at(-1));
  assertEquals(ends.sort(), [".second", "first", "third"]);
}, !have("swaks"));

post("receives a mail that ncat types", async (post) => {
  const args = ["-C", "127.0.0.1", post.server.port];
  const typed = `${MAIL}QUIT\r\n`.replaceAll("\r\n", "\n");
  assertEquals(codes(await talk("ncat", args, typed)).at(-1), 221);
  assertEquals(delivered(post), [GOT]);
}, !have("ncat"));

const files = ["crt", "key"].map((ending) =>
  new URL(`../testdata/localhost.${ending}`, import.meta.url).pathname
);

const secure = onOneServer<[Post]>(
  "examples/smtp.ts with a certificate serves its clients",
  (tests) => withPost(tests, "20", files),
);

secure("receives mail of swaks over STARTTLS, and without", async (post) => {
  for (const more of [["--tls"], []]) {
    // deno-fmt-ignore
    const said = await talk("swaks", ["--server", `127.0.0.1:${post.server.port}`,
      "--from", "a@b.test", "--to", "c@d.test", "--timeout", "20", "--body", "hi", ...more], "");
    assertEquals(said.includes("<~  250 the mail is stored"), more.length > 0);
    const [{ name }] = Deno.readDirSync(`${post.maildir}/new`);
    const mail = Deno.readTextFileSync(`${post.maildir}/new/${name}`);
    assertEquals(mail.includes("with ESMTPS;"), more.length > 0);
    assertEquals(delivered(post).length, 1);
  }
}, !have("swaks"));

secure("receives mail of smtplib over STARTTLS", async (post) => {
  const program = `
import smtplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
with smtplib.SMTP("localhost", int(sys.argv[1]), timeout=20) as client:
    client.ehlo()
    print("starttls" in client.esmtp_features)
    client.starttls(context=context)
    client.ehlo()
    print("starttls" in client.esmtp_features, client.docmd("STARTTLS")[0])
    client.sendmail("a@b.test", ["c@d.test"], "x" * 5_000_000)
`;
  const args = ["-c", program, post.server.port, files[0]];
  assertEquals(await talk("python3", args, ""), "True\nFalse 503\n");
  assertEquals(delivered(post), [`${"x".repeat(5_000_000)}\n`]);
}, !have("python3"));

secure(
  "forgets what was said before, and offers no STARTTLS again",
  async (post) => {
    const { cafile, ...options } = {
      cafile: files[0],
      serverHostname: "localhost",
    };
    const context = createDefaultContext({ cafile });
    const plain = await connect(post);
    await plain.sendall(bytes(`${ENVELOPE}STARTTLS now\r\nSTARTTLS\r\n`));
    const before = plain.makefile("rb");
    const said = text(
      await within(before.readuntil("220 begin the handshake\r\n")),
    );
    assertEquals(codes(said), [220, 250, 250, 250, 501, 220]);
    assertStringIncludes(said, "STARTTLS");
    using client = await context.wrapSocket(plain, options);
    await client.sendall(
      bytes(`DATA\r\nRCPT TO:<a@b>\r\nMAIL FROM:<a@b>\r\n${HELLO}QUIT\r\n`),
    );
    using file = client.makefile("rb");
    const answer = text(await within(file.read()));
    assertEquals(codes(answer), [503, 503, 503, 250, 221]);
    assert(!answer.includes("STARTTLS"));
  },
);

secure(
  "refuses commands that somebody has put behind STARTTLS",
  async (post) => {
    for (const more of ["RSET\r\n", "MAIL FROM:<evil@b>\r\n", "\0"]) {
      const answer = await ask(post, `${HELLO}STARTTLS\r\n${more}`);
      assertEquals(codes(answer), [220, 250, 220]); // and the connection is closed
    }
    assertEquals(codes(await ask(post, "QUIT\r\n")), [220, 221]);
  },
);
