/**
 * Opens encrypted keys by asking for their passphrases: once for each file and process, however many hosts wait.
 * Invariant: three wrong answers or a refusal count for all who wait and for all who come later; nothing is kept but the opened key.
 * Never asks where nobody is.
 */

import type { ParsedKey } from 'ssh2';
import { openSecret } from '../../agent/protocol/secret.ts';
import type { Asker } from './asking.ts';

export type Opened =
  | { readonly ok: true; readonly key: ParsedKey }
  | { readonly ok: false; readonly reason: string };

const tries = 3;

export class Passphrases {
  readonly #asker: Asker;
  readonly #opened = new Map<string, Promise<Opened>>();

  constructor(asker: Asker) {
    this.#asker = asker;
  }

  /** The key in an encrypted text that was read from a path. */
  open(path: string, text: string): Promise<Opened> {
    const name = `${path}\n${text}`;
    const known = this.#opened.get(name) ?? this.#ask(path, text);
    this.#opened.set(name, known);
    return known;
  }

  async #ask(path: string, text: string): Promise<Opened> {
    const { openKey } = await import('./ssh-key-file.ts');
    for (let attempt = 1; attempt <= tries; attempt += 1) {
      const again = attempt === 1 ? undefined : ['That is not its passphrase.'];
      const answer = await this.#asker.ask({
        prompt: `Passphrase for ${path}: `,
        echo: false,
        remarks: again,
      });
      if (answer.kind === 'nobody')
        return { ok: false, reason: `it has a passphrase, and nobody can be asked: ${answer.reason}` };
      if (answer.kind === 'declined') return { ok: false, reason: 'its passphrase was not given' };
      const key = openKey(text, openSecret(answer.text));
      if (!(key instanceof Error)) return { ok: true, key };
    }
    return { ok: false, reason: `its passphrase was wrong ${tries} times` };
  }
}
