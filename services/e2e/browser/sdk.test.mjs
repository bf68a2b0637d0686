// The browser SDK under Node, against real servers.
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import WebSocket from "ws";
import { PeerMesh, reconnectAfter, SignallingClient } from "../../../pkg/client/js/dist/client.mjs";
import { control, gateways, until } from "./kit.mjs";
import { aRoom, client, clients, closeAll, code, fake, saw, unhandled, welcome } from "./sdk.mjs";

afterEach(closeAll);
after(() => assert.deepEqual(unhandled, []));

test("create, join, signal and leave settle by their answers, and the others are told", async () => {
  const room = aRoom();
  const owner = client(0);
  const guest = client(1);
  const created = await owner.createRoom(room);
  assert.deepEqual([created.name, created.ownerId, created.clients], [room, owner.id, []]);
  const joined = await guest.joinRoom(room);
  assert.deepEqual([joined.ownerId, joined.clients, joined.earlier], [owner.id, [owner.id], [owner.id]]);
  await saw(owner, "client-joined", { room, clientId: guest.id });
  assert.deepEqual(owner.rooms.get(room).clients, [guest.id]);

  const got = owner.once("signal");
  const data = { type: "offer", sdp: "v=0\r\n", deep: [null, 1e3, "\u2028"] };
  await guest.signal(room, owner.id, data);
  assert.deepEqual(await got, { room, senderId: guest.id, data });

  await guest.leaveRoom(room);
  await saw(guest, "room-left", { room, kicked: false });
  await saw(owner, "client-left", { room, clientId: guest.id });
  assert.equal(guest.rooms.size, 0);
});

test("every refusal rejects with its own code", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  await assert.rejects(a.joinRoom(room), code("room-not-exists"));
  await assert.rejects(a.leaveRoom(room), code("not-in-room"));
  await assert.rejects(a.signal(room, "nobody", {}), code("not-in-room"));
  await a.createRoom(room);
  await assert.rejects(a.createRoom(room), code("room-exists"));
  await assert.rejects(b.createRoom(room), code("room-exists"));
  await assert.rejects(a.signal(room, "nobody", {}), code("target-not-found"));
  await assert.rejects(a.createRoom(""), code("bad-request"));
  await assert.rejects(a.createRoom("x".repeat(300)), code("bad-request"));
  await assert.rejects(a.signal(room, a.id, "x".repeat(300 << 10)), code("too-large"));
  assert.equal(a.state, "open");
  assert.ok(a.log.every((e) => e.name !== "error"), "a refusal that a promise got is no error event");
});

test("a join by a member is answered again and told to nobody", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  await a.createRoom(room);
  await b.joinRoom(room);
  assert.deepEqual((await b.joinRoom(room)).clients, [a.id]);
  await b.leaveRoom(room);
  await saw(a, "client-left");
  assert.equal(a.log.filter((e) => e.name === "client-joined").length, 1);
});

test("the owner's end closes the room", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  await a.createRoom(room);
  await b.joinRoom(room);
  a.close();
  await saw(b, "room-left", { room, kicked: true });
  assert.equal(b.rooms.size, 0);
  await b.createRoom(room);
});

test("commands in one go are answered in their order", async () => {
  const room = aRoom();
  const a = client();
  const order = [];
  const note = (what) => (result) => order.push(`${what} ${result instanceof Error ? result.code : "done"}`);
  await Promise.all([
    a.createRoom(room).then(note("create")),
    a.createRoom(room).catch(note("create")),
    a.leaveRoom(room).then(note("leave")),
    a.joinRoom(room).catch(note("join")),
  ]);
  assert.deepEqual(order, ["create done", "create room-exists", "leave done", "join room-not-exists"]);
});

test("abort: before the connection, after the sending, and of listeners", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  await assert.rejects(a.createRoom(room, { signal: AbortSignal.abort("no") }), (reason) => reason === "no");
  await a.createRoom(room);
  await b.connect();
  const stop = new AbortController();
  const joining = b.joinRoom(room, { signal: stop.signal });
  stop.abort(new Error("changed my mind"));
  await assert.rejects(joining, /changed my mind/);
  // The server has joined it, and the client takes that back.
  await saw(a, "client-left", { room, clientId: b.id });
  assert.equal(b.rooms.size, 0);
  assert.ok(!b.log.some((e) => e.name === "room-joined"));
  // It can join at once again.
  assert.deepEqual((await b.joinRoom(room)).clients, [a.id]);

  const off = new AbortController();
  let heard = 0;
  a.on("client-left", () => heard++, { signal: off.signal });
  off.abort();
  await b.leaveRoom(room);
  await until("left", () => a.log.filter((e) => e.name === "client-left").length === 2);
  assert.equal(heard, 0);
  await assert.rejects(a.once("signal", { signal: AbortSignal.timeout(10) }), { name: "TimeoutError" });
  const gone = client(0, { WebSocket: class extends WebSocket { constructor() { super("ws://127.0.0.1:1"); } } });
  await assert.rejects(gone.connect({ signal: AbortSignal.timeout(200) }), { name: "TimeoutError" });
});

test("a lost connection is made anew; a member is back, and so is a room that it owned", async () => {
  const room = aRoom();
  const own = aRoom();
  const a = client(0);
  const b = client(1);
  await a.createRoom(room);
  await b.joinRoom(room);
  await b.createRoom(own);
  const before = b.id;
  b.cut();
  await saw(b, "down", { code: 1006 });
  await until("a new id", () => b.id !== before);
  await until("both rooms", () => b.rooms.size === 2);
  await saw(b, "open", { reconnected: true });
  assert.equal(b.rooms.get(own).ownerId, b.id);
  assert.deepEqual(b.rooms.get(room).clients, [a.id]);
  const restored = b.log.filter((e) => e.name === "room-joined" && e.restored);
  assert.deepEqual(restored.map((e) => [e.room.name, e.created]).sort(), [[own, true], [room, false]].sort());
  await until("the other is told", () => a.rooms.get(room).clients.join() === b.id);
});

test("options: who comes needs the password, knows the metadata, and is refused by lock and capacity", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  const c = client(1);
  const metadata = { topic: "tea", deep: [null, 1] };
  const created = await a.createRoom(room, { password: "sesame", capacity: 2, metadata });
  const state = { onOwnerLost: "close", locked: false, password: true, capacity: 2, metadata };
  assert.deepEqual(created.options, state);
  await assert.rejects(b.joinRoom(room), code("forbidden"));
  await assert.rejects(b.joinRoom(room, { password: "open" }), code("forbidden"));
  assert.deepEqual((await b.joinRoom(room, { password: "sesame" })).options, state);
  await assert.rejects(c.joinRoom(room, { password: "sesame" }), code("room-full"));

  const updated = await a.updateRoom(room, { capacity: null, password: null, metadata: null, locked: true });
  const now = { onOwnerLost: "close", locked: true, password: false };
  assert.deepEqual(updated.options, now);
  const told = await saw(b, "room-updated", { room });
  assert.deepEqual([told.options, b.rooms.get(room).options], [now, now]);
  await assert.rejects(c.joinRoom(room), code("forbidden"));
  await assert.rejects(b.updateRoom(room, { locked: false }), code("forbidden"));
  await assert.rejects(a.updateRoom(room, { lock: false }), code("bad-request"));
  await a.updateRoom(room, { locked: false });
  assert.deepEqual((await c.joinRoom(room)).options, { ...now, locked: false });
});

test("a member that is removed is told, and cannot come back", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  const c = client(0);
  await a.createRoom(room);
  await b.joinRoom(room);
  await c.joinRoom(room);
  await assert.rejects(b.kick(room, c.id), code("forbidden"));
  await assert.rejects(a.kick(room, "nobody"), code("target-not-found"));
  await a.kick(room, b.id);
  assert.deepEqual(a.rooms.get(room).clients, [c.id]);
  await saw(b, "room-left", { room, kicked: true });
  await saw(c, "client-left", { room, clientId: b.id });
  assert.equal(b.rooms.size, 0);
  await assert.rejects(b.joinRoom(room), code("forbidden"));
});

test("an owner is lost: the room passes to another, or waits for the key", async () => {
  const passed = aRoom();
  const waiting = aRoom();
  const a = client(0, { reconnect: false });
  const b = client(1);
  const c = client(0);
  await a.createRoom(passed, { onOwnerLost: "transfer" });
  await a.createRoom(waiting, { onOwnerLost: "grace", ownerKey: "key", locked: false });
  for (const room of [passed, waiting]) await b.joinRoom(room);
  a.cut();
  await saw(b, "owner-changed", { room: passed, ownerId: b.id });
  await saw(b, "client-left", { room: waiting, clientId: a.id });
  assert.equal(b.rooms.get(waiting).ownerId, a.id);
  await assert.rejects(c.joinRoom(waiting, { ownerKey: "no" }), code("forbidden"));
  assert.equal((await c.joinRoom(waiting, { ownerKey: "key" })).ownerId, c.id);
  await saw(b, "owner-changed", { room: waiting, ownerId: c.id });
  await c.joinRoom(passed);
  await b.kick(passed, c.id);
});

test("after a reconnect rooms are as they were: with their options, by password, and owned by key", async () => {
  const own = aRoom();
  const kept = aRoom();
  const theirs = aRoom();
  const a = client(0);
  const b = client(1);
  const c = client(1);
  const options = { onOwnerLost: "close", locked: false, password: true, metadata: [1] };
  await b.createRoom(own, { capacity: 9, metadata: [1] });
  await b.updateRoom(own, { password: "changed", capacity: null });
  await b.createRoom(kept, { onOwnerLost: "grace", ownerKey: "key", locked: true });
  await a.createRoom(theirs, { password: "p" });
  await b.joinRoom(theirs, { password: "p" });
  const before = b.id;
  b.cut();
  await until("all rooms", () => b.id !== before && b.rooms.size === 3);
  await until("the owner", () => [own, kept].every((room) => b.rooms.get(room)?.ownerId === b.id));
  assert.deepEqual(b.rooms.get(own).options, options);
  assert.deepEqual(b.rooms.get(kept).options, { onOwnerLost: "grace", locked: true, password: false });
  assert.deepEqual(b.rooms.get(theirs).clients, [a.id]);
  await assert.rejects(c.joinRoom(own), code("forbidden"));
  assert.deepEqual((await c.joinRoom(own, { password: "changed" })).options, options);
});

test("inspectors are shown no passwords and keys", async () => {
  const room = aRoom();
  const a = client();
  const shown = [];
  a.on("frame", ({ text }) => shown.push(text));
  await a.createRoom(room, { password: "sesame", ownerKey: "sesame" });
  await a.joinRoom(room, { password: "sesame", ownerKey: "sesame" });
  await a.updateRoom(room, { password: "sesame", ownerKey: null });
  await a.signal(room, a.id, { password: "a word" }).catch(() => {});
  assert.doesNotMatch(shown.join(), /sesame/);
  assert.equal(JSON.parse(shown.find((text) => text.includes("room-update"))).options.ownerKey, null);
  assert.match(shown.join(), /a word/);
});

test("a room that is gone after a reconnect is told as gone", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1, { restoreTimeout: 300, reconnect: { min: 400, max: 500 } });
  await a.createRoom(room);
  await b.joinRoom(room);
  b.cut();
  await saw(b, "down");
  a.close();
  const { error } = await saw(b, "room-gone", { room });
  assert.equal(error.code, "room-not-exists");
  assert.equal(b.rooms.size, 0);
});

test("leaving a room while the connection is down leaves it", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  await a.createRoom(room);
  await b.joinRoom(room);
  b.cut();
  await saw(b, "down");
  await b.leaveRoom(room);
  await saw(b, "open", { reconnected: true });
  await b.connect();
  await assert.rejects(b.leaveRoom(room), code("not-in-room"));
  assert.ok(!b.log.some((e) => e.restored));
});

test("what waits when the connection is lost: joins wait on, signals are refused", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  await a.createRoom(room);
  await b.connect();
  const joining = b.joinRoom(room);
  b.cut();
  assert.deepEqual((await joining).clients, [a.id]);
  const signalled = b.signal(room, a.id, 1);
  b.cut();
  await assert.rejects(signalled, code("disconnected"));
  await assert.rejects(b.signal(room, a.id, 1), code("disconnected"));
});

test("the server restarts: the owner creates the room again, the others follow", async () => {
  const room = aRoom();
  const a = client(0, { reconnect: { min: 600, max: 2000 } }); // the owner comes last
  const others = [client(1), client(0), client(1)];
  await a.createRoom(room);
  for (const c of others) await c.joinRoom(room);
  await control("stop");
  await until("all are down", () => [a, ...others].every((c) => c.state !== "open"));
  await control("start");
  await until("all are back", () => [a, ...others].every((c) => c.rooms.get(room)?.clients.length === 3), 30_000);
  assert.equal(a.rooms.get(room).ownerId, a.id);
  for (const c of others) {
    assert.equal(c.rooms.get(room).ownerId, a.id);
    assert.ok(!c.log.some((e) => e.name === "room-gone"));
    const signal = a.once("signal");
    void c.signal(room, a.id, "after");
    assert.equal((await signal).senderId, c.id);
  }
});

test("pauses between tries grow, and each is partly random", async () => {
  const c = new SignallingClient("ws://127.0.0.1:1/ws", { WebSocket, reconnect: { min: 20, max: 100 } });
  clients.push(c);
  const delays = [];
  c.on("down", ({ delay }) => delays.push(delay));
  void c.connect();
  await until("seven tries", () => delays.length >= 7);
  for (const [i, delay] of delays.entries()) {
    const full = Math.min(100, 20 * 2 ** i);
    assert.ok(delay >= full / 2 && delay <= full, `${delay} of ${full}`);
  }
  assert.equal(new Set(delays).size, delays.length);
});

test("close ends everything: what waits, and what comes later", async () => {
  const room = aRoom();
  const a = client();
  await a.createRoom(room);
  const joining = a.joinRoom(room);
  void a.signal(room, a.id, "nobody waits for this");
  a.close();
  await assert.rejects(joining, code("closed"));
  await assert.rejects(a.joinRoom(room), code("closed"));
  await assert.rejects(a.signal(room, a.id, 1), code("disconnected"));
  await assert.rejects(a.connect(), code("closed"));
  assert.equal(a.rooms.size, 0);
  assert.deepEqual(a.log.filter((e) => e.name === "closed").map((e) => e.code), [1000]);
  a.close();
  const never = client();
  const connecting = never.connect();
  never.close();
  await assert.rejects(connecting, code("closed"));
});

test("signals that come before anybody listens are kept, in order", async () => {
  const room = aRoom();
  const a = client(0);
  const b = client(1);
  await a.createRoom(room);
  await b.joinRoom(room);
  await Promise.all([1, 2, 3].map((n) => b.signal(room, a.id, n)));
  const heard = [];
  a.on("signal", ({ data }) => heard.push(data));
  await b.signal(room, a.id, 4);
  await until("all four", () => heard.length === 4);
  assert.deepEqual(heard, [1, 2, 3, 4]);
});

test("a listener that throws harms nobody, and its error is not hidden", async () => {
  const a = client();
  // An error in a microtask is an uncaught exception, which the test runner would take for its own.
  const queue = globalThis.queueMicrotask;
  const thrown = new Promise((resolve) => {
    globalThis.queueMicrotask = (run) =>
      queue(() => {
        try {
          run();
        } catch (error) {
          resolve(error);
        }
      });
  });
  let reached = false;
  a.on("open", () => {
    throw new Error("a defect of the application");
  });
  a.on("open", () => (reached = true));
  await a.connect();
  assert.ok(reached);
  assert.match((await thrown).message, /a defect of the application/);
  globalThis.queueMicrotask = queue;
});

test("frames show both directions as they travel", async () => {
  const room = aRoom();
  const a = client();
  const frames = [];
  a.on("frame", ({ direction, text }) => frames.push([direction, JSON.parse(text).event]));
  await a.createRoom(room);
  assert.deepEqual(frames, [["in", "welcome"], ["out", "room-create"], ["in", "room-created"]]);
});

test("display identities are those of the members that are there", async () => {
  let socket;
  const server = await fake((ws) => {
    socket = ws;
    ws.send(welcome({ display: "Me" }));
    ws.on("message", (text) => {
      const { id, room } = JSON.parse(text);
      ws.send(JSON.stringify({ event: "room-joined", id, room, ownerId: "a", clients: ["a", "b"], displays: { a: "Ann" } }));
    });
  });
  const c = new SignallingClient(server.url, { WebSocket, reconnect: false });
  clients.push(c);
  const room = await c.joinRoom("x");
  assert.equal(c.display, "Me");
  assert.deepEqual([...room.displays], [["a", "Ann"]]);
  const seen = [];
  c.on("client-joined", (event) => seen.push(event));
  for (const frame of [
    { event: "client-joined", room: "x", clientId: "c", display: "Cy" },
    { event: "client-joined", room: "x", clientId: "d" },
    { event: "client-left", room: "x", clientId: "a" },
  ]) {
    socket.send(JSON.stringify(frame));
  }
  await c.once("client-left");
  assert.deepEqual([...room.displays], [["c", "Cy"]]);
  assert.deepEqual(seen, [
    { room: "x", clientId: "c", display: "Cy" },
    { room: "x", clientId: "d" },
  ]);
  server.stop();
});

test("a server that answers nothing: timeout, and a new connection", async () => {
  let connections = 0;
  const server = await fake((ws) => {
    connections++;
    ws.send(welcome());
  });
  const c = new SignallingClient(server.url, { WebSocket, answerTimeout: 100, reconnect: { min: 10, max: 20 } });
  clients.push(c);
  await assert.rejects(c.createRoom("x"), code("timeout"));
  await until("another connection", () => connections === 2);
  server.stop();
});

test("a server that says no welcome is given up", async () => {
  const server = await fake(() => {});
  const c = new SignallingClient(server.url, { WebSocket, connectTimeout: 100, reconnect: false });
  clients.push(c);
  await assert.rejects(c.connect(), code("closed"));
  server.stop();
});

test("close codes: some are final, after the others the client comes back", async () => {
  for (const [closeCode, again] of [[1009, false], [1002, false], [1007, false], [1001, true], [1011, true], [4000, true], [4001, true]]) {
    assert.equal(reconnectAfter(closeCode), again);
    let connections = 0;
    const server = await fake((ws) => {
      ws.send(welcome());
      if (++connections === 1) ws.close(closeCode);
    });
    const c = new SignallingClient(server.url, { WebSocket, reconnect: { min: 10, max: 20 } });
    clients.push(c);
    await c.connect();
    await until(`${closeCode}`, () => (again ? connections === 2 : c.state === "closed"));
    c.close();
    server.stop();
  }
});

test("another protocol is told, and not tried again", async () => {
  const server = await fake((ws) => ws.send(welcome({ protocol: 99 })));
  const c = new SignallingClient(server.url, { WebSocket });
  clients.push(c);
  await assert.rejects(c.connect(), /protocol 99/);
  assert.equal(c.state, "closed");
  server.stop();
});

test("ICE servers: the server's, or those of the options", async () => {
  const mine = [{ urls: "stun:mine.example" }];
  const theirs = [{ urls: "turn:theirs.example", username: "u", credential: "c" }];
  for (const [fields, expected] of [[{}, mine], [{ iceServers: theirs }, theirs]]) {
    const server = await fake((ws) => ws.send(welcome(fields)));
    const c = new SignallingClient(server.url, { WebSocket, iceServers: mine });
    clients.push(c);
    await c.connect();
    assert.deepEqual(c.iceServers, expected);
    c.close();
    server.stop();
  }
});

test("an address may be asked for anew before each connection", async () => {
  let asked = 0;
  const c = new SignallingClient(async () => `${gateways[0]}/ws?token=${++asked}`, { WebSocket, reconnect: { min: 10, max: 20 } });
  clients.push(c);
  await c.connect();
  const again = c.once("open");
  const sockets = c.once("down");
  // The only way to end it from here is the server's: a frame that is too long for it.
  c.on("frame", () => {});
  await control("stop");
  await sockets;
  await control("start");
  await again;
  assert.ok(asked >= 2);
});

test("a mesh needs RTCPeerConnection, and says so", () => {
  assert.throws(() => new PeerMesh(client(), "x"), /no RTCPeerConnection/);
});
