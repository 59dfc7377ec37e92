/**
 * How a connection asks the person at the terminal: the interface, and the one that has nobody to ask.
 * Invariant: an answer is a Secret from the first moment; without a terminal nothing waits.
 * Never touches a terminal itself.
 */

import type { Secret } from '../../agent/protocol/secret.ts';

export interface Question {
  /** Ends where the answer begins: `Passphrase for ~/.ssh/id_ed25519: `. */
  readonly prompt: string;
  /** Whether the answer may be seen while it is typed. */
  readonly echo: boolean;
  /** Said above the prompt. */
  readonly remarks?: readonly string[] | undefined;
}

export type Answer =
  | { readonly kind: 'answered'; readonly text: Secret }
  /** The person wants to give no answer. */
  | { readonly kind: 'declined' }
  /** There is nobody, and why. */
  | { readonly kind: 'nobody'; readonly reason: string };

export interface Asker {
  /** Questions are asked one after the other, however many wait. */
  ask(question: Question): Promise<Answer>;
}

/** An asker that has nobody to ask. */
export function nobodyToAsk(reason: string): Asker {
  return { ask: async () => ({ kind: 'nobody', reason }) };
}
