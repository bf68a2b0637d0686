// What the tests of the SDK share.
import assert from "node:assert/strict";
import WebSocket, { WebSocketServer } from "ws";
import { PROTOCOL, SignallingClient, SignallingError } from "../../../pkg/client/js/dist/client.mjs";
import { gateways, until } from "./kit.mjs";

export const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));

export const clients = [];
let names = 0;
export const aRoom = () => `sdk ${Date.now()} ${++names} *.>$ ✨`;

/** The native door of the i-th gateway. */
export const address = (i) => `${gateways[i % gateways.length]}/ws`;

/** A client of the i-th gateway, or of these addresses. Its sockets are in client.sockets, its events in client.log. */
export function client(i = 0, options = {}) {
  const sockets = [];
  class Socket extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  }
  const made = new SignallingClient(typeof i === "number" ? address(i) : i, { WebSocket: Socket, reconnect: { min: 50, max: 500 }, ...options });
  const log = [];
  for (const name of ["open", "down", "resumed", "closed", "room-joined", "room-left", "room-gone", "client-joined", "client-left", "owner-changed", "room-updated", "error"]) {
    made.on(name, (event) => log.push({ name, ...event }));
  }
  clients.push(made);
  return Object.assign(made, { sockets, log, cut: () => sockets.at(-1).terminate() });
}

export const saw = (c, name, match = {}) =>
  until(`${name} ${JSON.stringify(match)}`, () =>
    c.log.find((e) => e.name === name && Object.entries(match).every(([key, value]) => e[key] === value)),
  );

export const code = (expected) => (error) => {
  assert.ok(error instanceof SignallingError, String(error));
  assert.equal(error.code, expected);
  return true;
};

export function closeAll() {
  for (const c of clients.splice(0)) c.close();
}

/** A server that does what a test wants with each connection. */
export async function fake(serve) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", serve);
  await new Promise((resolve) => server.once("listening", resolve));
  return { url: `ws://127.0.0.1:${server.address().port}/ws`, stop: () => server.close() };
}
export const welcome = (fields = {}) => JSON.stringify({ event: "welcome", clientId: "me", protocol: PROTOCOL, ...fields });
