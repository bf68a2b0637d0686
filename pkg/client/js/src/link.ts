import { GIVEN_UP, SUBPROTOCOL, type Frame } from "./protocol.js";

/** What the client needs of a WebSocket: the browser's has it, and the `ws` package's. */
export interface WebSocketLike {
  readonly bufferedAmount: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

export interface LinkHandlers {
  /** A message of the server, parsed and as it came. */
  frame(frame: Frame, text: string): void;
  /** The connection has ended, or never was. Called once, and nothing is called after it. */
  end(code: number, reason: string): void;
}

/** One WebSocket connection. */
export class Link {
  readonly #ws: WebSocketLike;
  readonly #end: (code: number, reason: string) => void;
  #over = false;

  constructor(make: WebSocketConstructor, url: string, protocols: readonly string[], handlers: LinkHandlers) {
    const ws = (this.#ws = new make(url, [SUBPROTOCOL, ...protocols]));
    this.#end = handlers.end;
    ws.onmessage = ({ data }) => {
      let frame: Frame;
      try {
        frame = JSON.parse(data);
      } catch {
        return this.drop("a message that is no JSON");
      }
      if (!this.#over) handlers.frame(frame, data);
    };
    ws.onclose = ({ code, reason }) => this.#finish(code, reason);
    ws.onerror = () => {}; // a close event follows and says as much
  }

  /** Bytes that wait to be sent. */
  get waiting(): number {
    return this.#ws.bufferedAmount;
  }

  send(text: string): void {
    if (!this.#over) this.#ws.send(text);
  }

  /** Ends the connection in order. Nothing is told of it. */
  close(): void {
    this.#over = true;
    this.#ws.close(1000);
  }

  /** Gives the connection up without waiting for the other side. */
  drop(reason: string): void {
    if (this.#over) return;
    try {
      this.#ws.close(GIVEN_UP, reason);
    } catch {
      // It was about to end anyway.
    }
    this.#finish(1006, reason);
  }

  #finish(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#end(code, reason);
  }
}
