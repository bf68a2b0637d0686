import { SignallingError } from "./errors.js";
import type { Address, ClientOptions } from "./options.js";
import { BEARER } from "./protocol.js";

/** Where a connection is to be made, and what to offer there. */
export interface Target {
  url: string;
  protocols: string[];
}

/** Says where to connect next: to one address after the other, round and round. */
export class Dialer {
  readonly #address: Address;
  readonly #options: ClientOptions;
  #turn = 0;

  constructor(address: Address, options: ClientOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** The next target, or why there is none now. */
  async next(): Promise<Target | SignallingError> {
    try {
      const found = typeof this.#address === "function" ? await this.#address() : this.#address;
      const all = typeof found === "string" || found instanceof URL ? [found] : found;
      if (!all.length) return failure("no address", "the list is empty");
      const url = String(all[this.#turn++ % all.length]).replace(/^http/, "ws");
      const token = await this.token();
      if (token instanceof SignallingError) return token;
      return { url, protocols: [...(this.#options.protocols ?? []), ...(token ? [BEARER + token] : [])] };
    } catch (error) {
      return failure("no address", error);
    }
  }

  async token(): Promise<string | SignallingError> {
    try {
      const { token = "" } = this.#options;
      return typeof token === "function" ? await token() : token;
    } catch (error) {
      return failure("no token", error);
    }
  }
}

function failure(what: string, why: unknown): SignallingError {
  return new SignallingError("disconnected", `${what}: ${why}`);
}
