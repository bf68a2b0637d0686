// PeerMesh in Chromium: what the demo page does not do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "./kit.mjs";
import { both, connected, end, member as memberOf } from "./mesh.mjs";

let chromium;
let names = 0;

before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

const member = (room, i, options, from = chromium) => memberOf(from, room, i, options);

async function pair(options) {
  const room = `mesh ${Date.now()} ${++names}`;
  const pages = [await member(room, 0, options)];
  pages.push(await member(room, 1, options));
  await connected(pages);
  return pages;
}

test("data channels: by label, binary, and opened later", async () => {
  const pages = await pair({ channels: ["chat", "files"] });
  const [a, b] = pages;
  await both(pages, () => until(() => [...mesh.peers.values()][0].channels.size === 2));
  await a.evaluate(() => {
    mesh.send("first label");
    mesh.send(new Uint8Array([1, 2, 3]), "files");
    [...mesh.peers.values()][0].createChannel("late", { ordered: false });
  });
  await b.evaluate(() => until(() => seen.messages.length === 2 && [...mesh.peers.values()][0].channels.has("late")));
  const messages = await b.evaluate(() =>
    seen.messages.map(({ label, data }) => [label, typeof data === "string" ? data : [...new Uint8Array(data)]]),
  );
  assert.deepEqual(messages.sort(), [["chat", "first label"], ["files", [1, 2, 3]]]);
  assert.equal(await a.evaluate(() => mesh.send("x", "no such label")), 0);
  await end(pages);
});

test("who joins makes the offer; candidates trickle and end", async () => {
  const pages = await pair();
  const sent = await both(pages, () =>
    until(() => seen.frames.some((f) => f.event === "signal-send" && JSON.stringify(f.data) === "{}")).then(() =>
      seen.frames.filter((f) => f.event === "signal-send").map((f) => f.data.type ?? (f.data.candidate ? "candidate" : "end")),
    ),
  );
  assert.equal(sent[0][0], "answer");
  assert.equal(sent[1][0], "offer");
  for (const list of sent) {
    assert.ok(list.includes("candidate"), list.join());
    assert.ok(list.lastIndexOf("candidate") < list.lastIndexOf("end"), list.join());
  }
  await end(pages);
});

test("glare: both sides change things at once, again and again", async () => {
  const pages = await pair();
  // What a page signals waits until both have made their offer: neither has seen the other's when it comes.
  await both(pages, () => {
    const signal = client.signal.bind(client);
    globalThis.held = null;
    globalThis.release = () => {
      const waiting = held;
      held = null;
      for (const { go } of waiting) go();
    };
    client.signal = async (room, to, data) => {
      if (held) await new Promise((go) => held.push({ data, go }));
      return signal(room, to, data);
    };
  });
  const ROUNDS = 6;
  for (let round = 1; round <= ROUNDS; round++) {
    await both(pages, () => {
      globalThis.held = [];
      const stream = picture();
      mesh.addTrack(stream.getTracks()[0], stream);
    });
    await both(pages, () => until(() => held.some(({ data }) => data.type === "offer")));
    await both(pages, () => release());
    await both(pages, (count) => until(() => seen.tracks.length === count), round);
    await both(pages, () => until(() => [...mesh.peers.values()].every((p) => p.connection.signalingState === "stable")));
  }
  const offers = await both(pages, () => seen.frames.filter((f) => f.event === "signal-send" && f.data.type === "offer").length);
  for (const count of offers) assert.ok(count >= ROUNDS, `offers: ${offers}`);
  await end(pages);
});

test("tracks: added before and after, replaced without negotiation, removed", async () => {
  const pages = await pair();
  const [a, b] = pages;
  await a.evaluate(() => {
    globalThis.first = picture();
    mesh.addTrack(first.getTracks()[0], first);
  });
  await b.evaluate(() => until(() => seen.tracks.length === 1));
  const decodes = () =>
    b.evaluate(async () => {
      const video = document.createElement("video");
      video.muted = true;
      video.srcObject = new MediaStream([seen.tracks[0].track]);
      await video.play();
      const start = video.getVideoPlaybackQuality().totalVideoFrames;
      await until(() => video.getVideoPlaybackQuality().totalVideoFrames > start + 3);
      video.srcObject = null;
    });
  await decodes();
  const offers = () => a.evaluate(() => seen.frames.filter((f) => f.data?.type === "offer").length);
  const before = await offers();
  await a.evaluate(async () => {
    globalThis.second = picture();
    await mesh.replaceTrack(first.getTracks()[0], second.getTracks()[0]);
  });
  await decodes();
  assert.equal(await offers(), before);
  await b.evaluate(() => {
    globalThis.muted = new Promise((done) => (seen.tracks[0].track.onmute = () => done()));
  });
  await a.evaluate(() => mesh.removeTrack(second.getTracks()[0]));
  await b.evaluate(() => muted);
  // Who comes later gets what is sent now.
  await a.evaluate(() => mesh.addTrack(second.getTracks()[0], second));
  const third = await member(await a.evaluate(() => mesh.room), 3);
  await third.evaluate(() => until(() => seen.tracks.length === 1));
  await end([...pages, third]);
});

test("a connection that dies is restarted, and found again", async () => {
  const room = `mesh ${Date.now()} ${++names}`;
  const other = await browser();
  try {
    const here = await member(room, 0, { disconnectedGrace: 300 });
    const there = await member(room, 1, {}, other);
    await connected([here, there]);
    const fragment = () => here.evaluate(() => /ice-ufrag:(\S+)/.exec([...mesh.peers.values()][0].connection.localDescription.sdp)[1]);
    const before = await fragment();
    other.freeze(true);
    // Nothing comes from there any more, until this side has begun to look for another way.
    await here.evaluate(() => until(() => seen.states.some((s) => s === "disconnected" || s === "failed")));
    await here.evaluate(() => until(() => seen.frames.some((f) => f.event === "signal-send" && f.data.type === "offer")));
    other.freeze(false);
    await connected([here, there]);
    assert.notEqual(await fragment(), before, "no restart was seen");
    await both([here, there], () => mesh.send("alive"));
    await both([here, there], () => until(() => seen.messages.length === 1));
    await end([here, there]);
  } finally {
    other.freeze(false);
    await other.close();
  }
});

test("leave, kick and close end the connections and forget the peers", async () => {
  const room = `mesh ${Date.now()} ${++names}`;
  const pages = [];
  for (let i = 0; i < 4; i++) pages.push(await member(room, i));
  const [owner, leaver, closer, stayer] = pages;
  await connected(pages, 3);
  await both(pages, () => {
    globalThis.connections = [...mesh.peers.values()].map((p) => p.connection);
  });
  const over = (page, reason) =>
    page.evaluate(async (expected) => {
      await until(() => seen.ends.length === 1);
      const open = connections.filter((c) => c.connectionState !== "closed").length;
      return { ended: seen.ends[0] === expected, open, peers: mesh.peers.size, closed: mesh.closed };
    }, reason);
  const clean = { ended: true, open: 0, peers: 0, closed: true };
  await leaver.evaluate(() => client.leaveRoom(mesh.room));
  assert.deepEqual(await over(leaver, "left"), clean);
  await connected([owner, closer, stayer], 2);
  await closer.evaluate(() => mesh.close());
  assert.deepEqual(await over(closer, "closed"), clean);
  assert.equal(await closer.evaluate(() => client.rooms.size), 1);
  await owner.evaluate(() => client.close());
  assert.deepEqual(await over(owner, "closed"), clean);
  assert.deepEqual(await over(stayer, "kicked"), clean);
  await end(pages);
});

test("a mesh that is made late misses nobody", async () => {
  const room = `mesh ${Date.now()} ${++names}`;
  const pages = [await member(room, 0)];
  // The owner's mesh is made anew only after the other has called.
  await pages[0].evaluate(() => mesh.close());
  pages.push(await member(room, 1));
  await pages[1].evaluate(() => until(() => seen.frames.some((f) => f.data?.type === "offer")));
  await pages[0].evaluate(async () => {
    await until(() => client.rooms.get(mesh.room).clients.length === 1);
    const { PeerMesh } = await import("/client.mjs");
    globalThis.mesh = new PeerMesh(client, mesh.room);
  });
  await connected(pages);
  await end(pages);
});
