// How the SDK comes back to its session, under Node, against servers that follow a script: what they say is exact, and so is
// what they must be told.
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { PeerMesh, PROTOCOL } from "../../../pkg/client/js/dist/client.mjs";
import { until } from "./kit.mjs";
import { client, closeAll, code, fake, saw, unhandled } from "./sdk.mjs";

afterEach(closeAll);
after(() => assert.deepEqual(unhandled, []));

/** A server whose i-th connection follows the i-th script; more are refused. Errors of a script fail the test by done(). */
async function scripted(...scripts) {
  const over = [];
  let next = 0;
  const server = await fake((ws) => {
    const script = scripts[next++];
    if (!script) return ws.terminate();
    const frames = [];
    const readers = [];
    ws.on("message", (text) => {
      const frame = JSON.parse(text);
      if (readers.length) readers.shift()(frame);
      else frames.push(frame);
    });
    const closed = new Promise((resolve) => ws.on("close", resolve));
    const peer = {
      closed,
      frames,
      end: () => ws.terminate(),
      close: (code) => ws.close(code),
      send: (...all) => all.forEach((frame) => ws.send(JSON.stringify(frame))),
      next: () => (frames.length ? Promise.resolve(frames.shift()) : new Promise((resolve) => readers.push(resolve))),
      async expect(...all) {
        for (const frame of all) assert.deepEqual(await peer.next(), frame);
      },
    };
    over.push(script(peer));
  });
  return {
    url: server.url,
    async done() {
      await until("all connections", () => next >= scripts.length);
      await Promise.all(over);
      server.stop();
    },
  };
}

function gate() {
  let open;
  const passed = new Promise((resolve) => (open = resolve));
  return { open, passed };
}

const hello = (id, token, window = 60_000) => ({
  event: "welcome", clientId: id, protocol: PROTOCOL, maxMessageBytes: 262_144, resume: token, resumeWindow: window,
});
const ask = (token, received) => ({ event: "resume", id: 0, token, received });
const resumed = (token, received, seq, fields = {}) => ({
  event: "resumed", id: 0, clientId: "me", received, seq, missed: false, rooms: [], resume: token, resumeWindow: 60_000, ...fields,
});
const refused = (errorCode) => ({ event: "error", id: 0, message: "no", code: errorCode });
const signal = (id, data) => ({ event: "signal-send", id, room: "r", targetId: "x", data });
const heard = (n) => ({ event: "signal-receive", room: "r", senderId: "x", data: n });
const picture = (fields) => ({ event: "room-joined", room: "r", ownerId: "x", clients: ["x"], resumed: true, ...fields });

/** The first connection: the client is "me" in room "r" with "x", by command 1. Two frames are counted with the next. */
async function enter(peer) {
  peer.send(hello("me", "t1"));
  await peer.expect({ event: "room-join", id: 1, room: "r" });
  peer.send({ event: "room-joined", id: 1, room: "r", ownerId: "x", clients: ["x"] });
}

test("what was missed comes once and in order; what the server has not got is sent again", async () => {
  const server = await scripted(
    async (peer) => {
      await enter(peer);
      peer.send(heard(1));
      await peer.expect(signal(2, "a"), signal(3, "b"), { event: "room-create", id: 4, room: "s" });
      peer.end();
    },
    async (peer) => {
      peer.send(hello("new", "unused"));
      await peer.expect(ask("t1", 2));
      peer.send(resumed("t2", 2, 2), heard(2), heard(3));
      await peer.expect(signal(3, "b"), { event: "room-create", id: 4, room: "s" }, signal(5, "while away"), signal(6, "now"));
      peer.send({ event: "room-created", id: 4, room: "s" });
      await peer.next(); // what the test sends when all is well
      peer.end();
    },
    async (peer) => {
      peer.send(hello("newer", "unused"), { event: "unknown" });
      await peer.expect(ask("t2", 5));
      peer.send(resumed("t3", 7, 5));
      await peer.closed;
    },
  );
  const c = client(server.url);
  const data = [];
  c.on("signal", (event) => data.push(event.data));
  await c.joinRoom("r");
  await until("the first signal", () => data.length === 1);
  void c.signal("r", "x", "a");
  void c.signal("r", "x", "b");
  const creating = c.createRoom("s");
  const { resumable } = await saw(c, "down");
  assert.ok(resumable);
  assert.equal(c.id, "me");
  assert.deepEqual([...c.rooms.keys()], ["r"]);
  void c.signal("r", "x", "while away");
  await saw(c, "resumed", { clientId: "me", missed: false });
  void c.signal("r", "x", "now");
  assert.equal((await creating).ownerId, "me");
  await until("what was missed", () => data.length === 3);
  assert.deepEqual(data, [1, 2, 3]);
  void c.signal("r", "x", "all is well");
  await until("again", () => c.log.filter((e) => e.name === "resumed").length === 2);
  assert.equal(c.log.filter((e) => e.name === "open").length, 1);
  assert.ok(!c.log.some((e) => ["room-left", "client-left", "room-gone"].includes(e.name)));
  c.close();
  await server.done();
});

test("signals stay kept after they count as sent, within bounds", async () => {
  const counted = gate(); // all of the first signals count as sent
  const away = gate(); // all is said that is said without a connection
  const server = await scripted(
    async (peer) => {
      await enter(peer);
      while ((await peer.next()).data !== 599);
      await counted.passed;
      peer.end();
    },
    async (peer) => {
      await away.passed;
      peer.send(hello("new", "unused"));
      await peer.expect(ask("t1", 1));
      peer.send(resumed("t2", 1, 1));
      for (let n = 88; n < 600; n++) assert.equal((await peer.next()).data, n);
      for (let n = 0; n < 512; n++) assert.equal((await peer.next()).data, `away ${n}`);
      await peer.expect({ event: "room-leave", id: 1115, room: "r" }); // and nothing else before it
      peer.send({ event: "room-left", id: 1115, room: "r", kicked: false });
      await peer.closed;
    },
  );
  const c = client(server.url, { signalGrace: 10 });
  await c.joinRoom("r");
  await Promise.all(Array.from({ length: 600 }, (_, n) => c.signal("r", "x", n)));
  counted.open();
  await saw(c, "down");
  const kept = Array.from({ length: 512 }, (_, n) => c.signal("r", "x", `away ${n}`));
  await assert.rejects(c.signal("r", "x", "too much"), code("disconnected"));
  away.open();
  await saw(c, "resumed");
  await Promise.all(kept);
  await c.leaveRoom("r");
  c.close();
  await server.done();
});

test("an answer that is lost costs nothing: the token is shown again, and the newest is used", async () => {
  const lose = async (peer) => {
    peer.send(hello("new", "unused"));
    await peer.expect(ask("t1", 1));
    peer.end();
  };
  const server = await scripted(
    async (peer) => {
      await enter(peer);
      peer.end();
    },
    lose,
    lose,
    async (peer) => {
      peer.send(hello("new", "unused"));
      await peer.expect(ask("t1", 1));
      peer.send(resumed("t2", 1, 1));
      peer.close(1011);
    },
    async (peer) => {
      peer.send(hello("new", "unused"));
      await peer.expect(ask("t2", 1));
      peer.send(resumed("t3", 1, 1));
      await peer.closed;
    },
  );
  const c = client(server.url);
  await c.joinRoom("r");
  await until("twice", () => c.log.filter((e) => e.name === "resumed").length === 2);
  assert.equal(c.id, "me");
  c.close();
  await server.done();
});

test("not now is asked again later; a session that has ended is told, and its rooms entered anew", async () => {
  const server = await scripted(
    async (peer) => {
      await enter(peer);
      await peer.expect(signal(2, "lost with it"));
      peer.end();
    },
    async (peer) => {
      peer.send(hello("other", "u1"));
      await peer.expect(ask("t1", 1));
      peer.send(refused("unavailable"));
      assert.equal(await peer.closed, 1000); // so that nothing is kept of "other"
    },
    async (peer) => {
      peer.send(hello("new", "u2"));
      await peer.expect(ask("t1", 1));
      peer.send(refused("unauthorized"));
      await peer.expect({ event: "room-join", id: 4, room: "r" });
      peer.send({ event: "room-joined", id: 4, room: "r", ownerId: "x", clients: ["x"] });
      peer.end();
    },
    async (peer) => {
      peer.send(hello("newer", "unused"));
      await peer.expect(ask("u2", 2)); // the refusal counts
      peer.send(resumed("u3", 1, 2, { clientId: "new" }));
      await peer.closed;
    },
  );
  const c = client(server.url);
  await c.joinRoom("r");
  const signalled = c.signal("r", "x", "lost with it");
  await saw(c, "down");
  const waiting = c.signal("r", "x", "waits");
  await assert.rejects(signalled, code("disconnected"));
  await assert.rejects(waiting, code("disconnected"));
  await saw(c, "open", { clientId: "new", reconnected: true });
  await saw(c, "room-joined", { restored: true });
  await saw(c, "resumed", { clientId: "new" });
  assert.deepEqual([...c.rooms.keys()], ["r"]);
  c.close();
  await server.done();
});

test("a connection that is given up leaves the session; a join that was not waited for is undone", async () => {
  const server = await scripted(
    async (peer) => {
      await enter(peer);
      await peer.expect({ event: "room-join", id: 2, room: "slow" });
      assert.equal(await peer.closed, 3008);
    },
    async (peer) => {
      peer.send(hello("new", "unused"));
      await peer.expect(ask("t1", 1));
      peer.send(resumed("t2", 2, 1), { event: "room-joined", id: 2, room: "slow", ownerId: "x", clients: ["x"] });
      await peer.expect({ event: "room-leave", room: "slow" });
      peer.send(heard("undone"));
      await peer.closed;
    },
  );
  const c = client(server.url, { answerTimeout: 200 });
  await c.joinRoom("r");
  await assert.rejects(c.joinRoom("slow"), code("timeout"));
  assert.equal((await c.once("signal")).data, "undone");
  assert.deepEqual([...c.rooms.keys()], ["r"]);
  c.close();
  await server.done();
});

test("a dead gateway: what is in doubt is settled by the rooms as they are, and told as it has changed", async () => {
  const now = { onOwnerLost: "transfer", locked: true, password: false };
  const server = await scripted(
    async (peer) => {
      await enter(peer);
      for (const [id, room] of [[2, "left"], [3, "gone"], [4, "stays"]]) {
        await peer.expect({ event: "room-join", id, room });
        peer.send({ event: "room-joined", id, room, ownerId: "x", clients: ["x"] });
      }
      await peer.expect({ event: "room-create", id: 5, room: "made", options: { password: "p" } });
      await peer.expect({ event: "room-create", id: 6, room: "unmade" });
      await peer.expect({ event: "room-leave", id: 7, room: "left" }, { event: "room-leave", id: 8, room: "stays" });
      await peer.expect({ event: "room-kick", id: 9, room: "r", targetId: "y" });
      await peer.expect(signal(10, "in doubt"));
      peer.end();
    },
    async (peer) => {
      peer.send(hello("new", "unused"));
      await peer.expect(ask("t1", 4));
      peer.send(resumed("t2", 0, 9, { missed: true, rooms: ["r", "made", "stays"] }));
      await peer.expect({ event: "room-create", id: 6, room: "unmade" }, { event: "room-leave", id: 8, room: "stays" });
      await peer.expect({ event: "room-kick", id: 9, room: "r", targetId: "y" }, signal(11, "while away"));
      peer.send(
        { event: "room-created", id: 6, room: "unmade" },
        { event: "room-left", id: 8, room: "stays", kicked: false },
        { event: "target-not-found", id: 9, room: "r", targetId: "y" },
        picture({ clients: ["z", "x"], ownerId: "z", options: now }),
        picture({ room: "made", ownerId: "me", clients: [], options: { onOwnerLost: "close", locked: false, password: true } }),
      );
      await peer.closed;
    },
  );
  const c = client(server.url);
  for (const room of ["r", "left", "gone", "stays"]) await c.joinRoom(room);
  const made = c.createRoom("made", { password: "p" });
  const unmade = c.createRoom("unmade");
  const leaving = [c.leaveRoom("left"), c.leaveRoom("stays"), c.kick("r", "y")];
  const doubtful = c.signal("r", "x", "in doubt");
  await saw(c, "down");
  void c.signal("r", "x", "while away");
  await assert.rejects(doubtful, code("unavailable"));
  await saw(c, "resumed", { missed: true });
  await Promise.all(leaving);
  assert.deepEqual([(await made).ownerId, (await made).options.password, (await unmade).ownerId], ["me", true, "me"]);
  await saw(c, "room-updated", { room: "r" });
  const told = c.log.slice(c.log.findIndex((e) => e.name === "resumed") + 1).map(({ name, room, kicked, clientId, ownerId, options }) =>
    [name, room?.name ?? room, kicked ?? clientId ?? ownerId ?? options?.locked].filter((x) => x !== undefined).join(" "),
  );
  assert.deepEqual(told.sort(), [
    "client-joined r z", "owner-changed r z", "room-joined made", "room-joined unmade", "room-left gone true", "room-left left false",
    "room-left stays false", "room-updated r true",
  ]);
  assert.deepEqual([...c.rooms.keys()].sort(), ["made", "r", "unmade"]);
  assert.deepEqual([c.rooms.get("r").clients, c.rooms.get("r").options], [["z", "x"], now]);
  c.close();
  await server.done();
});

test("the window ends while there is no connection: the session is given up", async () => {
  const server = await scripted(
    async (peer) => {
      peer.send(hello("me", "t1", 300));
      await peer.expect({ event: "room-join", id: 1, room: "r" });
      peer.send({ event: "room-joined", id: 1, room: "r", ownerId: "x", clients: [] });
      peer.end();
    },
    ...Array(8).fill(async (peer) => peer.end()),
    async (peer) => {
      peer.send(hello("new", "t2"));
      assert.equal((await peer.next()).event, "room-join");
      await peer.closed;
    },
  );
  const c = client(server.url, { reconnect: { min: 100, max: 100 } });
  await c.joinRoom("r");
  await saw(c, "down", { resumable: true });
  const waiting = c.signal("r", "x", 1);
  await assert.rejects(waiting, code("disconnected"));
  await saw(c, "down", { resumable: false });
  assert.equal(c.rooms.size, 0);
  await saw(c, "open", { clientId: "new", reconnected: true });
  c.close();
  await server.done();
});

test("several addresses are tried in turn; a gateway that stops sends elsewhere at once", async () => {
  const second = await scripted(async (peer) => {
    peer.send(hello("new", "unused"));
    await peer.expect(ask("t1", 0));
    peer.send(resumed("t2", 0, 0));
    await peer.closed;
  });
  const first = await scripted(async (peer) => {
    peer.send(hello("me", "t1"));
    peer.send({ event: "going-away", retryAfter: 20 });
    peer.close(1001);
  });
  const c = client(["ws://127.0.0.1:1/ws", first.url, second.url], { reconnect: { min: 1000, max: 1000 } });
  void c.connect();
  const { delay } = await saw(c, "down");
  assert.ok(delay >= 500);
  await saw(c, "resumed", { clientId: "me" });
  const away = await saw(c, "down", { code: 1001 });
  assert.ok(away.resumable && away.delay >= 70 && away.delay <= 120, `${away.delay}`);
  c.close();
  await Promise.all([first.done(), second.done()]);
});

test("resume can be turned off, and inspectors are shown no tokens", async () => {
  const server = await scripted(
    async (peer) => {
      await enter(peer);
      peer.end();
    },
    async (peer) => {
      peer.send(hello("new", "secret"));
      assert.equal((await peer.next()).event, "room-join");
      await peer.closed;
    },
  );
  const c = client(server.url, { resume: false });
  await c.joinRoom("r");
  await saw(c, "down", { resumable: false });
  await saw(c, "open", { clientId: "new" });
  c.close();
  await server.done();

  const keeping = await scripted(
    async (peer) => {
      peer.send(hello("me", "secret1"));
      peer.end();
    },
    async (peer) => {
      peer.send(hello("new", "secret2"));
      await peer.expect(ask("secret1", 0));
      peer.send(resumed("secret3", 0, 0));
      await peer.closed;
    },
  );
  const d = client(keeping.url);
  const shown = [];
  d.on("frame", ({ text }) => shown.push(text));
  void d.connect();
  await saw(d, "resumed");
  assert.deepEqual(shown.map((text) => JSON.parse(text).event), ["welcome", "welcome", "resume", "resumed"]);
  assert.doesNotMatch(shown.join(), /secret/);
  d.close();
  await keeping.done();
});

test("a mesh takes each description once, and candidates while their description is being taken", async () => {
  const taken = [];
  let finish;
  /** A connection that takes its time. */
  class Slow {
    signalingState = "stable";
    connectionState = "new";
    restartIce() {}
    close() {}
    getSenders = () => [];
    createDataChannel = () => ({ readyState: "connecting" });
    async setRemoteDescription({ type, sdp }) {
      taken.push(`${type} ${sdp}`);
      await new Promise((resolve) => (finish = resolve));
      this.signalingState = type === "offer" ? "have-remote-offer" : "stable";
    }
    async setLocalDescription() {
      const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
      this.signalingState = type === "offer" ? "have-local-offer" : "stable";
      this.localDescription = { type, toJSON: () => ({ type, sdp: "mine" }) };
    }
    async addIceCandidate(init) {
      taken.push(init.candidate);
    }
  }
  const from = (data) => ({ event: "signal-receive", room: "r", senderId: "x", data });
  const offer = { type: "offer", sdp: "theirs", offer: 0.5 };
  const server = await scripted(async (peer) => {
    peer.send(hello("me", "t1"));
    await peer.expect({ event: "room-create", id: 1, room: "r" });
    peer.send({ event: "room-created", id: 1, room: "r" }, { event: "client-joined", room: "r", clientId: "x" });
    peer.send(from({ candidate: "of an offer that was lost" }), from(offer), from({ candidate: "early" }), from(offer));
    const answer = await peer.next();
    assert.deepEqual(answer.data, { type: "answer", sdp: "mine", offer: 0.5 });
    peer.send(from({ type: "answer", sdp: "to nothing", offer: 0.7 }), from({ candidate: "late" }));
    await peer.closed;
  });
  const c = client(server.url);
  const mesh = new PeerMesh(c, "r", { RTCPeerConnection: Slow });
  const faults = [];
  mesh.on("error", ({ error }) => faults.push(error));
  await c.createRoom("r");
  await until("the early candidate", () => taken.includes("early"));
  finish();
  await until("the late one", () => taken.includes("late"));
  assert.deepEqual([taken, faults], [["offer theirs", "early", "late"], []]);
  c.close();
  await server.done();
});
