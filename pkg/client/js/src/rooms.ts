import type { Room } from "./options.js";

class Entry implements Room {
  readonly members: Set<string>;
  readonly #first: Set<string>;

  constructor(
    readonly name: string,
    readonly ownerId: string,
    clients: Iterable<string>,
  ) {
    this.members = new Set(clients);
    this.#first = new Set(this.members);
  }

  get clients(): readonly string[] {
    return [...this.members];
  }

  get earlier(): readonly string[] {
    return this.clients.filter((id) => this.#first.has(id));
  }
}

/** How long after a room was closed the end of the connection makes it one of the rooms to get back into, in ms. */
const KICK_WINDOW = 5000;

/**
 * The rooms that the client is in, and those that it lost with its connection. When a server stops, a room is sometimes
 * closed under its members shortly before their own connections end; then they want it back too.
 */
export class Rooms {
  readonly present = new Map<string, Entry>();
  /** Rooms to get back into: whether the client owned them. */
  readonly lost = new Map<string, boolean>();
  readonly #kicked = new Map<string, number>();
  /** Ids that this client had. Its dead connections may own rooms until the server notices. */
  readonly #formerIds = new Set<string>();

  enter(name: string, ownerId: string, clients: Iterable<string>): Entry {
    const entry = new Entry(name, ownerId, clients);
    this.present.set(name, entry);
    this.lost.delete(name);
    this.#kicked.delete(name);
    return entry;
  }

  /** Whether the room's owner was this client, under an earlier id. */
  ownedBefore(name: string): boolean {
    return this.#formerIds.has(this.present.get(name)?.ownerId ?? "");
  }

  kick(name: string): void {
    this.present.delete(name);
    const now = Date.now();
    for (const [room, at] of this.#kicked) if (now - at > KICK_WINDOW) this.#kicked.delete(room);
    this.#kicked.set(name, now);
  }

  /** The connection of the client with this id has ended. */
  lose(id: string): void {
    for (const [name, at] of this.#kicked) if (Date.now() - at <= KICK_WINDOW) this.lost.set(name, false);
    for (const [name, entry] of this.present) this.lost.set(name, entry.ownerId === id || this.ownedBefore(name));
    this.#kicked.clear();
    this.present.clear();
    this.#formerIds.add(id);
    if (this.#formerIds.size > 8) this.#formerIds.delete(this.#formerIds.values().next().value!);
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
}
