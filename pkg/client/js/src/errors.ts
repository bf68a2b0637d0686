import type { ErrorCode } from "./protocol.js";

/**
 * Why something was not done: the name of the answer that refused it, the code of the server's `error`, or one of the
 * client's own:
 *
 * - `timeout`: no answer came. The connection is taken for dead and made anew.
 * - `disconnected`: there is no connection, or it ended before the answer.
 * - `closed`: `close()` was called, or the connection ended for good.
 */
export type FailureCode =
  | ErrorCode
  | "room-exists"
  | "room-not-exists"
  | "not-in-room"
  | "target-not-found"
  | "timeout"
  | "disconnected"
  | "closed";

/** What promises of the client are rejected with, except that an aborted one is rejected with its signal's reason. */
export class SignallingError extends Error {
  override readonly name = "SignallingError";

  constructor(
    /** For programs. */
    readonly code: FailureCode,
    /** For people. */
    message: string,
    /** The room it was about, if it was about one. */
    readonly room?: string,
    /** For `rate-limited`: after how many ms the same may work, where that is known. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Whether the same may work a little later. */
export function passes(error: unknown): boolean {
  const code = error instanceof SignallingError ? error.code : "";
  return ["unavailable", "rate-limited", "timeout", "internal"].includes(code);
}

const words = {
  "room-exists": "a room of this name exists already",
  "room-not-exists": "there is no room of this name",
  "not-in-room": "this client is not in the room",
  "target-not-found": "the target is not in the room",
};

/** What an answer says that refuses a command. */
export function refusal(answer: keyof typeof words, room: string): SignallingError {
  return new SignallingError(answer, words[answer], room);
}
