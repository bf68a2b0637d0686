import { abortable } from "./emitter.js";
import { SignallingError } from "./errors.js";
import type { Room, RoomOptions } from "./options.js";
import type { Operation } from "./protocol.js";

/** A command's arguments. */
export interface Arguments {
  room: string;
  targetId?: string;
  data?: unknown;
  options?: RoomOptions;
  password?: string;
  ownerKey?: string;
}

/** A command that waits for its answer. */
export interface Pending {
  readonly op: Operation;
  readonly args: Arguments;
  readonly room: string;
  readonly text: string;
  /** It enters a room again after a reconnect. */
  readonly restore: boolean;
  /** Nobody waits for it any more; if it enters a room, that is to be undone. */
  abandoned: boolean;
  /** It may have been carried out already, before the session was resumed. */
  doubted: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** With the room, if the command was to enter or to change one. */
  resolve(room?: Room): void;
  reject(error: unknown): void;
}

/** Commands that wait at most. The server takes no more than 64 at once, and the network holds the others. */
const MAX_PENDING = 4096;

/** The commands on their way. */
export class Commands {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /** Registers a command. `sent` is called at once, with what is to be sent. The promise is the answer. */
  add(
    op: Operation,
    args: Arguments,
    signal: AbortSignal | undefined,
    restore: boolean,
    sent: (id: number, pending: Pending) => void,
  ): Promise<Room | undefined> {
    return abortable<Room | undefined>(signal, (resolve, reject) => {
      if (this.#pending.size >= MAX_PENDING) {
        reject(new SignallingError("rate-limited", "too many commands wait for their answers", args.room));
        return () => {};
      }
      const id = ++this.#lastId;
      const pending: Pending = {
        op,
        args,
        room: args.room,
        text: "",
        restore,
        abandoned: false,
        doubted: false,
        timer: undefined,
        resolve,
        reject,
      };
      try {
        (pending as { text: string }).text = JSON.stringify({ event: op, id, ...args });
        this.#pending.set(id, pending);
        sent(id, pending);
      } catch (error) {
        this.#pending.delete(id);
        reject(error);
      }
      return () => this.#ended(id, pending);
    });
  }

  /** The promise has settled. An answer that is still to come may have to be undone. */
  #ended(id: number, pending: Pending): void {
    if (!this.#pending.has(id)) return;
    if (entering(pending.op)) pending.abandoned = true;
    else this.take(id);
  }

  get(id: number): Pending | undefined {
    return this.#pending.get(id);
  }

  /** The id of a create of this room that may have been carried out already. */
  doubted(room: string): number | undefined {
    for (const [id, p] of this.#pending) if (p.doubted && p.op === "room-create" && p.room === room) return id;
    return undefined;
  }

  /** Removes and returns the command with this id. */
  take(id: number | undefined): Pending | undefined {
    const pending = this.#pending.get(id!);
    if (pending) {
      clearTimeout(pending.timer);
      this.#pending.delete(id!);
    }
    return pending;
  }

  /** Whether somebody waits for an answer about this room. */
  concerns(room: string): boolean {
    for (const p of this.#pending.values()) if (p.room === room && !p.abandoned) return true;
    return false;
  }

  /** All that wait, in the order in which they were sent. */
  all(): [number, Pending][] {
    return [...this.#pending];
  }
}

/** Whether the command makes the client a member. */
export function entering(op: Operation): boolean {
  return op === "room-create" || op === "room-join";
}

/** What inspectors are shown of a command: all but its secrets. */
export function shown({ op, args, text }: Pending): string {
  if (op === "signal-send" || !(args.options || args.password || args.ownerKey)) return text;
  return JSON.stringify(JSON.parse(text), (key, value) =>
    (key === "password" || key === "ownerKey") && typeof value === "string" ? "…" : value,
  );
}
