import { type Arguments, Commands, entering, type Pending, shown } from "./commands.js";
import { Connection } from "./connection.js";
import { abortable, Emitter, type Unsubscribe } from "./emitter.js";
import { refusal, SignallingError } from "./errors.js";
import type {
  Address,
  ClientEvents,
  ClientOptions,
  ClientState,
  CommandOptions,
  JoinOptions,
  Room,
  RoomOptions,
} from "./options.js";
import type { Frame, Operation } from "./protocol.js";
import type { Sent } from "./resend.js";
import { restore, type Restorer } from "./restore.js";
import { Rooms } from "./rooms.js";
import { gatewayDied } from "./session.js";

/** Bytes that may wait in the socket. Signals beyond that are refused. */
const MAX_WAITING = 4 << 20;
/** Signals that are kept for the first listener. */
const MAX_EARLY = 256;
/**
 * A client of the signalling server: one connection, made anew when it is lost. Where the server keeps sessions, the client
 * is then the same as before: it has its id, is in its rooms and gets what it has missed. Otherwise it has a new id; rooms
 * that it was in are entered again, and those that it owned are created again, with the options that they had.
 */
export class SignallingClient extends Emitter<ClientEvents> {
  readonly #options: ClientOptions;
  readonly #connection: Connection;
  readonly #rooms = new Rooms();
  readonly #commands = new Commands();
  readonly #waiters = new Set<{ resolve(): void; reject(error: unknown): void }>();
  readonly #restorer: Restorer;
  #id = "";
  #display: string | undefined;
  #maxMessage = Infinity;
  #iceServers: RTCIceServer[] | undefined;
  #sessions = 0;
  #early: ClientEvents["signal"][] = [];

  /** The address defaults to /ws on the page's own host. Of several, one after the other is tried. */
  constructor(address: Address = () => new URL("/ws", location.href), options: ClientOptions = {}) {
    super();
    this.#options = options;
    this.#connection = new Connection(address, options, {
      seen: (direction, text) => this.emit("frame", { direction, text }),
      welcome: (frame) => this.#welcome(frame),
      opened: (frame) => this.#opened(frame),
      resumed: (frame, again) => this.#resumed(frame, again),
      frame: (frame) => this.#receive(frame),
      paused: () => this.#paused(),
      lost: () => this.#lost(),
      down: (event) => this.emit("down", event),
      closed: (event) => this.#closed(event),
    });
    this.#restorer = {
      rooms: this.#rooms,
      session: () => this.#sessions,
      connect: () => this.connect(),
      send: (op, args) => this.#send(op, args, undefined, true),
      timeout: options.restoreTimeout ?? 30_000,
      gone: (room, error) => this.emit("room-gone", { room, error }),
    };
  }

  /** The id by which other members know this client. Each session has a new one; empty before the first. */
  get id(): string {
    return this.#id;
  }

  /** This client's own display identity, by which other members are told of it; undefined if it has none. */
  get display(): string | undefined {
    return this.#display;
  }

  get state(): ClientState {
    return this.#connection.state;
  }

  /** The rooms that the client is in now, by name. */
  get rooms(): ReadonlyMap<string, Room> {
    return this.#rooms.present;
  }

  /** ICE servers: those that the server gave, else those of the options. */
  get iceServers(): RTCIceServer[] {
    return this.#iceServers ?? this.#options.iceServers ?? [];
  }

  /**
   * Connects. Resolves when there is a connection, which with `reconnect` may take many tries; rejects when the client is
   * closed or the signal aborts the wait. Commands connect by themselves.
   */
  connect({ signal }: CommandOptions = {}): Promise<void> {
    if (this.state === "open") return Promise.resolve();
    if (this.state === "closed") return quiet(Promise.reject(closedError()));
    if (signal?.aborted) return quiet(Promise.reject(signal.reason));
    const opened = abortable<void>(signal, (resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiters.add(waiter);
      return () => this.#waiters.delete(waiter);
    });
    this.#connection.start();
    return quiet(opened);
  }

  /** Creates the room and makes this client its owner. Rejects with `room-exists` if the name is taken. */
  async createRoom(room: string, { signal, ...options }: RoomOptions & CommandOptions = {}): Promise<Room> {
    const some = Object.keys(options).length > 0;
    return (await this.#command("room-create", { room, ...(some && { options }) }, signal))!;
  }

  /**
   * Joins the room. Rejects with `room-not-exists` if there is none, with `room-full`, and with `forbidden` if it is locked,
   * the password or key is wrong, or the client was removed from it.
   */
  async joinRoom(room: string, { signal, ...given }: JoinOptions & CommandOptions = {}): Promise<Room> {
    return (await this.#command("room-join", { room, ...given }, signal))!;
  }

  /** Changes the options that are given. Rejects with `forbidden` if this client does not own the room. */
  async updateRoom(room: string, { signal, ...options }: RoomOptions & CommandOptions): Promise<Room> {
    return (await this.#command("room-update", { room, options }, signal))!;
  }

  /**
   * Removes a member, which cannot join again under this id as long as the room exists. Rejects with `forbidden` if this
   * client does not own the room, and with `target-not-found`.
   */
  async kick(room: string, clientId: string, { signal }: CommandOptions = {}): Promise<void> {
    await this.#command("room-kick", { room, targetId: clientId }, signal);
  }

  /** Leaves the room, which ends it if this client owns it. Rejects with `not-in-room`. */
  async leaveRoom(room: string, { signal }: CommandOptions = {}): Promise<void> {
    let lost = this.#rooms.forget(room);
    if (lost && this.state !== "open") {
      this.emit("room-left", { room, kicked: false });
      return;
    }
    try {
      if (this.state !== "open") await this.connect({ signal });
      lost ||= this.#rooms.forget(room); // the session was not had back
      await this.#command("room-leave", { room }, signal);
    } catch (error) {
      if (!(lost && error instanceof SignallingError && error.code === "not-in-room")) throw error;
      this.emit("room-left", { room, kicked: false });
    }
  }

  /**
   * Sends a signal, any JSON value, to another member. The server answers only what it cannot deliver: the promise rejects
   * with `target-not-found` or `not-in-room`, and resolves when `signalGrace` has passed without that. Signals to one
   * target arrive in the order of the calls, so there is no need to await one before the next, and a rejection that
   * nobody handles is no unhandled one.
   *
   * Without a connection it waits if the session may be had back, as long as fewer than 512 wait and less than 1 MiB of
   * them; otherwise it rejects with `disconnected`. It rejects with `unavailable` if nobody knows whether it was delivered,
   * because the gateway has died: it may be sent again then.
   */
  signal(room: string, targetId: string, data: unknown, { signal }: CommandOptions = {}): Promise<void> {
    if (this.state !== "open" && !this.#connection.resumable) {
      return quiet(Promise.reject(new SignallingError("disconnected", "there is no connection", room)));
    }
    const args = { room, targetId, data: data ?? null };
    return quiet(this.#send("signal-send", args, signal, false).then(() => {}));
  }

  /**
   * Ends the connection and with it all memberships; without one, these end when the server gives the session up. Whatever
   * waits is rejected with `closed`.
   */
  close(): void {
    this.#connection.close();
  }

  override on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
    options: { signal?: AbortSignal | undefined } = {},
  ): Unsubscribe {
    if (name === "signal" && this.#early.length) {
      queueMicrotask(() => {
        for (const event of this.#early.splice(0)) this.emit("signal", event);
      });
    }
    return super.on(name, listener, options);
  }

  // --- the connection

  #welcome(frame: Frame): void {
    this.#maxMessage = frame.maxMessageBytes ?? Infinity;
    this.#iceServers = frame.iceServers;
  }

  #opened(frame: Frame): void {
    const reconnected = this.#sessions++ > 0;
    this.#id = frame.clientId ?? "";
    this.#display = frame.display;
    // What waited for an answer is asked again, in its order, before anything else.
    for (const [id, pending] of this.#commands.all()) {
      if (pending.abandoned) this.#commands.take(id);
      else this.#transmit(id, pending);
    }
    this.emit("open", { clientId: this.#id, reconnected });
    this.#wake();
    for (const [room, lost] of this.#rooms.lost) void restore(this.#restorer, room, lost);
  }

  /** What the server has not got is sent again, in its order, before anything else. What it has will be answered. */
  #resumed(frame: Frame, again: readonly Sent[]): void {
    this.#id = frame.clientId ?? this.#id;
    const unknown = new Set(again.map(({ id }) => id));
    const left = new Set<string>();
    for (const [id, pending] of this.#commands.all()) {
      if (unknown.has(id)) continue;
      if (frame.missed) this.#doubt(id, pending, frame, left);
      else this.#await(id, pending);
    }
    for (const sent of again) this.#repeat(sent);
    const { missed = false, rooms = [] } = frame;
    this.emit("resumed", { clientId: this.#id, missed });
    this.#wake();
    if (!missed) return;
    for (const room of [...this.#rooms.present.keys()]) {
      if (!rooms.includes(room)) this.#leave(room, { event: "", kicked: !left.has(room) }, undefined);
    }
  }

  #repeat(sent: Sent): void {
    const { id = 0, text } = sent;
    const pending = this.#commands.get(id);
    if (pending?.abandoned) this.#commands.take(id);
    else if (pending) this.#transmit(id, pending);
    else if (sent.signal || !id) this.#connection.send(text, text, sent);
  }

  /** The answer is lost, or the command itself. Where it can be seen what became of it that settles it. */
  #doubt(id: number, pending: Pending, frame: Frame, left: Set<string>): void {
    const { op, room } = pending;
    const member = !!frame.rooms?.includes(room);
    if (pending.abandoned) {
      this.#commands.take(id); // if it has worked, the room's picture shows it
    } else if (op === "signal-send") {
      const taken = this.#commands.take(id)!;
      if (!gatewayDied(frame)) return taken.resolve();
      taken.reject(new SignallingError("unavailable", "nobody knows whether it was delivered", room));
    } else if (op === "room-leave" && !member) {
      left.add(room);
      this.#commands.take(id)?.resolve();
    } else if (op === "room-create" && member && !this.#rooms.present.has(room)) {
      pending.doubted = true; // the room's picture is the answer
      this.#await(id, pending);
    } else {
      pending.doubted = true;
      this.#transmit(id, pending);
    }
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  /** Commands wait until the session is there again. */
  #paused(): void {
    for (const [, pending] of this.#commands.all()) clearTimeout(pending.timer);
  }

  /** The session has ended. Only joins and creates stay: the next one is in no room. */
  #lost(): void {
    this.#rooms.lose(this.#id);
    this.#early = [];
    for (const [id, pending] of this.#commands.all()) {
      clearTimeout(pending.timer);
      if (pending.op === "room-leave") {
        this.#commands.take(id);
        this.#rooms.forget(pending.room);
        pending.resolve();
        this.emit("room-left", { room: pending.room, kicked: false });
      } else if (!entering(pending.op) || pending.restore || pending.abandoned) {
        this.#commands.take(id);
        pending.reject(new SignallingError("disconnected", "the connection was lost", pending.room));
      }
    }
  }

  #closed(event: ClientEvents["closed"]): void {
    this.#early = [];
    this.#rooms.clear();
    const error = closedError(event.reason);
    for (const [id, pending] of this.#commands.all()) {
      this.#commands.take(id);
      pending.reject(error);
    }
    for (const waiter of [...this.#waiters]) waiter.reject(error);
    this.emit("closed", event);
  }

  // --- commands

  async #command(op: Operation, args: Arguments, signal: AbortSignal | undefined): Promise<Room | undefined> {
    if (this.state !== "open") await this.connect({ signal });
    return this.#send(op, args, signal, false);
  }

  #send(
    op: Operation,
    args: Arguments,
    signal: AbortSignal | undefined,
    restore: boolean,
  ): Promise<Room | undefined> {
    return this.#commands.add(op, args, signal, restore, (id, pending) => {
      if (pending.text.length * 3 > this.#maxMessage && bytes(pending.text) > this.#maxMessage) {
        throw new SignallingError("too-large", `longer than ${this.#maxMessage} bytes`, args.room);
      }
      if (op === "signal-send" && this.#connection.waiting > MAX_WAITING) {
        throw new SignallingError("rate-limited", "too much waits to be sent", args.room);
      }
      if (this.state === "open") return this.#transmit(id, pending);
      if (this.state === "closed") throw closedError();
      if (this.#connection.resumable && !this.#connection.keep(sent(id, pending))) {
        throw new SignallingError("disconnected", "too much waits for a connection", args.room);
      }
    });
  }

  #transmit(id: number, pending: Pending): void {
    this.#await(id, pending);
    this.#connection.send(pending.text, shown(pending), sent(id, pending));
  }

  #await(id: number, pending: Pending): void {
    const { answerTimeout = 15_000, signalGrace = 1000 } = this.#options;
    clearTimeout(pending.timer);
    pending.timer =
      pending.op === "signal-send"
        ? setTimeout(() => this.#commands.take(id)?.resolve(), signalGrace)
        : setTimeout(() => this.#overdue(id), answerTimeout);
  }

  /** The server answers within seconds, if only `unavailable`. Without that the connection is dead. */
  #overdue(id: number): void {
    const pending = this.#commands.get(id);
    // It is abandoned by that. Should the session come back, and the answer with it, a join is undone.
    pending?.reject(new SignallingError("timeout", "no answer came in time", pending.room));
    this.#connection.drop("no answer came in time");
  }

  // --- messages of the server

  #receive(frame: Frame): void {
    const { room = "", clientId = "" } = frame;
    switch (frame.event) {
      case "room-joined":
        if (frame.resumed) return this.#picture(frame);
      // falls through
      case "room-created":
        return this.#enter(frame, this.#commands.take(frame.id));
      case "room-left":
        return this.#leave(room, frame, this.#commands.take(frame.id));
      case "owner-changed":
        return this.#owned(room, frame.ownerId ?? "");
      case "room-updated":
        return this.#updated(room, frame, this.#commands.take(frame.id));
      case "client-kicked": // it was told as any leave, before
        return this.#commands.take(frame.id)?.resolve();
      case "client-joined":
        return this.#joined(room, clientId, frame.display);
      case "client-left":
        if (this.#rooms.present.get(room)?.remove(clientId)) this.emit("client-left", { room, clientId });
        return;
      case "signal-receive":
        return this.#signalled({ room, senderId: frame.senderId ?? "", data: frame.data });
      case "room-exists":
      case "room-not-exists":
      case "not-in-room":
      case "target-not-found":
        return this.#refused(refusal(frame.event, room), frame.id);
      case "ice-servers":
        this.#iceServers = frame.iceServers;
        return this.emit("ice-servers", { iceServers: this.iceServers });
      case "token-expiring":
        void this.#connection.renew().then((error) => error && this.emit("error", error));
        return this.emit("token-expiring", { expiresIn: frame.expiresIn ?? 0 });
      case "error":
        return this.#refused(
          new SignallingError(frame.code ?? "internal", frame.message ?? "", frame.room, frame.retryAfter),
          frame.id,
        );
    }
  }

  #joined(room: string, clientId: string, display: string | undefined): void {
    const present = this.#rooms.present.get(room);
    if (!present) return;
    present.add(clientId, display);
    this.emit("client-joined", { room, clientId, ...(display && { display }) });
  }

  #enter(frame: Frame, pending: Pending | undefined): void {
    const name = frame.room ?? "";
    const created = frame.event === "room-created";
    if (pending?.abandoned && !this.#rooms.present.has(name) && !this.#commands.concerns(name)) return this.#undo(name);
    const { options, password, ownerKey } = pending?.args ?? {};
    const room = created
      ? this.#rooms.create(name, this.#id, options)
      : this.#rooms.join(name, frame, { ...(password && { password }), ...(ownerKey && { ownerKey }) });
    pending?.resolve(room);
    this.emit("room-joined", { room, created, restored: pending?.restore ?? false });
  }

  /** The room as it is now, for a session that was resumed and may have missed something of it. */
  #picture(frame: Frame): void {
    const { room: name = "", ownerId = "", clients = [], displays = {}, options } = frame;
    const room = this.#rooms.present.get(name);
    if (!room) {
      const create = this.#commands.doubted(name);
      if (create === undefined) return this.#commands.concerns(name) ? undefined : this.#undo(name);
      const pending = this.#commands.take(create)!;
      if (ownerId !== this.#id) return pending.reject(refusal("room-exists", name));
      const made = this.#rooms.join(name, frame, pending.args.options);
      pending.resolve(made);
      return this.emit("room-joined", { room: made, created: true, restored: pending.restore });
    }
    const { came, went } = room.become(clients, displays);
    for (const clientId of went) this.emit("client-left", { room: name, clientId });
    for (const clientId of came) this.#joined(name, clientId, displays[clientId]);
    this.#owned(name, ownerId);
    if (this.#rooms.update(room, options)) this.emit("room-updated", { room: name, options: room.options });
  }

  /** Nobody wants to be in the room any more. */
  #undo(room: string): void {
    const text = JSON.stringify({ event: "room-leave", room });
    this.#connection.send(text, text, { id: undefined, text, signal: false });
  }

  #leave(name: string, frame: Frame, pending: Pending | undefined): void {
    const kicked = frame.kicked === true;
    const mine = kicked && this.#rooms.ownedBefore(name);
    const known = this.#rooms.present.has(name);
    const lost = kicked && known && this.#rooms.kick(name);
    this.#rooms.present.delete(name);
    this.#early = this.#early.filter((event) => event.room !== name);
    pending?.resolve();
    if (mine && lost) {
      // The room of this client's former connection has ended with it. Now the name is free.
      this.#rooms.lost.set(name, lost);
      void restore(this.#restorer, name, lost);
    } else if (known) {
      this.emit("room-left", { room: name, kicked });
    }
  }

  #owned(name: string, ownerId: string): void {
    const room = this.#rooms.present.get(name);
    if (!room || room.ownerId === ownerId) return;
    room.ownerId = ownerId;
    this.emit("owner-changed", { room: name, ownerId });
  }

  #updated(name: string, frame: Frame, pending: Pending | undefined): void {
    const room = this.#rooms.present.get(name);
    if (!room) return pending?.reject(refusal("not-in-room", name));
    this.#rooms.update(room, frame.options, pending?.args.options);
    pending?.resolve(room);
    this.emit("room-updated", { room: name, options: room.options });
  }

  #signalled(event: ClientEvents["signal"]): void {
    if (this.heard("signal") && !this.#early.length) this.emit("signal", event);
    else if (this.#early.length < MAX_EARLY) this.#early.push(event);
  }

  #refused(error: SignallingError, id: number | undefined): void {
    const pending = this.#commands.take(id);
    if (!pending) return this.emit("error", error);
    // Asked again for somebody who is out by now.
    if (pending.doubted && pending.op === "room-kick" && error.code === "target-not-found") pending.resolve();
    else pending.reject(error);
  }
}

function closedError(reason = "the client is closed"): SignallingError {
  return new SignallingError("closed", reason);
}

function sent(id: number, { op, text }: Pending): Sent {
  return { id, text, signal: op === "signal-send" };
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Keeps a rejection that nobody handles from being reported. Who awaits the promise still gets it. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
