/** Names of events and what their listeners are given. */
export type EventMap = object;

/** Takes a listener away again. Calling it twice does no harm. */
export type Unsubscribe = () => void;

/** The typed events of a class. */
export class Emitter<Events extends EventMap> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls the listener for each event of that name, until the result is called or the signal aborts. */
  on<Name extends keyof Events>(
    name: Name,
    listener: (event: Events[Name]) => void,
    options: { signal?: AbortSignal | undefined } = {},
  ): Unsubscribe {
    let set = this.#listeners.get(name);
    if (!set) this.#listeners.set(name, (set = new Set()));
    const own = (event: Events[Name]) => listener(event); // the same function may listen twice
    set.add(own);
    const off = () => {
      set.delete(own);
      options.signal?.removeEventListener("abort", off);
    };
    if (options.signal?.aborted) off();
    options.signal?.addEventListener("abort", off);
    return off;
  }

  /** Resolves with the next event of that name; rejects with the signal's reason. */
  once<Name extends keyof Events>(
    name: Name,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Events[Name]> {
    return abortable(options.signal, (resolve) => this.on(name, resolve));
  }

  /** @internal */
  protected emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(event as never);
      } catch (error) {
        // A defect of a listener is shown as any other uncaught error, and harms no other listener.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** @internal */
  protected heard(name: keyof Events): boolean {
    return !!this.#listeners.get(name)?.size;
  }
}

/** A promise that an AbortSignal can end. `start` returns what cleans up when it has settled in whatever way. */
export function abortable<T>(
  signal: AbortSignal | undefined,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let clean: (() => void) | undefined;
    let settled = false;
    const end = () => {
      settled = true;
      signal?.removeEventListener("abort", abort);
      clean?.();
    };
    const abort = () => {
      reject(signal!.reason);
      end();
    };
    signal?.addEventListener("abort", abort);
    clean = start(
      (value) => {
        resolve(value);
        end();
      },
      (error) => {
        reject(error);
        end();
      },
    );
    if (settled) clean();
  });
}
