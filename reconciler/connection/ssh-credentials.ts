/**
 * What we can prove to a server, in the order we try: key file, ssh-agent, default keys, password, keyboard-interactive.
 * Invariant: every try is written down in words a person can check; a method the server does not allow is not tried.
 * Never asks a person, never forwards an agent.
 */

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { AnyAuthMethod, AuthenticationType } from 'ssh2';
import ssh2 from 'ssh2';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { openSecret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { fingerprint } from './known-hosts.ts';

/** Where credentials are besides the spec. */
export interface CredentialSources {
  /** Path of the ssh-agent's socket. */
  readonly authSock?: string | undefined;
  readonly defaultKeys: readonly string[];
}

/** What OpenSSH would use for this account. */
export function ownCredentials(environment: NodeJS.ProcessEnv = process.env): CredentialSources {
  const names = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
  return {
    authSock: environment.SSH_AUTH_SOCK || undefined,
    defaultKeys: names.map((name) => join(homedir(), '.ssh', name)),
  };
}

/** One way to authenticate and what to call it. */
export interface Credential {
  readonly kind: AuthenticationType;
  readonly label: string;
  readonly method: AnyAuthMethod;
}

type Wanted = Pick<ConnectionSpec, 'host' | 'keyFile' | 'password'> & { readonly user: string };

/** The credentials for a connection, in order. Fails only when a key file that was named cannot be used. */
export async function credentialsFor(
  wanted: Wanted,
  sources: CredentialSources,
): Promise<Result<readonly Credential[]>> {
  const found: Credential[] = [];
  if (wanted.keyFile !== undefined) {
    const key = await readKey(expandHome(wanted.keyFile), wanted.user);
    const locked = !key.ok && key.locked && sources.authSock !== undefined;
    if (key.ok) found.push(key.credential);
    else if (!locked) {
      const where = { host: wanted.host, file: wanted.keyFile };
      return failure(connectionProblem('ssh.key-unreadable', `${wanted.keyFile}: ${key.message}`, { where }));
    }
  }
  if (sources.authSock !== undefined) found.push(agentCredential(sources.authSock, wanted.user));
  for (const path of wanted.keyFile === undefined ? sources.defaultKeys : []) {
    const key = await readKey(path, wanted.user);
    if (key.ok) found.push(key.credential);
  }
  if (wanted.password !== undefined) found.push(...passwordCredentials(wanted.user, wanted.password));
  return success(found);
}

/** Gives ssh2 one credential after the other and remembers what was tried and what the server said it allows. */
export class AuthLedger {
  readonly #left: Credential[];
  readonly #user: string;
  readonly #tried: string[] = [];
  readonly #allowed = new Set<string>();

  constructor(user: string, credentials: readonly Credential[]) {
    this.#user = user;
    this.#left = [...credentials];
  }

  /** The next method; false when nothing is left. */
  next(allowed: readonly AuthenticationType[] | null): AnyAuthMethod | false {
    for (const method of allowed ?? []) this.#allowed.add(method);
    for (let next = this.#left.shift(); next !== undefined; next = this.#left.shift()) {
      const wire = next.kind === 'agent' ? 'publickey' : next.kind;
      if (allowed !== null && allowed.length > 0 && !allowed.includes(wire)) continue;
      this.#tried.push(next.label);
      return next.method;
    }
    if (this.#tried.length > 0) return false;
    this.#tried.push('no credentials');
    return { type: 'none', username: this.#user };
  }

  /** What was tried and allowed, for a Problem. */
  get story(): string {
    const allowed = [...this.#allowed];
    const server = allowed.length === 0 ? 'did not say what it allows' : `allows ${allowed.join(', ')}`;
    return `tried ${this.#tried.join('; ') || 'nothing'}; the server ${server}`;
  }

  /** The last thing tried: what let us in, after success. */
  get last(): string {
    return this.#tried.at(-1) ?? 'nothing';
  }
}

type KeyRead =
  | { readonly ok: true; readonly credential: Credential }
  | { readonly ok: false; readonly locked: boolean; readonly message: string };

async function readKey(path: string, username: string): Promise<KeyRead> {
  let text: Buffer;
  try {
    text = await readFile(path);
  } catch (error) {
    return { ok: false, locked: false, message: (error as Error).message };
  }
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) {
    const locked = /encrypted|passphrase/i.test(parsed.message);
    const message = locked ? 'it has a passphrase; load it into an ssh-agent' : parsed.message;
    return { ok: false, locked, message };
  }
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || !key.isPrivateKey())
    return { ok: false, locked: false, message: 'it is no private key' };
  const label = `key ${path} (${key.type} ${fingerprint(key.getPublicSSH())})`;
  return { ok: true, credential: { kind: 'publickey', label, method: { type: 'publickey', username, key } } };
}

function agentCredential(socket: string, username: string): Credential {
  return { kind: 'agent', label: `ssh-agent ${socket}`, method: { type: 'agent', username, agent: socket } };
}

function passwordCredentials(
  username: string,
  secret: NonNullable<ConnectionSpec['password']>,
): readonly Credential[] {
  const password = openSecret(secret);
  return [
    { kind: 'password', label: 'password', method: { type: 'password', username, password } },
    {
      kind: 'keyboard-interactive',
      label: 'keyboard-interactive',
      method: {
        type: 'keyboard-interactive',
        username,
        prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
      },
    },
  ];
}

function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}
