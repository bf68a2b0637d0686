// What real clients must be able to do, for every version and choice of transports. The server is the one of
// clients_test.go: it sends events back as they came, or as the acknowledgement where one is wanted, and does what the
// events "server-close" and "whoami" say.
"use strict";

const assert = require("node:assert/strict");
const { ask, once, transportName, upgraded, within } = require("./lib.js");

// The arguments that a data channel application might send, and some that it should not.
const values = [
  [1, "two", { three: [3, null, true, -0.5, 1e21] }, [], {}],
  ["日本語", "👩‍👩‍👧", "é", "\u2028\u2029\u0000\u001e\u001f\"\\/", "\ufffd", ""],
  [null],
  [{ _placeholder: false, num: 3 }, "42[]", "451-", "b4AAA=", ":"],
  [],
];

async function echo(clients) {
  const socket = await clients.connected();
  for (const args of values) {
    const back = once(socket, "echo");
    socket.emit("echo", ...args);
    assert.deepEqual(await back, args);
  }
}

async function acknowledgements(clients) {
  const socket = await clients.connected();
  for (const args of values) assert.deepEqual(await ask(socket, "echo", ...args), ["echo", ...args]);
}

async function ids(clients) {
  const [one, two] = [await clients.connected(), await clients.connected()];
  assert.deepEqual(await ask(one, "whoami"), [one.id]);
  assert.deepEqual(await ask(two, "whoami"), [two.id]);
  assert.notEqual(one.id, two.id);
  assert.equal(one.id === one.io.engine.id, clients.version < 3, "only client 2 takes the engine's sid for its id");
}

async function binary(clients) {
  const socket = await clients.connected();
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const big = Buffer.alloc(50000, 7);
  const cases = [
    [Buffer.from([0, 1, 255])],
    [Buffer.alloc(0)],
    ["before", { nested: [{ deep: all }] }, "between", big, "日"],
    [all, all],
  ];
  for (const args of cases) {
    const back = once(socket, "echo");
    socket.emit("echo", ...args);
    assert.deepEqual(await back, args);
    assert.deepEqual(await ask(socket, "echo", ...args), ["echo", ...args]);
  }
  const back = once(socket, "echo");
  socket.emit("echo", new Uint8Array([9, 8]).buffer);
  assert.deepEqual(await back, [Buffer.from([9, 8])]);
}

// order: text and binary events, all through the upgrade where there is one, arrive once each and in order.
async function order(clients) {
  const socket = clients.socket();
  const n = 300;
  const got = [];
  const all = within("all echoes", new Promise((resolve, reject) => {
    socket.on("echo", (i) => {
      got.push(i);
      if (got.length === n) resolve();
    });
    socket.on("disconnect", (reason) => reject(new Error("disconnected: " + reason)));
  }));
  await once(socket, "connect");
  for (let i = 0; i < n; i++) {
    if (i % 7 === 0) socket.emit("echo", i, Buffer.from([i]));
    else socket.emit("echo", i);
    if (i % 10 === 0) await new Promise(setImmediate);
  }
  await all;
  assert.deepEqual(got, Array.from({ length: n }, (_, i) => i));
  socket.off("disconnect");
}

async function upgrade(clients) {
  const socket = await clients.connected();
  if (clients.transport === "default") await upgraded(socket);
  const want = clients.transport === "polling" ? "polling" : "websocket";
  assert.equal(transportName(socket), want);
  assert.deepEqual(await ask(socket, "transport"), [want]);
}

// large: one message just below the limit that the server has announced.
async function large(clients) {
  const socket = await clients.connected();
  if (clients.transport === "default") await upgraded(socket);
  const limit = 262144;
  const text = "x".repeat(limit - 64);
  const back = once(socket, "echo");
  socket.emit("echo", text);
  assert.deepEqual(await back, [text]);
  const wide = "日".repeat((limit - 64) / 3);
  assert.deepEqual(await ask(socket, "echo", wide), ["echo", wide]);
  const blob = Buffer.alloc(Math.floor((limit * 3) / 4) - 200, 5);
  assert.deepEqual(await ask(socket, "echo", blob), ["echo", blob]);
  if (clients.version >= 4 || clients.transport !== "polling") {
    // Client 4 splits its posts by maxPayload, and on a WebSocket each message stands for itself.
    const part = "y".repeat(limit / 2);
    assert.deepEqual(await Promise.all([1, 2, 3, 4].map((i) => ask(socket, "echo", i, part))),
      [1, 2, 3, 4].map((i) => ["echo", i, part]));
  }
}

// tooLarge: the message beyond the limit costs the connection, and the client comes back by itself.
async function tooLarge(clients) {
  const socket = await clients.connected();
  if (clients.transport === "default") await upgraded(socket);
  const gone = once(socket, "disconnect");
  socket.emit("echo", "x".repeat(262144));
  const [reason] = await gone;
  assert.match(reason, /^transport (close|error)$/);
  await once(socket, "connect");
  assert.deepEqual(await ask(socket, "echo", 1), ["echo", 1]);
}

async function serverClose(clients) {
  const socket = await clients.connected();
  if (clients.transport === "default") await upgraded(socket);
  const id = socket.id;
  const last = once(socket, "last");
  const gone = once(socket, "disconnect");
  socket.emit("server-close");
  assert.deepEqual(await last, ["words"]);
  assert.equal((await gone)[0], "transport close");
  await once(socket, "connect");
  assert.notEqual(socket.id, id);
  assert.deepEqual(await ask(socket, "whoami"), [socket.id]);
}

async function clientClose(clients) {
  const socket = await clients.connected();
  const id = socket.id;
  const gone = once(socket, "disconnect");
  const closed = once(socket.io.engine, "close"); // client 2 leaks a connection when it is opened again before this
  socket.disconnect();
  assert.equal((await gone)[0], "io client disconnect");
  await closed;
  const again = once(socket, "connect");
  socket.connect();
  await again;
  assert.notEqual(socket.id, id);
  // The new connection is asked what became of the old one.
  for (;;) {
    const [reason] = await ask(socket, "reason-of", id);
    if (reason === "client namespace disconnect") break;
    assert.equal(reason, "", "reason of the end");
    await new Promise(setImmediate);
  }
}

async function namespace(clients) {
  const e = await clients.refusal({}, "/nope");
  assert.equal(e.message || e, "Invalid namespace");
}

async function connectError(clients) {
  const e = await clients.refusal({ auth: { refuse: "yes" } });
  if (clients.version < 3) {
    assert.deepEqual(e, { code: 7 }); // protocol 4 has one value, and the server gave data
    return;
  }
  assert.ok(e instanceof Error);
  assert.equal(e.message, "not for you");
  assert.deepEqual(e.data, { code: 7 });
}

async function connectErrorText(clients) {
  const e = await clients.refusal({ auth: { refuse: "plainly" } });
  assert.equal(e.message || e, "not for you");
}

// heartbeats: the server of this test beats often; the client stays through several.
async function heartbeats(clients) {
  const socket = await clients.connected();
  let reason = null;
  socket.on("disconnect", (r) => { reason = r; });
  const beat = clients.version < 3 ? "pong" : "ping";
  await within("three heartbeats", new Promise((resolve) => {
    let n = 0;
    if (clients.transport === "default") socket.io.engine.on("upgrade", () => { n = 0; });
    socket.io.engine.on("packet", (p) => {
      if (p.type === beat && ++n === 3) resolve();
    });
  }));
  assert.equal(reason, null);
  assert.deepEqual(await ask(socket, "echo", 1), ["echo", 1]);
}

// frozen says that it is ready to be stopped by a signal, and never ends by itself.
async function frozen(clients) {
  const socket = await clients.connected();
  if (clients.transport === "default") await upgraded(socket);
  assert.deepEqual(await ask(socket, "echo", 1), ["echo", 1]);
  process.stdout.write("ready\n");
  await new Promise(() => { setInterval(() => {}, 1000); });
}

module.exports = {
  acknowledgements, binary, clientClose, connectError, connectErrorText, echo, frozen, heartbeats, ids, large, namespace,
  order, serverClose, tooLarge, upgrade,
};
