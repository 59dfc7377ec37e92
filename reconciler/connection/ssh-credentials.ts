/**
 * What we can prove to a server, in the order we try: named keys, keys of the ssh-agent, default keys, password, prompts.
 * Invariant: each has words for it that a person can check; with a password given, keys of the ssh-agent leave tries for it.
 * Never asks a person by itself, never forwards an agent.
 */

import type { AnyAuthMethod } from 'ssh2';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { openSecret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { nobodyToAsk } from './asking.ts';
import { expandHome } from './home-path.ts';
import type { CredentialSources } from './own-credentials.ts';
import { Passphrases } from './passphrases.ts';
import { findIdentities, type Identity } from './ssh-identities.ts';
import { answerPrompts } from './ssh-prompts.ts';
import { type PublicKeyContext, publicKeyMethod } from './ssh-publickey.ts';

/** What a method gets from the attempt it is part of. */
export interface MethodContext extends PublicKeyContext {
  /** A prompt of the server that nobody answered. */
  onUnanswered(prompt: string, reason: string): void;
}

/** One way to authenticate and what to call it. */
export interface Credential {
  /** The name that servers know. */
  readonly wire: 'publickey' | 'password' | 'keyboard-interactive';
  readonly label: string;
  /** Only where another proof was accepted already, or nothing else is allowed. */
  readonly lastResort?: boolean | undefined;
  method(context: MethodContext): AnyAuthMethod;
}

export interface Credentials {
  readonly list: readonly Credential[];
  /** What was left out and why. */
  readonly notes: readonly string[];
}

type Wanted = Pick<ConnectionSpec, 'host' | 'address' | 'keyFile' | 'password' | 'ssh'> & {
  readonly user: string;
};

/** Servers end a connection after six refused tries unless told otherwise; two are kept for the password. */
const keysBeforePassword = 4;

/** The credentials for a connection, in order. Fails only when a key file that was named cannot be used. */
export async function credentialsFor(
  wanted: Wanted,
  sources: CredentialSources,
): Promise<Result<Credentials>> {
  const { keyFile, ssh = {}, host, password } = wanted;
  const named = keyFile === undefined ? ssh.identityFiles : [keyFile];
  const socket = ssh.identityAgent ?? sources.authSock;
  const wishes = {
    named,
    defaults: sources.defaultKeys,
    certificates: ssh.certificateFiles ?? [],
    filesOnly: ssh.identitiesOnly ?? false,
    socket: socket === 'none' || socket === undefined ? undefined : expandHome(socket),
  };
  const passphrases = sources.passphrases ?? new Passphrases(nobodyToAsk('there is no terminal'));
  const found = await findIdentities(wishes, passphrases);
  const reason = keyFile === undefined ? undefined : found.unusable.get(expandHome(keyFile));
  if (reason !== undefined) {
    const where = { host, file: keyFile ?? '' };
    return failure(connectionProblem('ssh.key-unreadable', `${keyFile}: ${reason}`, { where }));
  }
  const kept = password === undefined ? found.list : withinTries(found.list);
  const left = found.list.length - kept.length;
  return success({
    list: [...kept.map(keyCredential), ...askedCredentials(wanted, sources)],
    notes: left === 0 ? found.notes : [...found.notes, `left out ${left} more keys of the ssh-agent`],
  });
}

/** Named keys all count; of the others as many as leave the password its tries. */
function withinTries(identities: readonly Identity[]): readonly Identity[] {
  let room = keysBeforePassword - identities.filter(({ named }) => named).length;
  return identities.filter(({ named }) => named || room-- > 0);
}

function keyCredential(identity: Identity): Credential {
  return {
    wire: 'publickey',
    label: identity.label,
    method: (context) => publicKeyMethod(identity, context),
  };
}

function askedCredentials(wanted: Wanted, sources: CredentialSources): readonly Credential[] {
  const { user: username, password: secret } = wanted;
  const asked: Credential = {
    wire: 'keyboard-interactive',
    label: 'keyboard-interactive',
    lastResort: secret === undefined,
    method: (context) => ({
      type: 'keyboard-interactive',
      username,
      prompt: answerPrompts(wanted, sources.asker ?? nobodyToAsk('there is no terminal'), context),
    }),
  };
  if (secret === undefined) return [asked];
  const plain: Credential = {
    wire: 'password',
    label: 'password',
    method: () => ({ type: 'password', username, password: openSecret(secret) }),
  };
  return [plain, asked];
}
