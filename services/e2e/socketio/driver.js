// Drives real Socket.IO clients for the tests: commands come in as JSON lines, what the clients see goes out as JSON lines.
//
//   {"op":"open","ref":"a","version":4,"url":"http://…","events":["room-created",…],"options":{…},"localAddress":"127.0.0.2"}
//   {"op":"namespace","ref":"b","of":"a","name":"/x","events":[…]}   a second socket on a's connection
//   {"op":"emit","ref":"a","args":["room-join","lobby"],"ack":7}     ack is left out for an emit without callback
//   {"op":"disconnect","ref":"a"}
//   {"op":"state","ref":"a"}
//
// A Buffer is {"$buffer":"<base64>"} both ways. The clients are used as they are; beside the events of their API only the
// close codes of WebSockets and the statuses of HTTP answers are looked at.
"use strict";

const diagnostics = require("node:diagnostics_channel");
const http = require("node:http");
const readline = require("node:readline");

const load = {
  2: () => require("socket.io-client-2"),
  3: () => require("socket.io-client-3").io,
  4: () => require("socket.io-client-4").io,
};

const sockets = new Map();

function say(ref, what, more) {
  process.stdout.write(JSON.stringify({ ref, what, ...more }) + "\n");
}

function pack(value) {
  if (Buffer.isBuffer(value)) return { $buffer: value.toString("base64") };
  if (value instanceof ArrayBuffer) return { $arraybuffer: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(pack);
  if (value === undefined) return { $undefined: true };
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, pack(v)]));
}

function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== "object") return value;
  if ("$buffer" in value) return Buffer.from(value.$buffer, "base64");
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, unpack(v)]));
}

// watchEngine reports what happens below Socket.IO. Each reconnection has an engine of its own.
function watchEngine(ref, engine) {
  const watchSocket = (transport) => {
    if (transport.ws) transport.ws.on("close", (code) => say(ref, "closed", { code }));
  };
  watchSocket(engine.transport);
  engine.on("upgrade", (transport) => {
    watchSocket(transport);
    say(ref, "upgrade", { transport: transport.name });
  });
}

// Each client has its ref in the query of all its requests, which the server does not look at.
diagnostics.subscribe("http.client.response.finish", ({ request, response }) => {
  const ref = new URL(request.path, "http://host").searchParams.get("ref");
  if (response.statusCode !== 200) say(ref, "http", { code: response.statusCode });
});

function watch(ref, socket, events) {
  sockets.set(ref, socket);
  socket.on("connect", () => say(ref, "connect", { id: socket.id, transport: socket.io.engine.transport.name, recovered: socket.recovered }));
  socket.on("disconnect", (reason) => say(ref, "disconnect", { message: reason }));
  socket.on("connect_error", (err) => say(ref, "connect-error", { message: err.message }));
  for (const name of events) {
    socket.on(name, (...args) => say(ref, "event", { args: [name, ...args].map(pack) }));
  }
}

// watchPackets reports events that the tests do not know: they would go unseen.
function watchPackets(ref, manager, events) {
  const event = 2;
  const binaryEvent = 5;
  manager.on("packet", (p) => {
    if ((p.type === event || p.type === binaryEvent) && !events.includes(p.data[0])) {
      say(ref, "event", { args: p.data.map(pack) });
    }
  });
}

const ops = {
  open({ ref, version, url, events, options, localAddress }) {
    const agent = localAddress ? new http.Agent({ localAddress }) : undefined;
    const socket = load[version]()(url, { forceNew: true, ...(agent && { agent }), ...options, query: { ref } });
    socket.io.on("open", () => watchEngine(ref, socket.io.engine));
    watch(ref, socket, events);
    watchPackets(ref, socket.io, events);
  },
  namespace({ ref, of, name, events }) {
    watch(ref, sockets.get(of).io.socket(name), events);
  },
  emit({ ref, args, ack }) {
    const callback = ack === undefined ? [] : [(...got) => say(ref, "ack", { ack, args: got.map(pack) })];
    sockets.get(ref).emit(...unpack(args), ...callback);
  },
  disconnect({ ref }) {
    sockets.get(ref).disconnect();
  },
  state({ ref }) {
    const { connected, id, io } = sockets.get(ref);
    say(ref, "state", { connected, id, transport: io.engine.transport.name });
  },
};

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  ops[command.op](command);
});
lines.on("close", () => process.exit(0));
