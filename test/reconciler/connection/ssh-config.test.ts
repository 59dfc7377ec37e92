import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConnectionSpec, fillableSettings } from '../../../inventory/connection-spec.ts';
import { ownSshConfig, SshConfig } from '../../../reconciler/connection/ssh-config.ts';
import { jumpHops } from '../../../reconciler/connection/ssh-jump.ts';

const hasSsh = existsSync('/usr/bin/ssh');
let home = '';
let config = '';
let program = '';
let calls = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ssh-config-'));
  mkdirSync(join(home, '.ssh'));
  config = join(home, '.ssh', 'config');
  calls = join(home, 'calls');
  // The real ssh, counted.
  program = join(home, 'ssh');
  writeFileSync(program, `#!/bin/sh\necho "$*" >> ${calls}\nexec ssh "$@"\n`);
  chmodSync(program, 0o755);
});
afterEach(() => rmSync(home, { recursive: true }));

function write(text: string): void {
  writeFileSync(config, text);
}

function reader(more: { readonly program?: string; readonly system?: string } = {}): SshConfig {
  return new SshConfig({
    files: { home, user: config, system: more.system },
    file: config,
    program: more.program ?? program,
    local: {
      home,
      localUser: 'me',
      localUid: 1000,
      localHost: 'controller.example.com',
      environment: { AGENT: '/run/my-agent', XDG: '/xdg' },
    },
  });
}

function unsaidSpec(name: string, more: Partial<ConnectionSpec> = {}): ConnectionSpec {
  return {
    kind: 'ssh',
    host: name,
    address: name,
    port: 22,
    hostKeys: 'strict',
    pinnedKeys: [],
    unsaid: new Set(fillableSettings),
    ...more,
  };
}

async function resolved(name: string, more: Partial<ConnectionSpec> = {}, own = reader()) {
  const answer = await own.resolve(unsaidSpec(name, more));
  if (!answer.ok) throw new Error(`${answer.problem.code}: ${answer.problem.message}`);
  return answer.value;
}

function programCalls(): readonly string[] {
  return existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [];
}

/** Every way to answer must say the same. */
const ways = [...(hasSsh ? [['ssh -G', undefined] as const] : []), ['no ssh', '/no/ssh'] as const];

describe.each(ways)('OpenSSH’s configuration, answered by %s', (_way, without) => {
  const own = () => reader(without === undefined ? {} : { program: without });

  it('fills in what nobody declared', async () => {
    write(`Host web?
  HostName %h.example.com
  User deploy
  Port 2222
  IdentityFile ~/.ssh/%h_%r
  IdentityFile ~/keys/second
  CertificateFile ~/.ssh/id-cert.pub
  IdentitiesOnly yes
  IdentityAgent $AGENT
  UserKnownHostsFile ~/known ${home}/more
  StrictHostKeyChecking accept-new
  HostKeyAlias farm
  ConnectTimeout 1m
  ServerAliveInterval 20
  ServerAliveCountMax 2
`);
    const spec = await resolved('web1', {}, own());
    expect(spec).toMatchObject({
      host: 'web1',
      address: 'web1.example.com',
      user: 'deploy',
      port: 2222,
      hostKeys: 'accept-new',
      ssh: {
        identityFiles: [`${home}/.ssh/web1.example.com_deploy`, `${home}/keys/second`],
        certificateFiles: [`${home}/.ssh/id-cert.pub`],
        identitiesOnly: true,
        identityAgent: '/run/my-agent',
        hostKeyAlias: 'farm',
        connectTimeout: 60,
        keepalive: { interval: 20, count: 2 },
      },
    });
    expect(spec.ssh?.knownHostsFiles?.slice(1)).toEqual([`${home}/more`, '/etc/ssh/ssh_known_hosts']);
    expect(spec.unsaid).toBeUndefined();
    expect(await resolved('db1', {}, own())).toMatchObject({ address: 'db1', port: 22, hostKeys: 'strict' });
  });

  it('leaves alone what was declared', async () => {
    write(`Host *
  HostName elsewhere
  User other
  Port 99
  IdentityFile ~/other
  StrictHostKeyChecking no
  ProxyJump nowhere
  ConnectTimeout 5
`);
    const said = {
      address: '10.0.0.1',
      port: 22,
      user: 'deploy',
      keyFile: '/k',
      unsaid: new Set<never>(),
      ssh: { connectTimeout: 9 },
    };
    expect(await resolved('web1', said, own())).toEqual({
      ...unsaidSpec('web1'),
      ...said,
      unsaid: undefined,
      via: undefined,
      ssh: { connectTimeout: 9 },
    });
    const declared = unsaidSpec('web1', { unsaid: undefined });
    expect(await own().resolve(declared)).toEqual({ ok: true, value: declared });
    const openssh = unsaidSpec('web1', { transport: 'openssh' });
    expect(await own().resolve(openssh)).toEqual({ ok: true, value: openssh });
  });

  it('goes through the hosts of ProxyJump, each looked up under its own name', async () => {
    write(`Host target
  ProxyJump inner@first:2201,second
Host first
  HostName 192.0.2.1
  ProxyJump door
Host second
  User two
  ProxyJump never
Host direct
  ProxyJump none
`);
    const spec = await resolved('target', {}, own());
    expect(spec.via).toMatchObject({ host: 'second', address: 'second', user: 'two', port: 22 });
    expect(spec.via?.via).toMatchObject({ host: 'first', address: '192.0.2.1', user: 'inner', port: 2201 });
    expect(spec.via?.via?.via).toMatchObject({ host: 'door', port: 22 });
    expect(spec.via?.via?.via?.via).toBeUndefined();
    expect((await resolved('direct', {}, own())).via).toBeUndefined();
    const bastion = unsaidSpec('first');
    const viaInventory = await resolved('target', { via: bastion, unsaid: new Set(['user']) }, own());
    expect(viaInventory.via).toMatchObject({ host: 'first', address: '192.0.2.1' });
  });

  it('refuses jumps in a circle and ProxyCommand, in words', async () => {
    write('Host *\n  ProxyJump bastion\n');
    expect(await own().resolve(unsaidSpec('web1'))).toMatchObject({
      ok: false,
      problem: { code: 'ssh.jump-cycle', where: { host: 'web1' } },
    });
    write('Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n');
    const circle = await own().resolve(unsaidSpec('a'));
    expect(!circle.ok && circle.problem.message).toContain('a:22 → b:22 → a:22');
    write('Host *\n  ProxyCommand nc %h %p\n');
    const command = await own().resolve(unsaidSpec('web1'));
    expect(command).toMatchObject({ ok: false, problem: { code: 'ssh.proxy-command' } });
    expect(!command.ok && command.problem.hint).toContain('towline_transport = "openssh"');
  });

  it('never takes less trust than it must: no becomes accept-new, pinned keys stay', async () => {
    write('Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n');
    expect(await resolved('web1', {}, own())).toMatchObject({
      hostKeys: 'accept-new',
      ssh: { knownHostsFiles: ['/dev/null', '/etc/ssh/ssh_known_hosts'] },
    });
    const pinned = { hostKeys: 'pinned', pinnedKeys: ['ssh-ed25519 AAAA'] } as const;
    expect(await resolved('web1', pinned, own())).toMatchObject(pinned);
  });

  it('follows Includes, also those of files that come later', async () => {
    mkdirSync(join(home, '.ssh', 'conf.d'));
    write('Include conf.d/*.conf\nHost b*\n  Include only-b\n  Port 2\n');
    writeFileSync(join(home, '.ssh', 'only-b'), 'Host *\n  User inner\n');
    const config = own();
    // ssh -F takes relative Includes from ~/.ssh of the password file, so they are given in full here.
    write(`Include ${home}/.ssh/conf.d/*.conf\nHost b*\n  Include ${home}/.ssh/only-b\n  Port 2\n`);
    expect(await resolved('a1', {}, config)).toMatchObject({ user: undefined, port: 22 });
    expect(await resolved('b1', {}, config)).toMatchObject({ user: 'inner', port: 2 });
    writeFileSync(join(home, '.ssh', 'conf.d', 'new.conf'), 'Host a1\n  User late\n');
    expect(await resolved('a1', {}, config)).toMatchObject({ user: 'late' });
  });

  it('notices a file that comes or goes later, in the folder of a pattern and in any of several', async () => {
    for (const folder of ['one', 'sets', 'sets/a', 'sets/b']) mkdirSync(join(home, '.ssh', folder));
    write(`Include ${home}/.ssh/one/*.conf\nInclude ${home}/.ssh/sets/*/x.conf\n`);
    const config = own();
    const user = async () => (await resolved('a1', {}, config)).user;
    expect(await user()).toBeUndefined();
    writeFileSync(join(home, '.ssh/sets/b/x.conf'), 'Host a1\n  User set\n');
    expect(await user()).toBe('set');
    writeFileSync(join(home, '.ssh/one/x.conf'), 'Host a1\n  User one\n');
    expect(await user()).toBe('one');
    rmSync(join(home, '.ssh/one/x.conf'));
    expect(await user()).toBe('set');
    rmSync(join(home, '.ssh/sets/b/x.conf'));
    expect(await user()).toBeUndefined();
  });

  it('knows names with spaces in lists of files, and IdentityFile none', async () => {
    write(
      `Host *\n  UserKnownHostsFile "${home}/a b" ${home}/c\n  IdentityFile none\n  IdentityAgent none\n`,
    );
    expect((await resolved('web1', {}, own())).ssh).toMatchObject({
      knownHostsFiles: [`${home}/a b`, `${home}/c`, '/etc/ssh/ssh_known_hosts'],
      identityFiles: [],
      identityAgent: 'none',
    });
  });
});

describe.skipIf(!hasSsh)('asking ssh', () => {
  it('starts no program where the configuration says nothing of a host', async () => {
    const system = join(home, 'system');
    writeFileSync(system, 'Host *\n  SendEnv LANG LC_*\n  HashKnownHosts yes\n  GSSAPIAuthentication yes\n');
    write('Host build\n  User ci\n');
    const own = reader({ system });
    expect((await resolved('web1', {}, own)).ssh).toMatchObject({ hashKnownHosts: true });
    expect(programCalls()).toEqual([]);
    expect(await resolved('build', {}, own)).toMatchObject({ user: 'ci' });
    expect(programCalls()).toHaveLength(2);
  });

  it('asks once for all hosts that share an answer, and anew when a file changed', async () => {
    write('Host *\n  ServerAliveInterval 30\n  IdentityFile ~/.ssh/%h\n');
    const own = reader();
    const names = Array.from({ length: 300 }, (_, index) => `web${index}`);
    const specs = await Promise.all(names.map((name) => resolved(name, {}, own)));
    expect(specs.map((spec) => spec.ssh?.identityFiles?.[0])).toEqual(
      names.map((name) => `${home}/.ssh/${name}`),
    );
    expect(programCalls()).toHaveLength(2);
    write('Host *\n  ServerAliveInterval 31\n');
    expect((await resolved('web1', {}, own)).ssh?.keepalive).toEqual({ interval: 31, count: 3 });
    expect(programCalls()).toHaveLength(3);
  });

  it('gives the declared account and port, so that Match sees them', async () => {
    write(
      'Match user deploy exec "test %p = 2200"\n  HostName matched\nMatch final\n  Port 99\nMatch all\n  ConnectTimeout 7\n',
    );
    const declared = { user: 'deploy', port: 2200, unsaid: new Set(['address'] as const) };
    expect(await resolved('web1', declared)).toMatchObject({
      address: 'matched',
      ssh: { connectTimeout: 7 },
    });
    expect(await resolved('web1')).toMatchObject({ address: 'web1' });
  });

  it('says what ssh says of a wrong file, and needs ssh for a Match', async () => {
    write('Host *\n  Prot 22\n  User me\n');
    const wrong = await reader().resolve(unsaidSpec('web1'));
    expect(wrong).toMatchObject({
      ok: false,
      problem: { code: 'ssh.config-invalid', where: { host: 'web1' } },
    });
    expect(!wrong.ok && wrong.problem.message).toContain('Bad configuration option: prot');
    write('Match user deploy\n  Port 2\n');
    const none = await reader({ program: '/no/ssh' }).resolve(unsaidSpec('web1'));
    expect(none).toMatchObject({ ok: false, problem: { code: 'ssh.config-no-program' } });
  });

  it('agrees with ssh -G on files of Host blocks, with and without a program', async () => {
    const word = fc.constantFrom('a', 'ab', 'b1', 'web', '*', 'a*', '?b', '!ab', '!b*');
    const line = fc.constantFrom(
      'HostName x.example.com',
      'HostName %h.example.com',
      'User one',
      'user=two',
      'Port 2201',
      'Port = "2202"',
      'IdentityFile ~/.ssh/%h',
      'IdentityFile /k2 # comment',
      'IdentitiesOnly yes',
      'HostKeyAlias alias',
      'ConnectTimeout 1m30s',
      'ServerAliveInterval 2h',
      'StrictHostKeyChecking off',
      'StrictHostKeyChecking yes',
      'ProxyJump none',
      'SendEnv LANG',
    );
    const block = fc.record({
      hosts: fc.array(word, { minLength: 1, maxLength: 3 }),
      lines: fc.array(line, { maxLength: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(block, { maxLength: 4 }), async (blocks) => {
        const jump = 'Host jump\n  ProxyJump none\nHost web\n  ProxyJump j@jump:2222\n';
        write(
          jump + blocks.map(({ hosts, lines }) => `Host ${hosts.join(' ')}\n${lines.join('\n')}\n`).join(''),
        );
        const [asked, alone] = [reader(), reader({ program: '/no/ssh' })];
        for (const name of ['a', 'ab', 'b1', 'web']) {
          const printed = execFileSync('ssh', ['-G', '-F', config, name], {
            stdio: ['ignore', 'pipe', 'ignore'],
          });
          const value = (keyword: string) =>
            new RegExp(`^${keyword} (.*)$`, 'm').exec(printed.toString())?.[1];
          const spec = await resolved(name, {}, asked);
          expect(spec.address).toBe(value('hostname'));
          expect(spec.port).toBe(Number(value('port')));
          expect(spec.user ?? value('user')).toBe(value('user'));
          expect(spec.ssh?.hostKeyAlias).toBe(value('hostkeyalias'));
          expect(spec.via?.port).toBe(value('proxyjump') === undefined ? undefined : 2222);
          expect(await resolved(name, {}, alone)).toEqual(spec);
        }
      }),
      { numRuns: 15, seed: 7 },
    );
  });
});

describe('names and places', () => {
  it('reads ProxyJump as ssh does', () => {
    expect(jumpHops('none')).toEqual([]);
    expect(jumpHops('a, u@b:23,ssh://c@d:24/,e@[2001:db8::1]:25,[::1]')).toEqual([
      { name: 'a' },
      { name: 'b', user: 'u', port: 23 },
      { name: 'd', user: 'c', port: 24 },
      { name: '2001:db8::1', user: 'e', port: 25 },
      { name: '::1' },
    ]);
  });

  it('takes the files of the account, and with another HOME only those in it', () => {
    const options = ownSshConfig({});
    expect(options.files.user.endsWith('/.ssh/config')).toBe(true);
    expect(options.file === undefined).toBe(options.files.system !== undefined);
  });
});
