// PeerMesh in Chromium, while gateways that keep sessions stop and die under it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, control } from "./kit.mjs";
import { both, connected, end, member } from "./mesh.mjs";

let chromium;

before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

/** Nobody has left, and each page has the connections that it had. */
async function untouched(pages) {
  for (const page of pages) {
    const facts = await page.evaluate(() => ({
      left: seen.left,
      ended: seen.ends,
      states: connections.map((c) => c.connectionState),
      same: [...mesh.peers.values()].filter((p) => connections.includes(p.connection)).length,
      id: client.id === id,
    }));
    assert.deepEqual(facts, { left: 0, ended: [], states: ["connected"], same: 1, id: true });
  }
}

for (const how of ["stop", "kill"]) {
  test(`a gateway is told to ${how} under a call: the call stays, changes, and takes others in`, async () => {
    const room = `mesh ${how} ${Date.now()}`;
    const pages = [await member(chromium, room, 0), await member(chromium, room, 1)];
    const [here, there] = pages;
    await connected(pages);
    await both(pages, () => {
      globalThis.connections = [...mesh.peers.values()].map((p) => p.connection);
      globalThis.id = client.id;
    });
    const ending = control(`${how}/0`);
    await here.evaluate(() => until(() => seen.downs));
    // What is said and shown meanwhile goes on its way as soon as there is one.
    await both(pages, () => {
      mesh.send("meanwhile");
      const stream = picture();
      mesh.addTrack(stream.getTracks()[0], stream);
    });
    await both(pages, () => until(() => seen.messages.length === 1 && seen.tracks.length === 1));
    await here.evaluate(() => until(() => seen.resumed));
    await ending;
    await untouched(pages);
    const third = await member(chromium, room, 3);
    await connected([...pages, third], 2);
    await third.evaluate(() => until(() => seen.tracks.length === 2));
    await control("start/0");
    await end([...pages, third]);
  });
}

test("a gateway dies while two look for each other: they find each other", async () => {
  for (let round = 0; round < 4; round++) {
    const room = `mesh early ${round} ${Date.now()}`;
    const there = await member(chromium, room, 0); // the owner creates the room: its gateway is the one that dies
    const here = await member(chromium, room, 1);
    const wait = ["offer", "answer"][round % 2];
    await (round < 2 ? here : there).evaluate((type) => until(() => seen.frames.some((f) => f.data?.type === type)), wait);
    await control("kill/0");
    await connected([here, there]);
    await control("start/0");
    await end([here, there]);
  }
});
