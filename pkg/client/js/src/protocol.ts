// What travels on the native door (api/PROTOCOL.md, part 1).
import type { RoomState } from "./options.js";

/** Version of the protocol that this client speaks. */
export const PROTOCOL = 1;

/** Subprotocol that the client offers to the server (RFC 6455 section 1.9). */
export const SUBPROTOCOL = "signalling.v1";

/** Begins the subprotocol that brings a token: a browser can put it nowhere else but into the URL. */
export const BEARER = "bearer.";

/** What the server's `error` event says to programs. The list is closed. */
export type ErrorCode =
  | "bad-request"
  | "unauthorized"
  | "forbidden"
  | "rate-limited"
  | "too-large"
  | "room-full"
  | "unavailable"
  | "internal";

export type Operation = "room-create" | "room-join" | "room-leave" | "room-update" | "room-kick" | "signal-send";

/** Any message of the server. Which fields are there depends on the event. */
export interface Frame {
  event: string;
  id?: number;
  room?: string;
  clientId?: string;
  ownerId?: string;
  clients?: string[];
  options?: RoomState;
  display?: string;
  displays?: Record<string, string>;
  kicked?: boolean;
  senderId?: string;
  targetId?: string;
  data?: unknown;
  code?: ErrorCode;
  message?: string;
  protocol?: number;
  maxMessageBytes?: number;
  iceServers?: RTCIceServer[];
  expiresIn?: number;
  retryAfter?: number;
  resume?: string;
  resumeWindow?: number;
  received?: number;
  seq?: number;
  missed?: boolean;
  rooms?: string[];
  resumed?: boolean;
}

/** Closes a connection that is given up (IANA: timeout). Unlike 1000 it leaves the session as it is. */
export const GIVEN_UP = 3008;

/** Close codes after which the server does not want the same client back. Any other end is the network's or passes. */
const FINAL = new Set([1000, 1002, 1007, 1009, 4002, 4005, 4010]);

/** Whether a client whose connection ended with this WebSocket close code should connect again. */
export function reconnectAfter(closeCode: number): boolean {
  return !FINAL.has(closeCode);
}
