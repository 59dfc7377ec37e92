/**
 * Where credentials are that no spec names: the ssh-agent, the default keys, a person to ask.
 * Invariant: the same places as OpenSSH's.
 * Reads no key.
 */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Asker, nobodyToAsk } from './asking.ts';
import { Passphrases } from './passphrases.ts';

/** Where credentials are besides the spec. */
export interface CredentialSources {
  /** Path of the ssh-agent's socket. */
  readonly authSock?: string | undefined;
  readonly defaultKeys: readonly string[];
  /** Opens encrypted keys; left out, nobody can be asked. */
  readonly passphrases?: Passphrases | undefined;
  /** Answers what a server asks besides a password. */
  readonly asker?: Asker | undefined;
}

/** What OpenSSH would use for this account, with somebody to ask where there is one. */
export function ownCredentials(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  asker: Asker = nobodyToAsk('there is no terminal'),
): CredentialSources {
  const names = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
  return {
    authSock: environment.SSH_AUTH_SOCK || undefined,
    defaultKeys: names.map((name) => join(homedir(), '.ssh', name)),
    passphrases: new Passphrases(asker),
    asker,
  };
}
