import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { connectOpenssh } from '../../../reconciler/connection/openssh.ts';
import { opensshProblem } from '../../../reconciler/connection/openssh-problem.ts';
import { chainOf, clientWords, destination } from '../../../reconciler/connection/openssh-words.ts';
import { sshDeadlines } from '../../../reconciler/connection/ssh-connection.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

const plain: ConnectionSpec = {
  kind: 'ssh',
  host: 'web1',
  address: 'web1.example',
  port: 22,
  hostKeys: 'strict',
  pinnedKeys: [],
};
const ways = { filesOf: () => ({}), connectTimeout: 10, keepalive: 15, ownPaths: true } as const;

/** What ssh itself makes of the words. */
function understood(spec: ConnectionSpec): string {
  const [program = 'ssh', ...rest] = clientWords(spec, { ...ways, configFile: '/dev/null' });
  const { status, stdout, stderr } = spawnSync(program, ['-G', ...rest, ...destination(spec)], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

describe.skipIf(!hasSshd)('the words for the OpenSSH client', () => {
  it('are understood by it, whatever paths hold', () => {
    const said = understood({
      ...plain,
      port: 2222,
      user: 'ann',
      keyFile: '/keys/a key%h',
      ssh: { knownHostsFiles: ['/k/one', '/k/two three'], identitiesOnly: true, connectTimeout: 3.2 },
    });
    for (const line of [
      'user ann',
      'port 2222',
      'stricthostkeychecking true',
      'batchmode yes',
      'connecttimeout 4',
    ]) {
      expect(said.split('\n')).toContain(line);
    }
    expect(said).toContain('identityfile /keys/a key%%h');
    expect(said).toMatch(/userknownhostsfile .*\/k\/two three/);
    expect(said).toMatch(/forwardagent no[\s\S]*|clearallforwardings yes/);
  });

  it('leave to its configuration what nobody declared', () => {
    const unsaid = new Set(['port', 'user', 'hostKeys'] as const);
    const words = clientWords({ ...plain, unsaid }, ways);
    expect(words).not.toContain('-p');
    expect(words).not.toContain('-l');
    expect(words.join(' ')).not.toContain('StrictHostKeyChecking');
  });

  it('put one client into another for each host on the way', () => {
    const outer = { ...plain, host: 'outer', address: 'outer.example' };
    const inner = { ...plain, host: 'inner', address: 'inner.example', port: 2022, via: outer };
    const spec = { ...plain, via: inner };
    expect(chainOf(spec).map(({ host }) => host)).toEqual(['outer', 'inner', 'web1']);
    const command = /^proxycommand (.*)$/m.exec(understood(spec))?.[1] ?? '';
    expect(command).toContain('-p 2022');
    expect(command).toMatch(/-W '\[%h\]:%p' -- inner\.example$/);
    expect(command).toContain('outer.example');
  });

  it('carry no password', () => {
    const words = clientWords({ ...plain, keyFile: undefined }, { ...ways, filesOf: () => ({ ask: '/s' }) });
    expect(words.join(' ')).toContain('BatchMode=no');
    expect(words.join(' ')).not.toContain('/s ');
  });
});

describe('what the OpenSSH client says', () => {
  it.each([
    ['ssh: Could not resolve hostname web1: Name or service not known', 'ssh.unreachable'],
    ['ssh: connect to host web1 port 22: No route to host', 'ssh.unreachable'],
    ['Connection timed out during banner exchange', 'ssh.handshake-failed'],
    [
      'Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: ssh-dss',
      'ssh.handshake-failed',
    ],
    ['Host key verification failed.', 'ssh.host-key-unknown'],
    ['ann@web1: Permission denied (publickey,password).', 'ssh.auth-refused'],
    ['Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures', 'ssh.auth-refused'],
    ['command-line: line 0: Bad configuration option: knownhostscommand', 'ssh.client-refused'],
    ['Bad owner or permissions on /home/ann/.ssh/config', 'ssh.client-refused'],
    ['something new', 'ssh.client-failed'],
  ])('“%s” is %s', (said, code) => {
    expect(opensshProblem(plain, said, 'nothing').code).toBe(code);
  });
});

describe.skipIf(!hasSshd)('a connection of the OpenSSH client', () => {
  const folder = mkdtempSync(join(tmpdir(), 'openssh-'));
  let sshd: Sshd;
  let spec: ConnectionSpec;
  beforeAll(async () => {
    sshd = await startSshd(join(folder, 'sshd'));
    spec = {
      ...plain,
      address: '127.0.0.1',
      port: sshd.port,
      user: sshd.user,
      keyFile: sshd.keyFile,
      hostKeys: 'pinned',
      pinnedKeys: [sshd.hostKey],
    };
  });
  afterAll(async () => {
    await sshd.stop();
    rmSync(folder, { recursive: true });
  });

  it('is refused when the key changed, also where the configuration lets it pass', async () => {
    const known = join(folder, 'known');
    const other = readFileSync(`${sshd.keyFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
    writeFileSync(known, `[127.0.0.1]:${sshd.port} ${other}\n`);
    const config = join(folder, 'config');
    writeFileSync(config, `StrictHostKeyChecking no\nUserKnownHostsFile ${known}\n`);
    const connection = await connectOpenssh(
      { ...spec, hostKeys: 'strict', pinnedKeys: [], unsaid: new Set(['hostKeys']) },
      { deadlines: sshDeadlines, onWarning: () => {}, configFile: config },
    );
    expect(connection).toMatchObject({
      ok: false,
      problem: { code: 'ssh.host-key-changed', where: { file: known, line: 1 } },
    });
  });

  it('ends with the process that opened it, however that ends', async () => {
    const module = (name: string): string =>
      new URL(`../../../reconciler/connection/${name}.ts`, import.meta.url).href;
    const script = `import { connectOpenssh } from '${module('openssh')}';
import { sshDeadlines } from '${module('ssh-connection')}';
const opened = await connectOpenssh(${JSON.stringify(spec)}, { deadlines: sshDeadlines, onWarning() {}, configFile: '/dev/null' });
console.log(opened.ok);
setInterval(() => {}, 1000);`;
    const file = join(folder, 'opener.ts');
    writeFileSync(file, script);
    const place = mkdtempSync(join(folder, 't-'));
    const child = spawn(process.execPath, [file], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: place },
    });
    const said = await new Promise<string>((resolve) =>
      child.stdout.once('data', (text) => resolve(String(text))),
    );
    expect(said).toBe('true\n');
    expect(readdirSync(place)).toHaveLength(1);
    child.kill('SIGKILL');
    for (let look = 0; look < 500 && sshd.children().length > 0; look += 1) await pause(20);
    expect(sshd.children()).toEqual([]);
  });
});
