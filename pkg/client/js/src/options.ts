import type { Backoff } from "./backoff.js";
import type { SignallingError } from "./errors.js";
import type { WebSocketConstructor } from "./link.js";

/** Where the server is: one address, or several, each for the next connection in turn. */
export type Addresses = string | URL | readonly (string | URL)[];

/** Where the server is. A function is asked before each connection. */
export type Address = Addresses | (() => Addresses | Promise<Addresses>);

/** A token. A function is asked before each connection, and when the server says that the present token ends. */
export type TokenSource = string | (() => string | Promise<string>);

export interface ClientOptions {
  /** Says to the server who this client is. It is not part of the address, which logs may keep. */
  token?: TokenSource;
  /** Whether to connect again when the connection is lost, and how patiently. Default: from 500 ms to 15 s, for ever. */
  reconnect?: boolean | Partial<Backoff>;
  /** Whether to come back to the session, where the server keeps it, when the connection is lost. Default: true. */
  resume?: boolean;
  /** How long, in ms, to try to get back into a room with a new session. Default: 30,000. */
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

/** What becomes of a room when its owner is lost: it is closed, waits for the owner, or gets another one. */
export type OwnerLoss = "close" | "grace" | "transfer";

/** What a room can be asked to be (PROTOCOL.md, section 1.9). What is not given stays as it is; a new room is plain then. */
export interface RoomOptions {
  /** Default: `close`. With `grace`, give an `ownerKey` too: it is how an owner comes back. */
  onOwnerLost?: OwnerLoss;
  /** How many members the room may have, its owner among them; null takes the limit away. */
  capacity?: number | null;
  /** Nobody may join. */
  locked?: boolean;
  /** What a join must give, 1 to 128 bytes; null takes it away. */
  password?: string | null;
  /** Who joins with it becomes the owner, 1 to 128 bytes; null takes it away. */
  ownerKey?: string | null;
  /** Any JSON of at most 4096 bytes, for the members; null takes it away. */
  metadata?: unknown;
}

/** What a join can give to be let in. */
export interface JoinOptions {
  /** The room's password. */
  password?: string;
  /** Makes this client the owner, and lets it in whatever the lock, the password and the capacity are. */
  ownerKey?: string;
}

/** What members know of a room's options. */
export interface RoomState {
  readonly onOwnerLost: OwnerLoss;
  /** How many members the room may have. Absent without a limit of its own. */
  readonly capacity?: number;
  readonly locked: boolean;
  /** Whether a join must give a password. */
  readonly password: boolean;
  /** What the owner tells all members. Absent if there is none. */
  readonly metadata?: unknown;
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
  /** The client that owns it: at first the one that created it. */
  readonly ownerId: string;
  /** What its owner has made of it. */
  readonly options: RoomState;
  /** The other members, in the order in which they joined. */
  readonly clients: readonly string[];
  /** The display identities of those of them that have one, by id. The server takes them from tokens, if it is set to. */
  readonly displays: ReadonlyMap<string, string>;
  /** Those of them who were there before this client. By custom, who comes later makes the offers. */
  readonly earlier: readonly string[];
}

export interface ClientEvents {
  /**
   * There is a connection with a new session: it has a new id and is in no room. After a reconnect (`reconnected`) the rooms
   * of the earlier one are being entered again.
   */
  open: { clientId: string; reconnected: boolean };
  /**
   * The connection was lost or did not come about; the next try is in `delay` ms. If `resumable`, the client is still in its
   * rooms, and nobody is told that it is away: `resumed` follows, or `open` if the session was not to be had back.
   */
  down: { code: number; reason: string; attempt: number; delay: number; resumable: boolean };
  /**
   * There is a connection again, and the client is the one that it was. What it has missed comes now, in order; if the
   * server could not keep all of it (`missed`), signals may be lost, and of the rooms comes what has changed.
   */
  resumed: { clientId: string; missed: boolean };
  /** Over for good. */
  closed: { code: number; reason: string };
  /** The client is in a room: created or joined by a command, or (`restored`) entered again by a new session. */
  "room-joined": { room: Room; created: boolean; restored: boolean };
  /** The client is out of a room: it left, or (`kicked`) was removed, or the room was closed because its owner has gone. */
  "room-left": { room: string; kicked: boolean };
  /** The client was in this room in its earlier session, and could not get back into it. */
  "room-gone": { room: string; error: SignallingError };
  "client-joined": { room: string; clientId: string; display?: string };
  "client-left": { room: string; clientId: string };
  /** The room has another owner. It may be this client. */
  "owner-changed": { room: string; ownerId: string };
  /** The owner has changed what members know of the room's options. */
  "room-updated": { room: string; options: RoomState };
  /** Another member's signal. */
  signal: { room: string; senderId: string; data: unknown };
  /** The server has sent other ICE servers, because the credentials of the former ones end. */
  "ice-servers": { iceServers: RTCIceServer[] };
  /** The token ends in `expiresIn` ms, and with it the connection. If `token` is a function, the client renews it. */
  "token-expiring": { expiresIn: number };
  /** A refusal that no promise waited for any more. */
  error: SignallingError;
  /** Every message, as it travels, but for tokens, passwords and keys. For inspectors. */
  frame: { direction: "in" | "out"; text: string };
}
