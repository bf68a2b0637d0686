import { pause } from "./backoff.js";
import type { Arguments } from "./commands.js";
import { passes, SignallingError } from "./errors.js";
import type { Operation } from "./protocol.js";
import type { Lost, Rooms } from "./rooms.js";

/** What it takes to get back into rooms. */
export interface Restorer {
  readonly rooms: Rooms;
  /** How long to try, in ms. */
  readonly timeout: number;
  /** Counts the sessions: each has its own rooms to restore. */
  session(): number;
  /** Resolves when commands go out. */
  connect(): Promise<void>;
  send(op: Operation, args: Arguments): Promise<unknown>;
  /** The room could not be entered. */
  gone(room: string, error: SignallingError): void;
}

/** Gets a new session back into a room, as its owner if it was this client's. */
export async function restore(by: Restorer, room: string, lost: Lost): Promise<void> {
  const session = by.session();
  const until = Date.now() + by.timeout;
  const wanted = () => by.session() === session && by.rooms.lost.has(room);
  for (let attempt = 0; wanted(); attempt++) {
    try {
      await by.connect();
      if (wanted()) await reenter(by, room, lost);
      return;
    } catch (error) {
      const failure = error as SignallingError;
      // The next session tries anew.
      if (!wanted() || failure.code === "disconnected" || failure.code === "closed") return;
      const again = passes(failure) || failure.code === "room-not-exists" || failure.code === "room-full";
      if (!again || Date.now() > until) {
        by.rooms.forget(room);
        by.gone(room, failure);
        return;
      }
    }
    await new Promise((resume) => setTimeout(resume, pause({ min: 200, max: 2000 }, attempt)));
  }
}

/** With the owner's key the room may be there still. Without it, it ends with the owner and is created again first. */
async function reenter(by: Restorer, room: string, { create, join }: Lost): Promise<void> {
  const enter = () => by.send("room-join", { room, ...join });
  if (!create) return void (await enter());
  const some = Object.keys(create).length > 0;
  const make = () => by.send("room-create", { room, ...(some && { options: create }) });
  // If it exists somebody was faster, or it is the own dead connection's still. In the latter case it is closed soon.
  const [first, second, unless] = join.ownerKey ? [enter, make, "room-not-exists"] : [make, enter, "room-exists"];
  try {
    await first();
  } catch (error) {
    if (!(error instanceof SignallingError && error.code === unless)) throw error;
    await second();
  }
}
