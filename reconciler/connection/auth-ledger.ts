/**
 * Gives ssh2 one credential after the other and remembers what was tried, what the server said, and what was accepted.
 * Invariant: a method the server does not allow is not tried; after a partial success what was passed over gets its turn again.
 * Every try is written down in words a person can check.
 */

import type { AnyAuthMethod } from 'ssh2';
import type { Credential, Credentials, MethodContext } from './ssh-credentials.ts';

interface Try {
  readonly credential: Credential;
  accepted: boolean;
  note?: string | undefined;
}

/** Hosts may be hostile: so many methods are enough. */
const mostMethods = 20;

export class AuthLedger {
  readonly #credentials: Credentials;
  readonly #user: string;
  readonly #tries: Try[] = [];
  readonly #allowed = new Set<string>();
  readonly #locked: string[] = [];
  readonly #unanswered: string[] = [];
  #allowedNow: readonly string[] | undefined;
  #left: Credential[];
  #last: Try | undefined;
  #isAsked = false;

  constructor(user: string, credentials: Credentials) {
    this.#user = user;
    this.#credentials = credentials;
    this.#left = [...credentials.list];
  }

  /** What the server said after a try: what may go on, and whether the try was accepted as one of several. */
  heard(allowed: readonly string[], isPartial: boolean): void {
    this.#allowedNow = allowed.slice(0, mostMethods);
    for (const method of this.#allowedNow) this.#allowed.add(method.replace(/[^\w@.-]/g, '?').slice(0, 64));
    if (isPartial) this.#accept();
  }

  /** The next method; false when nothing is left. */
  next(context: MethodContext): AnyAuthMethod | false {
    for (let next = this.#left.shift(); next !== undefined; next = this.#left.shift()) {
      if (!this.#fits(next)) continue;
      this.#last = { credential: next, accepted: false };
      this.#tries.push(this.#last);
      return next.method(context);
    }
    if (this.#isAsked || this.#tries.length > 0) return false;
    this.#isAsked = true;
    return { type: 'none', username: this.#user };
  }

  /** A key that the server may take but that could not be opened. */
  onLocked(label: string, reason: string): void {
    this.#locked.push(`${label}: ${reason}`);
    if (this.#last !== undefined) this.#last.note = reason;
  }

  onUnanswered(prompt: string, reason: string): void {
    this.#unanswered.push(`"${prompt.trim()}": ${reason}`);
    if (this.#last !== undefined) this.#last.note = `asked "${prompt.trim()}": ${reason}`;
  }

  /** What stood in the way here rather than there: keys without their passphrase, prompts without an answer. */
  get obstacles(): { readonly locked: readonly string[]; readonly unanswered: readonly string[] } {
    return { locked: this.#locked, unanswered: this.#unanswered };
  }

  /** What was tried and allowed, for a Problem. */
  get story(): string {
    const allowed = [...this.#allowed];
    const server = allowed.length === 0 ? 'did not say what it allows' : `allows ${allowed.join(', ')}`;
    const tried = this.#tries.map(({ credential, accepted, note }) => {
      const also = accepted ? 'accepted, but more is wanted' : note;
      return also === undefined ? credential.label : `${credential.label} [${also}]`;
    });
    const words = tried.length > 0 ? tried.join('; ') : this.#isAsked ? 'no credentials' : 'nothing';
    return [`tried ${words}`, ...this.#credentials.notes, `the server ${server}`].join('; ');
  }

  /** The last thing tried: what let us in, after success. */
  get last(): string {
    return this.#last?.credential.label ?? 'nothing';
  }

  #accept(): void {
    if (this.#last === undefined) return;
    this.#last.accepted = true;
    const accepted = new Set(
      this.#tries.filter((entry) => entry.accepted).map(({ credential }) => credential),
    );
    this.#left = this.#credentials.list.filter((credential) => !accepted.has(credential));
    this.#last = undefined;
  }

  #fits({ wire, lastResort }: Credential): boolean {
    const allowed = this.#allowedNow;
    if (lastResort === true) {
      const others = (allowed ?? ['publickey']).filter((method) => method !== wire);
      if (others.length > 0 && !this.#tries.some(({ accepted }) => accepted)) return false;
    }
    return allowed === undefined || allowed.length === 0 || allowed.includes(wire);
  }
}
