import type { JoinOptions, Room, RoomOptions, RoomState } from "./options.js";
import type { Frame } from "./protocol.js";

/** What members know of a plain room. */
const PLAIN: RoomState = { onOwnerLost: "close", locked: false, password: false };

/** What members know of a room that was created with these options. */
function stateOf({ onOwnerLost = "close", capacity, locked = false, password, metadata }: RoomOptions): RoomState {
  return {
    onOwnerLost,
    ...(capacity && { capacity }),
    locked,
    password: !!password,
    ...(metadata != null && { metadata }),
  };
}

class Entry implements Room {
  members: Set<string>;
  displays: Map<string, string>;
  ownerId: string;
  options: RoomState;
  /** The password may be another one by now: somebody else has changed the room. */
  stale = false;
  readonly #first: Set<string>;

  constructor(
    readonly name: string,
    { ownerId = "", clients = [], displays = {}, options = PLAIN }: Partial<Frame>,
    /** What this client has given to create the room, to change it, or to be let in. It takes that to get back into it. */
    public given: RoomOptions,
  ) {
    this.ownerId = ownerId;
    this.options = options;
    this.members = new Set(clients);
    this.displays = new Map(Object.entries(displays));
    this.#first = new Set(this.members);
  }

  /** Takes over who else is there now, and says what that changes. */
  become(clients: readonly string[], displays: Record<string, string>): { came: string[]; went: string[] } {
    const now = new Set(clients);
    const came = clients.filter((id) => !this.members.has(id));
    const went = this.clients.filter((id) => !now.has(id));
    this.members = now;
    this.displays = new Map(Object.entries(displays));
    return { came, went };
  }

  add(id: string, display?: string): void {
    this.members.add(id);
    if (display) this.displays.set(id, display);
  }

  remove(id: string): boolean {
    this.displays.delete(id);
    return this.members.delete(id);
  }

  get clients(): readonly string[] {
    return [...this.members];
  }

  get earlier(): readonly string[] {
    return this.clients.filter((id) => this.#first.has(id));
  }
}

/** A room to get back into. */
export interface Lost {
  /** With what to create it again, if this client owned it and can make it the same. */
  create: RoomOptions | undefined;
  /** With what to join it. */
  join: JoinOptions;
}

/** How long after a room was closed the end of the connection makes it one of the rooms to get back into, in ms. */
const KICK_WINDOW = 5000;

/**
 * The rooms that the client is in, and those that it lost with its connection. When a server stops, a room is sometimes
 * closed under its members shortly before their own connections end; then they want it back too.
 */
export class Rooms {
  readonly present = new Map<string, Entry>();
  /** Rooms to get back into. */
  readonly lost = new Map<string, Lost>();
  readonly #kicked = new Map<string, { at: number; lost: Lost }>();
  /** Ids that this client had. Its dead connections may own rooms until the server notices. */
  readonly #formerIds = new Set<string>();

  /** The client has created the room. */
  create(name: string, ownerId: string, given: RoomOptions = {}): Entry {
    return this.#enter(new Entry(name, { ownerId, options: stateOf(given) }, given));
  }

  /** The client is in the room, as its `room-joined` tells. */
  join(name: string, frame: Frame, given?: RoomOptions): Entry {
    return this.#enter(new Entry(name, frame, { ...this.present.get(name)?.given, ...given }));
  }

  #enter(entry: Entry): Entry {
    const { name } = entry;
    this.present.set(name, entry);
    this.lost.delete(name);
    this.#kicked.delete(name);
    return entry;
  }

  /** What is known of the room's options: this client has given what to change them, or nothing. Says if they changed. */
  update(entry: Entry, options: RoomState = PLAIN, given?: RoomOptions): boolean {
    const same = JSON.stringify(entry.options) === JSON.stringify(options);
    if (same && !given) return false;
    entry.options = options;
    entry.given = { ...entry.given, ...given };
    entry.stale = given?.password ? false : entry.stale || !given;
    return true;
  }

  /** Whether the room's owner was this client, under an earlier id. */
  ownedBefore(name: string): boolean {
    return this.#formerIds.has(this.present.get(name)?.ownerId ?? "");
  }

  /** The client was put out of the room. */
  kick(name: string): Lost {
    const lost = this.#give(name);
    this.present.delete(name);
    const now = Date.now();
    for (const [room, { at }] of this.#kicked) if (now - at > KICK_WINDOW) this.#kicked.delete(room);
    this.#kicked.set(name, { at: now, lost: { ...lost, create: undefined } });
    return lost;
  }

  /** The session of the client with this id has ended. */
  lose(id: string): void {
    if (id) this.#formerIds.add(id);
    if (this.#formerIds.size > 8) this.#formerIds.delete(this.#formerIds.values().next().value!);
    for (const [name, { at, lost }] of this.#kicked) if (Date.now() - at <= KICK_WINDOW) this.lost.set(name, lost);
    for (const name of this.present.keys()) this.lost.set(name, this.#give(name));
    this.#kicked.clear();
    this.present.clear();
  }

  forget(name: string): boolean {
    this.#kicked.delete(name);
    return this.lost.delete(name);
  }

  clear(): void {
    this.present.clear();
    this.lost.clear();
    this.#kicked.clear();
  }

  /** What it takes to get back. A room whose password is not known is not created: it must not come back without one. */
  #give(name: string): Lost {
    const { options, given, stale } = this.present.get(name)!;
    const { password, ownerKey } = given;
    const key = ownerKey ? { ownerKey } : {};
    const join = { ...(password && { password }), ...key };
    if (!this.ownedBefore(name) || (options.password && (stale || !password))) return { create: undefined, join };
    const { onOwnerLost, locked, password: secret, ...rest } = options;
    const create: RoomOptions = {
      ...rest,
      ...key,
      ...(onOwnerLost !== "close" && { onOwnerLost }),
      ...(locked && { locked }),
      ...(secret && password && { password }),
    };
    return { create, join };
  }
}
