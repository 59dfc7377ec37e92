/**
 * known_hosts files as data: parsed lines, which of them speak of a host, and what they say about a key.
 * Invariant: agrees with `ssh-keygen -F` on which lines match; a revoked key is never anything else.
 * Pure: text in, answers out.
 */

import { createHash, createHmac } from 'node:crypto';

export interface KnownHostLine {
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
  readonly marker: 'none' | 'revoked' | 'cert-authority' | 'unknown';
  /** The host field as written. */
  readonly hosts: string;
  readonly type: string;
  /** The key, base64. */
  readonly key: string;
}

export type Verdict =
  | { readonly name: 'known' }
  | { readonly name: 'unknown' }
  /** `sameType`: the line has a key of the same type; else only other types are listed. */
  | { readonly name: 'changed'; readonly line: KnownHostLine; readonly sameType: boolean }
  | { readonly name: 'revoked'; readonly line: KnownHostLine }
  | { readonly name: 'authority'; readonly line: KnownHostLine };

const markers = { '@revoked': 'revoked', '@cert-authority': 'cert-authority' } as const;

/** The lines of a known_hosts file that carry a key; comments and broken lines are left out, as OpenSSH does. */
export function parseKnownHosts(file: string, text: string): readonly KnownHostLine[] {
  return text.split('\n').flatMap((raw, index): KnownHostLine[] => {
    const fields = raw.trim().split(/[ \t]+/);
    if (fields[0] === '' || fields[0]?.startsWith('#')) return [];
    const marked = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [hosts, type, key] = fields;
    if (hosts === undefined || type === undefined || key === undefined) return [];
    if (keyType(key) !== type) return [];
    const marker = marked === undefined ? 'none' : (markers[marked as keyof typeof markers] ?? 'unknown');
    return [{ file, line: index + 1, marker, hosts, type, key }];
  });
}

/** The name under which known_hosts lists a host. */
export function knownHostName(address: string, port: number): string {
  const name = address.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Whether a line's host field names the host: hashed, or a comma list with wildcards where a negation wins. */
export function hostMatches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return hashedMatches(hosts, name);
  let matched = false;
  for (const entry of hosts.split(',')) {
    const negated = entry.startsWith('!');
    if (!wildcardMatches((negated ? entry.slice(1) : entry).toLowerCase(), name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** What the lines say about a host's key (the raw blob). Revoked comes first, whatever else is listed. */
export function judgeKey(lines: readonly KnownHostLine[], name: string, blob: Buffer): Verdict {
  const key = blob.toString('base64');
  const own = lines.filter((line) => hostMatches(line.hosts, name));
  const revoked = own.find((line) => line.marker === 'revoked' && line.key === key);
  if (revoked !== undefined) return { name: 'revoked', line: revoked };
  const plain = own.filter((line) => line.marker === 'none');
  if (plain.some((line) => line.key === key)) return { name: 'known' };
  const type = keyType(key);
  const other = plain.find((line) => line.type === type) ?? plain[0];
  if (other !== undefined) return { name: 'changed', line: other, sameType: other.type === type };
  const authority = own.find((line) => line.marker === 'cert-authority');
  return authority === undefined ? { name: 'unknown' } : { name: 'authority', line: authority };
}

/** The key types listed for a host, in the order of the files: what to ask the server for first. */
export function knownTypes(lines: readonly KnownHostLine[], name: string): readonly string[] {
  const own = lines.filter((line) => line.marker === 'none' && hostMatches(line.hosts, name));
  return [...new Set(own.map((line) => line.type))];
}

/** The type named inside a key blob in base64; undefined when it is no key. */
export function keyType(base64: string): string | undefined {
  const blob = Buffer.from(base64, 'base64');
  if (blob.length < 8) return undefined;
  const length = blob.readUInt32BE();
  if (length < 1 || length > 64 || 4 + length > blob.length) return undefined;
  return blob.toString('latin1', 4, 4 + length);
}

/** The fingerprint people compare: SHA256:… as ssh-keygen -l shows it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** A key as people compare it: its type and fingerprint. */
export function keyText(blob: Buffer): string {
  return `${keyType(blob.toString('base64')) ?? 'key'} ${fingerprint(blob)}`;
}

function hashedMatches(field: string, name: string): boolean {
  const [, version, salt, hash] = field.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

/** Whether a pattern of OpenSSH matches: `*` any run, `?` one character; linear in practice and never exponential: only the last star is retried. */
export function wildcardMatches(pattern: string, text: string): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0];
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p += 1;
      t += 1;
    } else if (star !== -1) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
