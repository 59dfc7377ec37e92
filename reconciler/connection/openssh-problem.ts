/**
 * What OpenSSH's client says when it fails, as the problems that our own ssh has.
 * Invariant: a word of the client that is not known still becomes a problem, with its last lines.
 * Pure: text in, a problem out.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { type ConnectionProblemCode, connectionProblem } from '../base/problem-codes/connection.ts';

interface Finding {
  readonly code: ConnectionProblemCode;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly hint?: string;
}

type Finder = (said: string, spec: ConnectionSpec) => Finding | undefined;

/** Whether the client's messages say that the host let us in. */
export function isAuthenticated(said: string): boolean {
  return /^(debug1: )?Authenticated to /m.test(said);
}

/** The problem behind a failed client; `said` is all it said, debugging lines included. */
export function opensshProblem(spec: ConnectionSpec, said: string, fallback: string): Problem {
  for (const find of finders) {
    const found = find(said, spec);
    if (found === undefined) continue;
    const { code, message, file, line, hint } = found;
    const where = {
      host: spec.host,
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
    };
    return connectionProblem(code, message, hint === undefined ? { where } : { where, hint });
  }
  const lines = lastWords(said);
  const message = lines.at(-1) ?? fallback;
  return connectionProblem('ssh.client-failed', `${nameOf(spec)}: ${message}`, {
    where: { host: spec.host },
    lines,
  });
}

/** A changed key that the client's configuration let pass all the same. */
export function changedKey(spec: ConnectionSpec, said: string): Problem | undefined {
  const found = hostKeyChanged(said, spec);
  if (found === undefined) return undefined;
  return opensshProblem(spec, said, found.message);
}

/** Debugging, banners of warnings, figures at the end, and what a client says that lost its master. */
const noise =
  /^(debug\d: |OpenSSH_|@{5}|\*\*|Authenticated to |Transferred: |Bytes per second: |Connection closed by UNKNOWN)/;

/** The last lines that are no debugging. */
export function lastWords(said: string): readonly string[] {
  return said
    .split(/\r?\n/)
    .map((line) => line.trimEnd().slice(0, 300))
    .filter((line) => line !== '' && !noise.test(line))
    .slice(-10);
}

const hostKeyRevoked: Finder = (said, spec) => {
  if (!/REVOKED HOST KEY|is marked as revoked/.test(said)) return undefined;
  const [file, line] = offending(said);
  return {
    code: 'ssh.host-key-revoked',
    message: `${nameOf(spec)} shows ${shownKey(said)}, which is revoked`,
    file,
    line,
  };
};

const hostKeyChanged: Finder = (said, spec) => {
  if (!/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(said)) return undefined;
  if (spec.hostKeys === 'pinned') return notPinned(said, spec);
  const [file, line] = offending(said);
  const place = file === undefined ? 'known_hosts' : `${file}:${line}`;
  const message = `${nameOf(spec)} shows ${shownKey(said)}, but ${place} lists another`;
  return { code: 'ssh.host-key-changed', message, file, line };
};

const hostKeyUnknown: Finder = (said, spec) => {
  if (!/Host key verification failed|host key is known for/.test(said)) return undefined;
  if (spec.hostKeys === 'pinned') return notPinned(said, spec);
  const message = `${nameOf(spec)} shows ${shownKey(said)}, and no known_hosts file lists the host`;
  return { code: 'ssh.host-key-unknown', message };
};

function notPinned(said: string, spec: ConnectionSpec): Finding {
  const count = spec.pinnedKeys.length;
  const message = `${spec.address} shows ${shownKey(said)}, which is none of the ${count} pinned keys`;
  return { code: 'ssh.host-key-not-pinned', message };
}

const noRoute: Finder = (said, spec) => {
  const unresolved = /Could not resolve hostname [^:\n]*: ([^\n]*)/.exec(said);
  const refused = /connect to (?:host|address) [^\n]* port [^:\n]*: ([^\n]*)/.exec(said);
  const reason = unresolved?.[1] ?? refused?.[1];
  if (reason === undefined) return undefined;
  return { code: 'ssh.unreachable', message: `${spec.address}:${spec.port}: ${reason.trim().toLowerCase()}` };
};

const notForwarded: Finder = (said, spec) => {
  const reason = /open failed: ([^\n]*)/.exec(said)?.[1];
  if (reason === undefined || !/stdio forwarding failed/.test(said)) return undefined;
  const parent = spec.via?.host ?? 'the host before it';
  return {
    code: 'ssh.unreachable',
    message: `${spec.address}:${spec.port}: cannot be reached from ${parent}: ${reason.trim()}`,
  };
};

const unusableKey: Finder = (said, spec) => {
  if (spec.keyFile === undefined || !/Permission denied|Too many authentication/.test(said)) return undefined;
  const reason =
    /no such identity: [^\n]*: ([^\n]*)/.exec(said)?.[1] ??
    /Load key "[^"]*": ((?!error in libcrypto: unsupported)[^\n]*)/.exec(said)?.[1] ??
    (/WARNING: UNPROTECTED PRIVATE KEY FILE/.test(said) ? 'others can read it' : undefined);
  if (reason === undefined) return undefined;
  return { code: 'ssh.key-unreadable', message: `${spec.keyFile}: ${reason.trim()}`, file: spec.keyFile };
};

const refused: Finder = (said, spec) => {
  const denied = /Permission denied(?: \(([^)]*)\))?/.exec(said);
  if (denied === null && !/Too many authentication failures/.test(said)) return undefined;
  const message = `${accountOf(spec)} was refused: ${story(said, denied?.[1])}`;
  return { code: 'ssh.auth-refused', message };
};

const badConfiguration: Finder = (said, spec) => {
  const line =
    /^[^\n]*(Bad configuration option|Bad owner or permissions|unsupported option|bad configuration options|garbage at end of line|Unsupported KEX|missing argument)[^\n]*$/im.exec(
      said,
    )?.[0];
  if (line === undefined) return undefined;
  return {
    code: 'ssh.client-refused',
    message: `${spec.host}: ssh does not take its configuration: ${line.trim()}`,
  };
};

const noHandshake: Finder = (said, spec) => {
  const line =
    /^[^\n]*(Unable to negotiate|banner exchange|kex_exchange_identification|ssh_exchange_identification|Bad packet length|Connection (?:closed|reset|timed out)|Timeout, server|Broken pipe)[^\n]*$/im.exec(
      said,
    )?.[0];
  if (line === undefined) return undefined;
  const started = /debug1: Authentications that can continue/.test(said);
  const reason = line.replace(/^debug1: /, '').trim();
  return started
    ? { code: 'ssh.auth-refused', message: `${accountOf(spec)}: ${reason}; ${story(said, undefined)}` }
    : { code: 'ssh.handshake-failed', message: `${spec.address}:${spec.port}: ${reason}` };
};

/** In this order: what decides first comes first. */
const finders: readonly Finder[] = [
  badConfiguration,
  hostKeyRevoked,
  hostKeyChanged,
  hostKeyUnknown,
  noRoute,
  notForwarded,
  unusableKey,
  refused,
  noHandshake,
];

/** What was tried and what the server allows, from debugging lines. */
export function story(said: string, denied: string | undefined): string {
  const tried: string[] = [];
  for (const [, key] of said.matchAll(/^debug1: Offering public key: ([^\n]*?)(?: explicit| agent)*$/gm)) {
    tried.push(`key ${key}`);
  }
  for (const [, method] of said.matchAll(/^debug1: Next authentication method: (\S+)/gm)) {
    if (method !== undefined && method !== 'publickey' && !tried.includes(method)) tried.push(method);
  }
  const allowed = denied ?? /Authentications that can continue: (\S+)/.exec(said)?.[1];
  const server =
    allowed === undefined ? 'did not say what it allows' : `allows ${allowed.split(',').join(', ')}`;
  return `tried ${tried.join('; ') || 'no credentials'}; the server ${server}`;
}

function shownKey(said: string): string {
  const key = /Server host key: (\S+ SHA256:\S+)/.exec(said)?.[1];
  return (
    key ?? /fingerprint for the \S+ key sent by the remote host is\s+(\S+?)\.?$/m.exec(said)?.[1] ?? 'a key'
  );
}

function offending(said: string): [file: string | undefined, line: number | undefined] {
  const found = /Offending (?:\S+ )?key(?: for IP)? in ([^\n]+?):(\d+)\s*$/m.exec(said);
  return found === null ? [undefined, undefined] : [found[1], Number(found[2])];
}

function nameOf(spec: ConnectionSpec): string {
  return spec.port === 22 ? spec.address : `[${spec.address}]:${spec.port}`;
}

function accountOf(spec: ConnectionSpec): string {
  return spec.user === undefined ? spec.address : `${spec.user}@${spec.address}`;
}
