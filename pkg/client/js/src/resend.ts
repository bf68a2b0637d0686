/** A command of a session that the server may not have got. */
export interface Sent {
  /** Under which its answer comes, if anybody waits for one. */
  readonly id: number | undefined;
  readonly text: string;
  /** A signal is sent again also when nobody waits for its refusal any more. */
  readonly signal: boolean;
}

/** How many commands are kept, and how many characters of them. */
export const MAX_KEPT = 512;
export const MAX_CHARACTERS = 1 << 20;

/** Commands within these bounds. */
class Kept<T extends Sent> {
  readonly all: T[] = [];
  #characters = 0;

  /** Whether there is room for one more. */
  fits({ text }: Sent): boolean {
    return this.all.length < MAX_KEPT && this.#characters + text.length <= MAX_CHARACTERS;
  }

  /** Adds one. The oldest make room for it. */
  add(sent: T): void {
    while (this.all.length && !this.fits(sent)) this.take(1);
    this.all.push(sent);
    this.#characters += sent.text.length;
  }

  /** Removes the oldest. */
  take(count = this.all.length): T[] {
    const taken = this.all.splice(0, count);
    for (const { text } of taken) this.#characters -= text.length;
    return taken;
  }
}

/**
 * Numbers the commands of a session as the server does, and keeps those that it may not have got: a lost connection can
 * have swallowed what was sent on it. The oldest that are too many count as received.
 */
export class Resend {
  readonly #sent = new Kept<Sent & { number: number }>();
  readonly #queued = new Kept<Sent>();
  #number = 0;

  /** Counts a command that is being sent. Without an argument it is one that is never sent again. */
  note(sent?: Sent): void {
    this.#number++;
    if (sent) this.#sent.add({ ...sent, number: this.#number });
  }

  /** Keeps a command until there is a connection. Returns false at the bound. */
  queue(sent: Sent): boolean {
    const fits = this.#queued.fits(sent);
    if (fits) this.#queued.add(sent);
    return fits;
  }

  /** The command with this id has its answer: the server has it, and all before it. */
  answered(id: number): void {
    this.#sent.take(this.#sent.all.findIndex((sent) => sent.id === id) + 1);
  }

  /**
   * Takes out what is to be sent now, in its order: what came after the first `received` commands, which the server has,
   * and what was queued. If it is not `known` how many it has, only the latter. The next is the one after `received`.
   */
  resume(received: number, known: boolean): Sent[] {
    const sent = this.#sent.take().filter(({ number }) => known && number > received);
    this.#number = received;
    return [...sent, ...this.#queued.take()];
  }
}
