// A page of another site tries to use the visitor's browser against the gateway.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { browser, gateways } from "./kit.mjs";

let chromium;
let site;
before(async () => {
  chromium = await browser();
  site = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>evil"));
  await new Promise((listening) => site.listen(0, "127.0.0.1", listening));
});
after(async () => {
  await chromium?.close();
  site?.close();
});

/** What a page gets from the gateway by all ways. `localhost` is another host than 127.0.0.1, and so another origin. */
async function attempt(origin) {
  const page = await (await chromium.newContext()).newPage();
  await page.goto(origin);
  return page.evaluate(async (gateway) => {
    const socket = (path) =>
      new Promise((done) => {
        const ws = new WebSocket(gateway.replace("http", "ws") + path);
        ws.onmessage = ({ data }) => done(`got ${data.slice(0, 9)}`);
        ws.onclose = ({ code }) => done(`closed ${code}`);
      });
    const page = (path) => fetch(gateway + path).then((r) => r.text(), () => "failed");
    return {
      native: await socket("/ws"),
      socketio: await socket("/socket.io/?EIO=4&transport=websocket"),
      polling: (await page("/socket.io/?EIO=4&transport=polling")).slice(0, 8),
      ice: (await page("/ice-servers")).slice(0, 8),
    };
  }, gateways[0]);
}

test("a foreign page gets nothing by any way", async () => {
  const got = await attempt(`http://localhost:${site.address().port}/`);
  assert.deepEqual(got, { native: "closed 1006", socketio: "closed 1006", polling: "failed", ice: "failed" });
});

test("a page of the gateway's host gets in by all of them", async () => {
  const got = await attempt(`http://127.0.0.1:${site.address().port}/`);
  assert.deepEqual(got, { native: 'got {"event":', socketio: 'got 0{"sid":"', polling: '0{"sid":', ice: '{"event"' });
});
