// What the tests of PeerMesh share.
import assert from "node:assert/strict";
import { gateways } from "./kit.mjs";

/** A page at the i-th gateway with a client and a mesh in `room`, made before it enters; the first one creates it. */
export async function member(browser, room, i, options = {}) {
  const page = await (await browser.newContext()).newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  await page.goto(`${gateways[i % gateways.length]}/client.d.ts`); // no program of its own
  const addresses = gateways.map((_, k) => `${gateways[(i + k) % gateways.length]}/ws`); // its own first
  await page.evaluate(setUp, { room, options, addresses, create: i === 0 });
  return page;
}

/** Runs in the page. */
async function setUp({ room, options, addresses, create }) {
  const { PeerMesh, SignallingClient } = await import("/client.mjs");
  const client = new SignallingClient(addresses, { reconnect: { min: 200, max: 1000 } });
  const mesh = new PeerMesh(client, room, options);
  const seen = { states: [], tracks: [], messages: [], errors: [], ends: [], frames: [], left: 0, downs: 0, resumed: 0 };
  mesh.on("state", ({ state }) => seen.states.push(state));
  mesh.on("track", ({ track, streams }) => seen.tracks.push({ kind: track.kind, stream: streams[0]?.id, track }));
  mesh.on("message", ({ label, data }) => seen.messages.push({ label, data }));
  mesh.on("error", ({ error }) => seen.errors.push(String(error)));
  mesh.on("closed", ({ reason }) => seen.ends.push(reason));
  mesh.on("peer-left", () => seen.left++);
  client.on("down", () => seen.downs++);
  client.on("resumed", () => seen.resumed++);
  client.on("frame", ({ text }) => seen.frames.push(JSON.parse(text)));
  globalThis.until = async (check) => {
    const end = Date.now() + 20_000;
    while (!(await check())) {
      if (Date.now() > end) throw new Error(`not within 20 s: ${check}; ${JSON.stringify(seen.states)} ${seen.errors}`);
      await new Promise((resume) => setTimeout(resume, 20));
    }
  };
  /** A picture that moves. */
  globalThis.picture = () => {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d");
    setInterval(() => {
      context.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`;
      context.fillRect(0, 0, canvas.width, canvas.height);
    }, 50);
    return canvas.captureStream(10);
  };
  Object.assign(globalThis, { client, mesh, seen });
  await (create ? client.createRoom(room) : client.joinRoom(room));
}

export const both = (pages, run, argument) => Promise.all(pages.map((page) => page.evaluate(run, argument)));
export const connected = (pages, others = 1) =>
  both(
    pages,
    (count) => until(() => mesh.peers.size === count && [...mesh.peers.values()].every((p) => p.state === "connected" && p.channels.size > 0)),
    others,
  );

/** Closes the pages; nothing may have gone wrong in any. */
export async function end(pages) {
  for (const page of pages) {
    assert.deepEqual(await page.evaluate(() => seen.errors), []);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  }
}
