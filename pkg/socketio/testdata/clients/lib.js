// What the scenarios share: one way to open each version of the published client, and waiting without sleeping.
"use strict";

const patience = 20000;

// within fails when a promise takes too long, with words for what was awaited.
function within(what, promise, ms = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no " + what + " within " + ms + " ms")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// once waits for an event and resolves to its arguments.
function once(emitter, event, what = event) {
  return within(what, new Promise((resolve) => emitter.once(event, (...args) => resolve(args))));
}

// Clients opens sockets of one version with one choice of transports, and closes them all at the end.
class Clients {
  constructor(url, version, transport) {
    this.url = url;
    this.version = version;
    this.transport = transport;
    this.lib = require("socket.io-client-" + version);
    this.open = [];
  }

  // socket opens one without waiting. namespace is "" or "/name"; auth travels as each version can.
  socket(options = {}, namespace = "") {
    const o = { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100, ...options };
    if (this.transport !== "default") o.transports = [this.transport];
    if (options.auth && this.version < 3) o.query = options.auth;
    const socket = this.lib(this.url + namespace, o);
    this.open.push(socket);
    return socket;
  }

  // connected opens one and waits for it.
  async connected(options) {
    const socket = this.socket(options);
    const failed = new Promise((_, reject) => {
      socket.once("connect_error", (e) => reject(new Error("connect_error: " + (e.message || e))));
    });
    await within("connect", Promise.race([new Promise((resolve) => socket.once("connect", resolve)), failed]));
    return socket;
  }

  // refusal opens one that must be refused and resolves to what the application sees.
  refusal(options, namespace) {
    const socket = this.socket(options, namespace);
    return once(socket, this.version < 3 ? "error" : "connect_error", "refusal").then(([e]) => e);
  }

  closeAll() {
    for (const socket of this.open) {
      socket.io.reconnection(false);
      socket.close();
    }
    this.open = [];
  }
}

// transportName is the transport that a socket's engine uses now.
function transportName(socket) {
  return socket.io.engine.transport.name;
}

// upgraded waits until a socket of default transports is on its WebSocket.
async function upgraded(socket) {
  if (transportName(socket) !== "websocket") await once(socket.io.engine, "upgrade");
}

// ask emits with an acknowledgement and resolves to the callback's arguments.
function ask(socket, ...args) {
  return within("acknowledgement of " + args[0], new Promise((resolve) => {
    socket.emit(...args, (...answer) => resolve(answer));
  }));
}

module.exports = { Clients, ask, once, transportName, upgraded, within };
