// The snippets of the quick start, run in Chromium as they stand there: for the page, localhost:8080 is the server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { SignallingClient } from "../../../pkg/client/js/dist/client.mjs";
import { browser, gateways, until } from "./kit.mjs";

const text = readFileSync(new URL("../../../pkg/client/QUICKSTART.md", import.meta.url), "utf8");
const snippets = new Map(
  [...text.matchAll(/<!-- snippet (\S+) -->\n```js\n([\s\S]*?)```/g)].map(([, name, code]) => [name, code]),
);
const io = readFileSync(new URL("node_modules/socket.io-client/dist/socket.io.esm.min.js", import.meta.url));
const importMap = JSON.stringify({ imports: { "socket.io-client": "/socket.io.mjs" } });
const opened = [];

// An author's own web server, at another port: each snippet as the only script of a page.
const site = createServer((request, response) => {
  const [, name] = request.url.split("/");
  const script = snippets.get(name);
  response.setHeader("Content-Type", script ? "text/html" : "text/javascript");
  if (name === "socket.io.mjs") response.end(io);
  else if (!script) response.writeHead(404).end();
  else response.end(`<!doctype html><script type="importmap">${importMap}</script><script type="module">${script}</script>`);
});

let chromium;
const probe = new SignallingClient(`${gateways[0]}/ws`, { WebSocket });

/** Waits until the snippets' room is there, or is not. */
const lobby = (there) =>
  until(`the room is ${there ? "there" : "gone"}`, async () => {
    const joined = await probe.joinRoom("lobby").then(() => true, () => false);
    if (joined) await probe.leaveRoom("lobby").catch(() => {});
    return joined === there;
  });

before(async () => {
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const server = new URL(gateways[0]).host;
  chromium = await browser({ args: [`--host-resolver-rules=MAP localhost:8080 ${server}`] });
});
after(async () => {
  probe.close();
  await chromium?.close();
  site.close();
});

/** Opens a page with the snippet as its only script. Its lines are what it logs. */
async function run(name) {
  const context = await chromium.newContext();
  const page = await context.newPage();
  const shown = { lines: [], errors: [], close: () => context.close() };
  opened.push(shown);
  page.on("console", (message) => shown.lines.push(message.text()));
  page.on("pageerror", (error) => shown.errors.push(String(error)));
  await page.goto(`http://localhost:${site.address().port}/${name}`);
  return shown;
}

/** Resolves with true once somebody who runs the other snippet has the owner's word. */
const greeted = (shown) =>
  until("a greeting", () => shown.lines.some((line) => /^\S+ says hello$/.test(line))).catch(({ message }) => {
    throw new Error(`${message}: ${JSON.stringify(shown)}`);
  });

test("there are three, of ten lines at most", () => {
  assert.deepEqual([...snippets.keys()], ["sdk", "websocket", "socket.io"]);
  for (const [name, code] of snippets) assert.ok(code.trimEnd().split("\n").length <= 10, name);
});

for (const name of snippets.keys()) {
  test(`two with ${name}`, async () => {
    const owner = await run(name);
    await lobby(true); // of two that come at once, each would create it
    const guest = await run(name);
    await greeted(guest);
    if (name === "sdk") await greeted(owner); // each greets each
    await end();
  });
}

test("plain WebSocket and socket.io-client in one room", async () => {
  await run("websocket");
  await lobby(true);
  await greeted(await run("socket.io"));
  await end();
});

/** Closes all pages, and waits until their room is gone. */
async function end() {
  for (const page of opened.splice(0)) {
    assert.deepEqual(page.errors, []);
    await page.close();
  }
  await lobby(false);
}
