import type { Frame } from "./protocol.js";
import { Resend, type Sent } from "./resend.js";

/** The id of the command that resumes a session. Others begin with 1. */
export const RESUME_ID = 0;

/** What is no event of a session, but of its connection (PROTOCOL.md, section 1.10). */
const UNCOUNTED = ["welcome", "resumed", "going-away"];

/** What the server keeps of this client while it has no connection, as far as the client knows it. */
export class Session {
  readonly sent = new Resend();
  #token: string;
  #window: number;
  #received = 0;
  #until = Infinity;

  /** `welcome` has brought a token. */
  constructor({ resume = "", resumeWindow = 0 }: Frame) {
    this.#token = resume;
    this.#window = resumeWindow;
  }

  /** Whether it is too late to come back. */
  get over(): boolean {
    return Date.now() > this.#until;
  }

  /** The command that asks the server for the session. */
  get command(): string {
    return JSON.stringify({ event: "resume", id: RESUME_ID, token: this.#token, received: this.#received });
  }

  /** A message of the server. */
  count({ event, id }: Frame): void {
    if (!UNCOUNTED.includes(event)) this.#received++;
    if (id) this.sent.answered(id);
  }

  /** The connection is lost, or the next one did not come about. */
  pause(): void {
    this.#until = Math.min(this.#until, Date.now() + this.#window);
  }

  /** The server has answered with `resumed`. Returns what is to be sent, in its order. */
  resume({ resume, resumeWindow, seq = 0, received = 0, missed = false }: Frame): Sent[] {
    this.#token = resume ?? this.#token;
    this.#window = resumeWindow ?? this.#window;
    this.#received = seq;
    this.#until = Infinity;
    return this.sent.resume(received, !gatewayDied({ missed, received }));
  }
}

/** Whether nobody knows which of the last commands the server has carried out. */
export function gatewayDied({ missed, received }: { missed?: boolean; received?: number }): boolean {
  return !!missed && !received;
}
