import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostKeyPolicy, SshSettings } from '../../../inventory/connection-spec.ts';
import {
  defaultKnownHosts,
  type HostKeyOptions,
  hostKeyVerifier,
  onceEach,
  orderAlgorithms,
} from '../../../reconciler/connection/host-keys.ts';

let folder = '';
let file = '';
let warnings: string[] = [];
let options: HostKeyOptions;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'host-keys-'));
  file = join(folder, 'ssh', 'known_hosts');
  warnings = [];
  options = {
    files: [file, join(folder, 'second')],
    onWarning: (host, warning) => warnings.push(host + warning),
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

function blob(fill: number): Buffer {
  return Buffer.concat([
    Buffer.from([0, 0, 0, 11]),
    Buffer.from('ssh-ed25519'),
    Buffer.from([0, 0, 0, 32]),
    Buffer.alloc(32, fill),
  ]);
}
const line = (fill: number): string => `ssh-ed25519 ${blob(fill).toString('base64')}`;

async function verify(
  hostKeys: HostKeyPolicy,
  key: Buffer,
  pinnedKeys: readonly string[] = [],
  ssh: SshSettings = {},
) {
  const target = { host: 'web1', address: '10.1.1.1', port: 2222, hostKeys, pinnedKeys, ssh };
  const verifier = await hostKeyVerifier(target, options);
  return verifier.ok ? verifier.value.verify(key) : verifier.problem;
}

describe('host key policies', () => {
  it('refuses an unknown host when strict and shows its fingerprint', async () => {
    const problem = await verify('strict', blob(1));
    expect(problem).toMatchObject({ code: 'ssh.host-key-unknown', where: { host: 'web1' } });
    expect(problem?.message).toMatch(/\[10\.1\.1\.1\]:2222 shows ssh-ed25519 SHA256:/);
  });

  it('adds a new key once, also when many ask at the same time, and says so', async () => {
    mkdirSync(join(folder, 'ssh'));
    writeFileSync(file, `other ${line(9)}`);
    const answers = await Promise.all([1, 1, 1, 1].map((fill) => verify('accept-new', blob(fill))));
    expect(answers).toEqual([undefined, undefined, undefined, undefined]);
    expect(readFileSync(file, 'utf8')).toBe(`other ${line(9)}\n[10.1.1.1]:2222 ${line(1)}\n`);
    expect(warnings).toHaveLength(1);
    expect(await verify('strict', blob(1))).toBeUndefined();
  });

  it('never accepts a changed key and names file and line', async () => {
    await verify('accept-new', blob(1));
    const problem = await verify('accept-new', blob(2));
    expect(problem).toMatchObject({ code: 'ssh.host-key-changed', where: { file, line: 1 } });
    expect(problem?.message).toContain(`${file}:1`);
  });

  it('names the command that removes the old key', async () => {
    await verify('accept-new', blob(1));
    const named = await verify('strict', blob(2));
    expect(named?.hint).toContain(`ssh-keygen -R '[10.1.1.1]:2222' -f ${file}`);
    writeFileSync(file, `other ${line(9)}\n[10.1.*]:2222 ${line(1)}\n`);
    expect((await verify('strict', blob(2)))?.hint).toContain(`sed -i 2d ${file}`);
  });

  it('looks a host up under its alias, in the files of its own', async () => {
    const own = join(folder, 'own');
    const ssh = { hostKeyAlias: 'Farm', knownHostsFiles: [own, join(folder, 'second')] };
    expect((await verify('strict', blob(1), [], ssh))?.message).toContain(`farm shows ssh-ed25519`);
    expect(await verify('accept-new', blob(1), [], ssh)).toBeUndefined();
    expect(readFileSync(own, 'utf8')).toBe(`farm ${line(1)}\n`);
    writeFileSync(join(folder, 'second'), `farm ${line(2)}\n`);
    expect(await verify('strict', blob(2), [], ssh)).toBeUndefined();
  });

  it('hides names where the configuration says so, as ssh-keygen finds them', async () => {
    mkdirSync(join(folder, 'ssh'));
    expect(await verify('accept-new', blob(1), [], { hashKnownHosts: true })).toBeUndefined();
    expect(readFileSync(file, 'utf8')).toMatch(/^\|1\|[^|]+\|\S+ ssh-ed25519 /);
    expect(await verify('strict', blob(1))).toBeUndefined();
    const hint = (await verify('strict', blob(2)))?.hint ?? '';
    expect(hint).toContain('ssh-keygen -R');
    execFileSync('sh', ['-c', /`([^`]+)`/.exec(hint)?.[1] ?? 'false'], { stdio: 'ignore' });
    expect((await verify('strict', blob(1)))?.code).toBe('ssh.host-key-unknown');
  });

  it('remembers nothing in /dev/null, and says so once for each key', async () => {
    const said: string[] = [];
    options = { ...options, onWarning: onceEach((host, warning) => said.push(host + warning)) };
    const ssh = { knownHostsFiles: ['/dev/null'] };
    for (const fill of [1, 1, 2]) expect(await verify('accept-new', blob(fill), [], ssh)).toBeUndefined();
    expect(said).toHaveLength(2);
    expect(said[0]).toContain('is not remembered');
  });

  it('lets only one of two different new keys win', async () => {
    const answers = await Promise.all([verify('accept-new', blob(1)), verify('accept-new', blob(2))]);
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(1);
    expect(answers.find((answer) => answer !== undefined)?.code).toBe('ssh.host-key-changed');
  });

  it('takes over a lock that a dead process left', async () => {
    mkdirSync(join(folder, 'ssh'));
    writeFileSync(`${file}.towline-lock`, '');
    utimesSync(`${file}.towline-lock`, 1, 1);
    expect(await verify('accept-new', blob(1))).toBeUndefined();
  });

  it('fails closed when a file cannot be read or written', async () => {
    mkdirSync(file, { recursive: true });
    expect((await verify('strict', blob(1)))?.code).toBe('ssh.known-hosts-unreadable');
    options = { ...options, files: ['/dev/null/known_hosts'] };
    expect((await verify('accept-new', blob(1)))?.code).toBe('ssh.known-hosts-unreadable');
    options = { ...options, files: [] };
    expect((await verify('accept-new', blob(1)))?.code).toBe('ssh.known-hosts-unreadable');
  });

  it('refuses revoked keys and hosts known only through an authority', async () => {
    mkdirSync(join(folder, 'ssh'));
    writeFileSync(file, `@revoked * ${line(1)}\n@cert-authority * ${line(2)}\n`);
    expect((await verify('accept-new', blob(1)))?.code).toBe('ssh.host-key-revoked');
    expect((await verify('accept-new', blob(3)))?.code).toBe('ssh.host-ca-unsupported');
  });

  it('takes exactly the pinned keys', async () => {
    expect(await verify('pinned', blob(1), [`${line(1)} comment`])).toBeUndefined();
    expect((await verify('pinned', blob(2), [line(1)]))?.code).toBe('ssh.host-key-not-pinned');
    expect((await verify('pinned', blob(2)))?.code).toBe('ssh.host-key-not-pinned');
  });

  it('warns loudly when keys are ignored', async () => {
    expect(await verify('ignore', blob(1))).toBeUndefined();
    expect(warnings.join()).toContain('was not checked');
  });

  it('asks first for the types that are known, rsa under its signature names', () => {
    expect(orderAlgorithms(['ssh-rsa']).slice(0, 3)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519']);
    expect(orderAlgorithms([])[0]).toBe('ssh-ed25519');
    expect(defaultKnownHosts()[0]).toMatch(/\.ssh\/known_hosts$/);
  });
});
