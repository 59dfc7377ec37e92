import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  fingerprint,
  hostMatches,
  judgeKey,
  keyType,
  knownHostName,
  knownTypes,
  parseKnownHosts,
} from '../../../reconciler/connection/known-hosts.ts';

const folder = mkdtempSync(join(tmpdir(), 'known-hosts-'));
afterAll(() => rmSync(folder, { recursive: true }));

function blobOf(type: string, content: Buffer): Buffer {
  const field = (bytes: Buffer): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length);
    return Buffer.concat([head, bytes]);
  };
  return Buffer.concat([field(Buffer.from(type)), field(content)]);
}

function ed25519(): Buffer {
  const key = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
  return blobOf('ssh-ed25519', key.subarray(-32));
}

const key = ed25519();
const other = ed25519();
const text = (blob: Buffer): string => `ssh-ed25519 ${blob.toString('base64')}`;

/** Line numbers that ssh-keygen finds for a name. */
function foundByKeygen(file: string, name: string): readonly number[] {
  const run = spawnSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8' });
  return [...run.stdout.matchAll(/found: line (\d+)/g)].map((match) => Number(match[1]));
}

describe('known_hosts', () => {
  it('finds the same lines as ssh-keygen -F', () => {
    const label = fc.constantFrom('a', 'b', 'web', 'web1', 'db.example', '10.0.0.1', 'EXAMPLE');
    const pattern = fc.tuple(
      fc.constantFrom('', '!'),
      fc.oneof(label, fc.constantFrom('*', 'web?', '*.example', 'w*b*', '10.0.*', '[web]:2222', '[*]:2222')),
    );
    const line = fc.array(
      pattern.map((parts) => parts.join('')),
      { minLength: 1, maxLength: 4 },
    );
    const name = fc.oneof(
      label.map((host) => knownHostName(host, 22)),
      fc.constant(knownHostName('web', 2222)),
    );
    const file = join(folder, 'property');
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), name, (lines, host) => {
        const content = lines.map((hosts) => `${hosts.join(',')} ${text(key)}\n`).join('');
        writeFileSync(file, content);
        const ours = parseKnownHosts(file, content).filter((entry) => hostMatches(entry.hosts, host));
        expect(ours.map((entry) => entry.line)).toEqual(foundByKeygen(file, host));
      }),
      { numRuns: 60 },
    );
  });

  it('finds hashed names as ssh-keygen writes them', () => {
    const file = join(folder, 'hashed');
    writeFileSync(file, `web1 ${text(key)}\n[db]:2222 ${text(other)}\n`);
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
    const lines = parseKnownHosts(file, readFileSync(file, 'utf8'));
    expect(lines.every((line) => line.hosts.startsWith('|1|'))).toBe(true);
    expect(judgeKey(lines, 'web1', key)).toEqual({ name: 'known' });
    expect(judgeKey(lines, '[db]:2222', other)).toEqual({ name: 'known' });
    expect(judgeKey(lines, 'db', other)).toEqual({ name: 'unknown' });
    expect(hostMatches('|2|x|y', 'web1')).toBe(false);
  });

  it('lets a revocation win over everything else', () => {
    const lines = parseKnownHosts('f', `web1 ${text(key)}\n@revoked * ${text(key)}\n`);
    expect(judgeKey(lines, 'web1', key)).toMatchObject({ name: 'revoked', line: { line: 2 } });
  });

  it('calls a host changed when it is listed with other keys only, also of another type', () => {
    const lines = parseKnownHosts('f', `# comment\n\nweb1 ${text(other)}\n`);
    expect(judgeKey(lines, 'web1', key)).toMatchObject({ name: 'changed', line: { line: 3, file: 'f' } });
    const ecdsa = blobOf('ecdsa-sha2-nistp256', Buffer.from('x'));
    expect(judgeKey(lines, 'web1', ecdsa)).toMatchObject({ name: 'changed' });
  });

  it('accepts any of several keys of a host and lists their types', () => {
    const rsa = blobOf('ssh-rsa', Buffer.from('n'));
    const lines = parseKnownHosts('f', `web1 ssh-rsa ${rsa.toString('base64')}\nweb1,web2 ${text(key)}\n`);
    expect(judgeKey(lines, 'web1', key)).toEqual({ name: 'known' });
    expect(judgeKey(lines, 'web1', rsa)).toEqual({ name: 'known' });
    expect(knownTypes(lines, 'web1')).toEqual(['ssh-rsa', 'ssh-ed25519']);
    expect(knownTypes(lines, 'web2')).toEqual(['ssh-ed25519']);
  });

  it('names the certificate authority that alone lists a host, and ignores unknown markers', () => {
    const lines = parseKnownHosts('f', `@cert-authority *.example ${text(other)}\n@odd web1 ${text(key)}\n`);
    expect(judgeKey(lines, 'a.example', key)).toMatchObject({ name: 'authority', line: { line: 1 } });
    expect(judgeKey(lines, 'web1', key)).toEqual({ name: 'unknown' });
  });

  it('leaves out lines whose type is not that of their key', () => {
    expect(parseKnownHosts('f', `web1 ssh-rsa ${key.toString('base64')}\nweb1 ssh-rsa !!\nweb1\n`)).toEqual(
      [],
    );
    expect(keyType('AAAA')).toBeUndefined();
    expect(keyType(Buffer.alloc(40, 255).toString('base64'))).toBeUndefined();
  });

  it('shows the fingerprint that ssh-keygen shows', () => {
    const file = join(folder, 'key.pub');
    writeFileSync(file, `${text(key)}\n`);
    expect(execFileSync('ssh-keygen', ['-lf', file], { encoding: 'utf8' })).toContain(fingerprint(key));
  });
});
