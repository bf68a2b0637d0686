import type { Backoff } from "./backoff.js";
import type { SignallingError } from "./errors.js";
import type { WebSocketConstructor } from "./link.js";

/** Where the server is. A function is asked before each connection, so that it can bring a fresh token. */
export type Address = string | URL | (() => string | URL | Promise<string | URL>);

/** A token. A function is asked before each connection, and when the server says that the present token ends. */
export type TokenSource = string | (() => string | Promise<string>);

export interface ClientOptions {
  /** Says to the server who this client is. It is not part of the address, which logs may keep. */
  token?: TokenSource;
  /** Whether to connect again when the connection is lost, and how patiently. Default: from 500 ms to 15 s, for ever. */
  reconnect?: boolean | Partial<Backoff>;
  /** How long, in ms, to try to get back into a room after a new connection. Default: 30,000. */
  restoreTimeout?: number;
  /** How long, in ms, a connection may take to come about. Default: 10,000. */
  connectTimeout?: number;
  /** How long, in ms, an answer may take before the connection is taken for dead. Default: 15,000. */
  answerTimeout?: number;
  /** How long, in ms, a refusal of a signal is waited for before the signal counts as sent. Default: 1,000. */
  signalGrace?: number;
  /** ICE servers for when the server names none. */
  iceServers?: RTCIceServer[];
  /** More subprotocols to offer beside the server's own. */
  protocols?: readonly string[];
  /** What to make connections with. Default: the global WebSocket. */
  WebSocket?: WebSocketConstructor;
}

/** What every command takes. */
export interface CommandOptions {
  /** Ends the wait. A join or create that succeeds after that is taken back. */
  signal?: AbortSignal | undefined;
}

/**
 * - `idle`: `connect()` was not called yet
 * - `connecting`: on its way
 * - `open`: commands go out
 * - `waiting`: the connection was lost, and the pause before the next try runs
 * - `closed`: over for good
 */
export type ClientState = "idle" | "connecting" | "open" | "waiting" | "closed";

/** A room that the client is in. */
export interface Room {
  readonly name: string;
  /** The client that created it. The room ends with it. */
  readonly ownerId: string;
  /** The other members, in the order in which they joined. */
  readonly clients: readonly string[];
  /** Those of them who were there before this client. By custom, who comes later makes the offers. */
  readonly earlier: readonly string[];
}

export interface ClientEvents {
  /** There is a connection. After a reconnect the client has a new id, and its rooms are being entered again. */
  open: { clientId: string; reconnected: boolean };
  /** The connection was lost or did not come about; the next try is in `delay` ms. */
  down: { code: number; reason: string; attempt: number; delay: number };
  /** Over for good. */
  closed: { code: number; reason: string };
  /** The client is in a room: created or joined by a command, or (`restored`) entered again after a reconnect. */
  "room-joined": { room: Room; created: boolean; restored: boolean };
  /** The client is out of a room: it left, or (`kicked`) the room was closed because its owner has gone. */
  "room-left": { room: string; kicked: boolean };
  /** The client was in this room before the connection was lost, and could not get back into it. */
  "room-gone": { room: string; error: SignallingError };
  "client-joined": { room: string; clientId: string };
  "client-left": { room: string; clientId: string };
  /** Another member's signal. */
  signal: { room: string; senderId: string; data: unknown };
  /** The server has sent other ICE servers, because the credentials of the former ones end. */
  "ice-servers": { iceServers: RTCIceServer[] };
  /** The token ends in `expiresIn` ms, and with it the connection. If `token` is a function, the client renews it. */
  "token-expiring": { expiresIn: number };
  /** A refusal that no promise waited for any more. */
  error: SignallingError;
  /** Every message, as it travels. For inspectors. */
  frame: { direction: "in" | "out"; text: string };
}
