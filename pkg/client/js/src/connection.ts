import { pause, type Backoff } from "./backoff.js";
import { Dialer } from "./dial.js";
import { SignallingError } from "./errors.js";
import { Link, type WebSocketConstructor } from "./link.js";
import type { Address, ClientEvents, ClientOptions, ClientState } from "./options.js";
import { type Frame, PROTOCOL, reconnectAfter } from "./protocol.js";
import type { Sent } from "./resend.js";
import { RESUME_ID, Session } from "./session.js";

/** A connection that ended sooner than this, in ms, makes the pauses longer. */
const STABLE = 5000;
/** The pause, in ms, before a client connects that its gateway has sent elsewhere. */
const ELSEWHERE: Backoff = { min: 100, max: 100 };

export interface ConnectionHandlers {
  /** A message, as it travels, without its secrets. */
  seen(direction: "in" | "out", text: string): void;
  /** The server's first message on each connection. */
  welcome(frame: Frame): void;
  /** The connection has a new session. */
  opened(frame: Frame): void;
  /** The connection has the session that the one before it had; `again` is to be sent now, before all else. */
  resumed(frame: Frame, again: readonly Sent[]): void;
  /** A message of the session. */
  frame(frame: Frame): void;
  /** The connection is lost. The session may be had back. */
  paused(): void;
  /** The session has ended, and all memberships with it. */
  lost(): void;
  down(event: ClientEvents["down"]): void;
  closed(event: ClientEvents["closed"]): void;
}

/** A connection to the server that is made anew when it is lost, with its session if the server keeps that. */
export class Connection {
  readonly #dialer: Dialer;
  readonly #options: ClientOptions;
  readonly #handlers: ConnectionHandlers;
  readonly #backoff: Backoff | undefined;
  readonly #online = () => this.#retryNow();
  #state: ClientState = "idle";
  #link: Link | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #openedAt = 0;
  /** The pause that a gateway which stops has asked for, in ms. */
  #sentAway: number | undefined;
  #session: Session | undefined;
  /** What the present connection has if the session is refused: while that is being asked for. */
  #fresh: { welcome: Frame; session: Session | undefined } | undefined;

  constructor(address: Address, options: ClientOptions, handlers: ConnectionHandlers) {
    this.#dialer = new Dialer(address, options);
    this.#options = options;
    this.#handlers = handlers;
    const { reconnect = true } = options;
    if (reconnect) this.#backoff = { min: 500, max: 15_000, ...(reconnect === true ? {} : reconnect) };
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Whether there is a session, with or without a connection. */
  get resumable(): boolean {
    return !!this.#session;
  }

  /** Bytes that wait to be sent. */
  get waiting(): number {
    return this.#link?.waiting ?? 0;
  }

  /** Connects, unless that was begun before. */
  start(): void {
    if (this.#state !== "idle") return;
    globalThis.addEventListener?.("online", this.#online);
    void this.#dial();
  }

  /** Sends a command. `kept` says that it is to arrive, and `shown` what of it is no secret. */
  send(text: string, shown: string, kept?: Sent): void {
    this.#session?.sent.note(kept);
    this.#link?.send(text);
    this.#handlers.seen("out", shown);
  }

  /** Keeps a command until the session has a connection again. Returns false if it does not wait, or too much does. */
  keep(sent: Sent): boolean {
    return this.#session?.sent.queue(sent) ?? false;
  }

  /** Gives the present connection up. */
  drop(reason: string): void {
    this.#link?.drop(reason);
  }

  /** Ends it for good. */
  close(): void {
    this.#link?.close();
    this.#finish(1000, "closed by this client");
  }

  /** Gives the server another token, before the present one ends. */
  async renew(): Promise<SignallingError | undefined> {
    if (typeof this.#options.token !== "function") return;
    const link = this.#link;
    const token = await this.#dialer.token();
    if (this.#state !== "open" || this.#link !== link) return;
    if (token instanceof SignallingError) return token;
    this.send(JSON.stringify({ event: "token-refresh", token }), '{"event":"token-refresh"}');
    return;
  }

  async #dial(): Promise<void> {
    this.#state = "connecting";
    const target = await this.#dialer.next();
    if ((this.#state as ClientState) !== "connecting") return;
    if (target instanceof SignallingError) return this.#down(1006, target.message);
    const make = this.#options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (!make) return this.#finish(1006, "there is no WebSocket here; give one in the options");
    let link: Link;
    try {
      link = new Link(make, target.url, target.protocols, {
        frame: (frame, text) => this.#receive(frame, text),
        end: (code, reason) => this.#down(code, reason),
      });
    } catch (error) {
      return this.#finish(1006, String(error)); // no URL; trying again would not help
    }
    this.#link = link;
    this.#timer = setTimeout(() => link.drop("connecting took too long"), this.#options.connectTimeout ?? 10_000);
  }

  #receive(frame: Frame, text: string): void {
    this.#handlers.seen("in", frame.resume ? text.replace(JSON.stringify(frame.resume), '"…"') : text);
    if (this.#state === "open") {
      this.#session?.count(frame);
      if (frame.event === "going-away") this.#sentAway = frame.retryAfter ?? 0;
      return this.#handlers.frame(frame);
    }
    if (frame.event === "welcome") return this.#welcome(frame);
    if (!this.#fresh) return;
    if (frame.event === "resumed") return this.#resumed(frame);
    this.#fresh.session?.count(frame);
    if (frame.id === RESUME_ID) this.#refused(frame);
  }

  #welcome(frame: Frame): void {
    if ((frame.protocol ?? PROTOCOL) !== PROTOCOL) {
      this.#link?.close();
      return this.#finish(1002, `the server speaks protocol ${frame.protocol}, this client ${PROTOCOL}`);
    }
    this.#handlers.welcome(frame);
    const { resume = true } = this.#options;
    const session = resume && this.#backoff && frame.resume ? new Session(frame) : undefined;
    this.#fresh = { welcome: frame, session };
    if (!this.#session) return this.#begin();
    this.#link?.send(this.#session.command);
    this.#handlers.seen("out", '{"event":"resume"}');
  }

  /** The connection goes on with a session of its own. */
  #begin(): void {
    const { welcome, session } = this.#fresh!;
    this.#session = session;
    this.#open();
    this.#handlers.opened(welcome);
  }

  #resumed(frame: Frame): void {
    const again = this.#session!.resume(frame);
    this.#open();
    this.#handlers.resumed(frame, again);
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#fresh = undefined;
    this.#state = "open";
    this.#openedAt = Date.now();
  }

  /** The session cannot be had back, or not now. */
  #refused({ code, message = "" }: Frame): void {
    if (code === "unavailable" || code === "rate-limited") {
      this.#link?.close(); // in order, so that nothing is kept of it
      return this.#down(1006, message);
    }
    this.#lose();
    this.#begin();
  }

  #lose(): void {
    this.#session = undefined;
    this.#handlers.lost();
  }

  #down(code: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#link = this.#fresh = undefined;
    if (this.#state === "open" && Date.now() - this.#openedAt > STABLE) this.#attempt = 0;
    this.#state = "waiting";
    const again = this.#backoff && reconnectAfter(code) ? this.#backoff : undefined;
    this.#session?.pause();
    if (again && this.#session && !this.#session.over) this.#handlers.paused();
    else this.#lose();
    if (!again) return this.#finish(code, reason);
    const away = this.#sentAway;
    const delay = away === undefined ? pause(again, this.#attempt) : away + pause(ELSEWHERE, 0);
    this.#sentAway = undefined;
    this.#timer = setTimeout(() => void this.#dial(), delay);
    this.#handlers.down({ code, reason, attempt: ++this.#attempt, delay, resumable: this.resumable });
  }

  #finish(code: number, reason: string): void {
    if (this.#state === "closed") return;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#online);
    this.#state = "closed";
    this.#link = this.#fresh = this.#session = undefined;
    this.#handlers.closed({ code, reason });
  }

  #retryNow(): void {
    if (this.#state !== "waiting") return;
    clearTimeout(this.#timer);
    void this.#dial();
  }
}
