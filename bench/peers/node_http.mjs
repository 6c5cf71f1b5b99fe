// A small answer and the files of a directory on node:http, as examples/http.ts has them. Runs in Node and in Deno.

import { createReadStream, realpath, stat } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";

const [port = "0", root = "."] = process.argv.slice(2);

function sendFile(path, response) {
  const missing = () => response.writeHead(404).end();
  realpath(`${root}/${decodeURIComponent(path)}`, (error, real) => {
    if (error || !real.startsWith(`${root}/`)) return missing();
    stat(real, (error, info) => {
      if (error || !info.isFile()) return missing();
      response.writeHead(200, {
        "Content-Type": "text/plain",
        "Content-Length": info.size,
        "Last-Modified": info.mtime.toUTCString(),
        "Accept-Ranges": "bytes",
      });
      createReadStream(real).pipe(response);
    });
  });
}

const server = createServer((request, response) => {
  if (request.url !== "/") return sendFile(request.url, response);
  const headers = { "Content-Type": "text/plain", "Content-Length": 13 };
  response.writeHead(200, headers).end("hello, world\n");
});
server.listen(Number(port), "127.0.0.1", () => {
  console.log(server.address().port);
});
