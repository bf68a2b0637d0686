import { pause, type Backoff } from "./backoff.js";
import { type Arguments, Commands, entering, type Pending, shown } from "./commands.js";
import { abortable, Emitter, type Unsubscribe } from "./emitter.js";
import { passes, SignallingError } from "./errors.js";
import { Link, type WebSocketConstructor } from "./link.js";
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
import { BEARER, type Frame, type Operation, PROTOCOL, reconnectAfter } from "./protocol.js";
import { type Lost, Rooms } from "./rooms.js";

/** Bytes that may wait in the socket. Signals beyond that are refused. */
const MAX_WAITING = 4 << 20;
/** Signals that are kept for the first listener. */
const MAX_EARLY = 256;
/** A connection that ended sooner than this, in ms, makes the pauses longer. */
const STABLE = 5000;

/**
 * A client of the signalling server: one connection, made anew when it is lost. Rooms that the client was in are entered
 * again after a reconnect, and those that it owned are created again, with the options that they had.
 */
export class SignallingClient extends Emitter<ClientEvents> {
  readonly #address: Address;
  readonly #options: ClientOptions;
  readonly #backoff: Backoff | undefined;
  readonly #rooms = new Rooms();
  readonly #commands = new Commands();
  readonly #waiters = new Set<{ resolve(): void; reject(error: unknown): void }>();
  readonly #online = () => this.#retryNow();
  #state: ClientState = "idle";
  #link: Link | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #id = "";
  #display: string | undefined;
  #maxMessage = Infinity;
  #iceServers: RTCIceServer[] | undefined;
  #attempt = 0;
  #openedAt = 0;
  #opened = 0;
  #early: ClientEvents["signal"][] = [];

  /** The address defaults to /ws on the page's own host. */
  constructor(address?: Address, options: ClientOptions = {}) {
    super();
    this.#address = address ?? (() => new URL("/ws", location.href));
    this.#options = options;
    const { reconnect = true } = options;
    if (reconnect) this.#backoff = { min: 500, max: 15_000, ...(reconnect === true ? {} : reconnect) };
  }

  /** The id by which other members know this client. Each connection has a new one; empty before the first. */
  get id(): string {
    return this.#id;
  }

  /** This client's own display identity, by which other members are told of it; undefined if it has none. */
  get display(): string | undefined {
    return this.#display;
  }

  get state(): ClientState {
    return this.#state;
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
    if (this.#state === "open") return Promise.resolve();
    if (this.#state === "closed") return quiet(Promise.reject(closedError()));
    if (signal?.aborted) return quiet(Promise.reject(signal.reason));
    const opened = abortable<void>(signal, (resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiters.add(waiter);
      return () => this.#waiters.delete(waiter);
    });
    if (this.#state === "idle") {
      globalThis.addEventListener?.("online", this.#online);
      void this.#dial();
    }
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
    const lost = this.#rooms.forget(room);
    if (lost && this.#state !== "open") {
      this.emit("room-left", { room, kicked: false });
      return;
    }
    try {
      await this.#command("room-leave", { room }, signal);
    } catch (error) {
      if (!(lost && error instanceof SignallingError && error.code === "not-in-room")) throw error;
    }
  }

  /**
   * Sends a signal, any JSON value, to another member. The server answers only what it cannot deliver: the promise rejects
   * with `target-not-found` or `not-in-room`, and resolves when `signalGrace` has passed without that. Signals to one
   * target arrive in the order of the calls, so there is no need to await one before the next, and a rejection that
   * nobody handles is no unhandled one.
   */
  signal(room: string, targetId: string, data: unknown, { signal }: CommandOptions = {}): Promise<void> {
    if (this.#state !== "open") {
      return quiet(Promise.reject(new SignallingError("disconnected", "there is no connection", room)));
    }
    const args = { room, targetId, data: data ?? null };
    return quiet(this.#send("signal-send", args, signal, false).then(() => {}));
  }

  /** Ends the connection and with it all memberships. Whatever waits is rejected with `closed`. */
  close(): void {
    this.#link?.close();
    this.#finish(1000, "closed by this client");
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

  async #dial(): Promise<void> {
    this.#state = "connecting";
    const state = () => this.#state; // it may change during an await
    const url = await this.#url();
    if (state() !== "connecting") return;
    if (url instanceof SignallingError) return this.#down(1006, url.message);
    const token = await this.#token();
    if (state() !== "connecting") return;
    if (token instanceof SignallingError) return this.#down(1006, token.message);
    const protocols = [...(this.#options.protocols ?? []), ...(token ? [BEARER + token] : [])];
    const make = this.#options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (!make) return this.#finish(1006, "there is no WebSocket here; give one in the options");
    let link: Link;
    try {
      link = new Link(make, url, protocols, {
        frame: (frame, text) => this.#receive(frame, text),
        end: (code, reason) => this.#down(code, reason),
      });
    } catch (error) {
      return this.#finish(1006, String(error)); // no URL; trying again would not help
    }
    this.#link = link;
    this.#timer = setTimeout(() => link.drop("connecting took too long"), this.#options.connectTimeout ?? 10_000);
  }

  async #url(): Promise<string | SignallingError> {
    try {
      const address = typeof this.#address === "function" ? await this.#address() : this.#address;
      return String(address).replace(/^http/, "ws");
    } catch (error) {
      return new SignallingError("disconnected", `no address: ${error}`);
    }
  }

  async #token(): Promise<string | SignallingError> {
    try {
      const { token = "" } = this.#options;
      return typeof token === "function" ? await token() : token;
    } catch (error) {
      return new SignallingError("disconnected", `no token: ${error}`);
    }
  }

  /** The token ends: with another one the connection goes on. Without one it is closed, and made anew if that works. */
  async #renew(): Promise<void> {
    if (typeof this.#options.token !== "function") return;
    const connection = this.#opened;
    const token = await this.#token();
    if (this.#state !== "open" || this.#opened !== connection) return;
    if (token instanceof SignallingError) this.emit("error", token);
    else this.#write(JSON.stringify({ event: "token-refresh", token }), '{"event":"token-refresh"}');
  }

  #welcome(frame: Frame): void {
    if ((frame.protocol ?? PROTOCOL) !== PROTOCOL) {
      this.#link?.close();
      return this.#finish(1002, `the server speaks protocol ${frame.protocol}, this client ${PROTOCOL}`);
    }
    clearTimeout(this.#timer);
    const reconnected = this.#opened++ > 0;
    this.#state = "open";
    this.#openedAt = Date.now();
    this.#id = frame.clientId ?? "";
    this.#display = frame.display;
    this.#maxMessage = frame.maxMessageBytes ?? Infinity;
    this.#iceServers = frame.iceServers;
    // What waited for an answer is asked again, in its order, before anything else.
    for (const [id, pending] of this.#commands.all()) {
      if (pending.abandoned) this.#commands.take(id);
      else this.#transmit(id, pending);
    }
    this.emit("open", { clientId: this.#id, reconnected });
    for (const waiter of [...this.#waiters]) waiter.resolve();
    for (const [room, lost] of this.#rooms.lost) void this.#restore(room, lost);
  }

  #down(code: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#link = undefined;
    if (this.#state === "open") {
      if (Date.now() - this.#openedAt > STABLE) this.#attempt = 0;
      this.#rooms.lose(this.#id);
      this.#early = [];
    }
    this.#interrupt();
    if (!this.#backoff || !reconnectAfter(code)) return this.#finish(code, reason);
    const delay = pause(this.#backoff, this.#attempt);
    this.#state = "waiting";
    this.#timer = setTimeout(() => void this.#dial(), delay);
    this.emit("down", { code, reason, attempt: ++this.#attempt, delay });
  }

  /** Settles what the end of a connection settles. Only joins and creates stay: a new connection is in no room. */
  #interrupt(): void {
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

  #finish(code: number, reason: string): void {
    if (this.#state === "closed") return;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#online);
    this.#state = "closed";
    this.#link = undefined;
    this.#early = [];
    this.#rooms.clear();
    const error = closedError(reason);
    for (const [id, pending] of this.#commands.all()) {
      this.#commands.take(id);
      pending.reject(error);
    }
    for (const waiter of [...this.#waiters]) waiter.reject(error);
    this.emit("closed", { code, reason });
  }

  #retryNow(): void {
    if (this.#state !== "waiting") return;
    clearTimeout(this.#timer);
    void this.#dial();
  }

  /** Gets back into a room after a reconnect, as its owner if it was this client's. */
  async #restore(room: string, lost: Lost): Promise<void> {
    const connection = this.#opened;
    const until = Date.now() + (this.#options.restoreTimeout ?? 30_000);
    const wanted = () => this.#state === "open" && this.#opened === connection && this.#rooms.lost.has(room);
    for (let attempt = 0; wanted(); attempt++) {
      try {
        await this.#reenter(room, lost);
        return;
      } catch (error) {
        if (!wanted()) return;
        const failure = error as SignallingError;
        const again = passes(failure) || ["room-not-exists", "room-full"].includes(failure.code);
        if (!again || Date.now() > until) {
          this.#rooms.forget(room);
          this.emit("room-gone", { room, error: failure });
          return;
        }
      }
      await new Promise((resume) => setTimeout(resume, pause({ min: 200, max: 2000 }, attempt)));
    }
  }

  /** With the owner's key the room may be there still. Without it, it ends with the owner and is created again first. */
  async #reenter(room: string, { create, join }: Lost): Promise<void> {
    const enter = () => this.#send("room-join", { room, ...join }, undefined, true);
    if (!create) return void (await enter());
    const some = Object.keys(create).length > 0;
    const make = () => this.#send("room-create", { room, ...(some && { options: create }) }, undefined, true);
    // If it exists somebody was faster, or it is the own dead connection's still. In the latter case it is closed soon.
    const [first, second, unless] = join.ownerKey ? [enter, make, "room-not-exists"] : [make, enter, "room-exists"];
    try {
      await first();
    } catch (error) {
      if (!(error instanceof SignallingError && error.code === unless)) throw error;
      await second();
    }
  }

  // --- commands

  async #command(op: Operation, args: Arguments, signal: AbortSignal | undefined): Promise<Room | undefined> {
    if (this.#state !== "open") await this.connect({ signal });
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
      if (op === "signal-send" && this.#link && this.#link.waiting > MAX_WAITING) {
        throw new SignallingError("rate-limited", "too much waits to be sent", args.room);
      }
      if (this.#state === "open") this.#transmit(id, pending);
      else if (this.#state === "closed") throw closedError();
    });
  }

  #transmit(id: number, pending: Pending): void {
    const { answerTimeout = 15_000, signalGrace = 1000 } = this.#options;
    pending.timer =
      pending.op === "signal-send"
        ? setTimeout(() => this.#commands.take(id)?.resolve(), signalGrace)
        : setTimeout(() => this.#overdue(id), answerTimeout);
    this.#write(pending.text, shown(pending));
  }

  /** The server answers within seconds, if only `unavailable`. Without that the connection is dead. */
  #overdue(id: number): void {
    const pending = this.#commands.take(id);
    pending?.reject(new SignallingError("timeout", "no answer came in time", pending.room));
    this.#link?.drop("no answer came in time");
  }

  /** Inspectors are shown `shown` where the text holds a secret. */
  #write(text: string, shown: string = text): void {
    this.#link?.send(text);
    if (this.heard("frame")) this.emit("frame", { direction: "out", text: shown });
  }

  // --- messages of the server

  #receive(frame: Frame, text: string): void {
    if (this.heard("frame")) this.emit("frame", { direction: "in", text });
    if (this.#state !== "open") {
      if (frame.event === "welcome") this.#welcome(frame);
      return;
    }
    const { room = "", clientId = "" } = frame;
    switch (frame.event) {
      case "room-created":
      case "room-joined":
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
        return this.#refused(new SignallingError(frame.event, words[frame.event], room), frame.id);
      case "ice-servers":
        this.#iceServers = frame.iceServers;
        return this.emit("ice-servers", { iceServers: this.iceServers });
      case "token-expiring":
        void this.#renew();
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
    if (pending?.abandoned && !this.#rooms.present.has(name) && !this.#commands.concerns(name)) {
      return this.#write(JSON.stringify({ event: "room-leave", room: name }));
    }
    const { options, password, ownerKey } = pending?.args ?? {};
    const room = created
      ? this.#rooms.create(name, this.#id, options)
      : this.#rooms.join(name, frame, { ...(password && { password }), ...(ownerKey && { ownerKey }) });
    pending?.resolve(room);
    this.emit("room-joined", { room, created, restored: pending?.restore ?? false });
  }

  #leave(name: string, frame: Frame, pending: Pending | undefined): void {
    const kicked = frame.kicked === true;
    const restore = kicked && this.#rooms.ownedBefore(name);
    const known = this.#rooms.present.has(name);
    const lost = kicked && known && this.#rooms.kick(name);
    this.#rooms.present.delete(name);
    this.#early = this.#early.filter((event) => event.room !== name);
    pending?.resolve();
    if (restore && lost) {
      // The room of this client's former connection has ended with it. Now the name is free.
      this.#rooms.lost.set(name, lost);
      void this.#restore(name, lost);
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
    if (!room) return pending?.reject(new SignallingError("not-in-room", words["not-in-room"], name));
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
    if (pending) pending.reject(error);
    else this.emit("error", error);
  }
}

const words = {
  "room-exists": "a room of this name exists already",
  "room-not-exists": "there is no room of this name",
  "not-in-room": "this client is not in the room",
  "target-not-found": "the target is not in the room",
};

function closedError(reason = "the client is closed"): SignallingError {
  return new SignallingError("closed", reason);
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Keeps a rejection that nobody handles from being reported. Who awaits the promise still gets it. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
