import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRepository } from '../../helpers/git-repository.ts';
import { makeKey } from '../../helpers/ssh-agent.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { hasTerminal, runAtTerminal } from '../../helpers/terminal.ts';
import { type Ran, runTowline } from '../../helpers/towline-command.ts';

const fresh = temporaryDirectories();

interface Told {
  readonly host: string;
  readonly keys: readonly { readonly type: string; readonly fingerprint: string; readonly state: string }[];
  readonly recorded: number;
  readonly skipped?: string;
  readonly problem?: { readonly code: string };
}

describe.skipIf(!hasSshd)('towline hosts trust', () => {
  const folder = fresh();
  const directory = join(folder, 'policy');
  const known = join(folder, '.ssh', 'known_hosts');
  let door: Sshd;
  let inner: Sshd;

  beforeAll(async () => {
    const more = ['rsa', 'ecdsa'].map((type) => makeKey(join(folder, `host-${type}`), { type }));
    door = await startSshd(join(folder, 'door'));
    inner = await startSshd(
      join(folder, 'inner'),
      more.map((file) => `HostKey ${file}`),
    );
    writeFileSync(join(folder, 'inner', 'authorized'), readFileSync(`${door.keyFile}.pub`));
    createRepository(directory, {
      'towline.toml': '[environments.lab]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'roles/none/role.ts':
        "import { defineRole } from 'towline';\nexport default defineRole({ targets: { hosts: ['none'] }, resources: () => [] });\n",
      'inventory.toml': `
[groups.all.vars]
towline_ssh_username = "${door.user}"
towline_ssh_key = "${door.keyFile}"
towline_host = "127.0.0.1"
[hosts.door]
towline_port = ${door.port}
[hosts.web1]
towline_port = ${inner.port}
towline_via = "door"
[hosts.gone]
towline_port = 1
[hosts.pinned]
towline_pinned_keys = ["${door.hostKey}"]
[hosts.box]
towline_connection = "docker"
`,
    });
  });
  beforeEach(() => rmSync(known, { force: true }));
  afterAll(() => Promise.all([door.stop(), inner.stop()]));

  const trust = (...argv: readonly string[]): Promise<Ran> =>
    runTowline(['hosts', 'trust', ...argv], { directory, home: folder });
  const told = ({ stdout }: Ran): readonly Told[] => JSON.parse(stdout.split('\n')[0] ?? '') as Told[];
  const statesOf = (host: Told | undefined) => host?.keys.map(({ type, state }) => `${type} ${state}`);

  it('records all keys of a host and of the way to it, and finds them known afterwards', async () => {
    const first = await trust('web1', '--yes', '--json');
    expect(first.status).toBe(0);
    expect(told(first).map(({ host, recorded }) => [host, recorded])).toEqual([
      ['door', 1],
      ['web1', 3],
    ]);
    expect(statesOf(told(first)[1])).toEqual(['ssh-ed25519 new', 'ssh-rsa new', 'ecdsa-sha2-nistp256 new']);
    const found = execFileSync('ssh-keygen', [
      '-l',
      '-F',
      `[127.0.0.1]:${inner.port}`,
      '-f',
      known,
    ]).toString();
    for (const { fingerprint } of told(first)[1]?.keys ?? []) expect(found).toContain(fingerprint);
    const text = readFileSync(known, 'utf8');
    const again = await trust('web1');
    expect(again.status).toBe(0);
    expect(again.stdout).toContain(`3 keys known in ${known}`);
    expect(readFileSync(known, 'utf8')).toBe(text);
    const ping = await runTowline(['ping', 'web1'], { directory, home: folder });
    expect(ping.status).toBe(0);
  });

  it('records nothing without a yes, and says what there is', async () => {
    const asked = await trust('door', '--json');
    expect(asked.status).toBe(1);
    expect(statesOf(told(asked)[0])).toEqual(['ssh-ed25519 new']);
    expect(asked.stdout).toContain('cli.not-confirmed');
    const plain = await trust('door');
    expect(plain.status).toBe(1);
    expect(plain.stdout).toMatch(/ed25519 +SHA256:\S+ +new/);
    expect(plain.stderr).toContain('there is no terminal');
    expect(existsSync(known)).toBe(false);
  });

  it('never overwrites a key that changed, and says where the old one stands', async () => {
    const other = readFileSync(`${makeKey(join(fresh(), 'other'))}.pub`, 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ');
    const line = `[127.0.0.1]:${door.port} ${other}\n`;
    execFileSync('mkdir', ['-p', join(folder, '.ssh')]);
    writeFileSync(known, `# mine\n${line}`);
    const refused = await trust('door', '--yes');
    expect(refused.status).toBe(1);
    expect(refused.stdout).toContain(`CHANGED: ${known}:2 lists ssh-ed25519`);
    expect(refused.stdout.match(/ssh-keygen -R/g)).toHaveLength(1);
    expect(readFileSync(known, 'utf8')).toBe(`# mine\n${line}`);
    writeFileSync(known, `@revoked * ${door.hostKey}\n`);
    const revoked = await trust('door', '--yes');
    expect(revoked.status).toBe(1);
    expect(revoked.stdout).toContain(`REVOKED at ${known}:1`);
  });

  it('adds the types that are missing beside a known key', async () => {
    execFileSync('mkdir', ['-p', join(folder, '.ssh')]);
    writeFileSync(
      known,
      `[127.0.0.1]:${door.port} ${door.hostKey}\n[127.0.0.1]:${inner.port} ${inner.hostKey}\n`,
    );
    const more = await trust('web1', '--yes', '--json');
    expect(more.status).toBe(0);
    expect(statesOf(told(more)[1])).toEqual(['ssh-ed25519 known', 'ssh-rsa new', 'ecdsa-sha2-nistp256 new']);
    expect(told(more)[1]?.recorded).toBe(2);
  });

  it('goes on past hosts that do not answer, and leaves out those that have no key to record', async () => {
    const all = await trust('*', '--yes', '--json');
    expect(all.status).toBe(1);
    const byName = new Map(told(all).map((host) => [host.host, host]));
    expect(byName.get('gone')?.problem?.code).toBe('ssh.unreachable');
    expect(byName.get('pinned')?.skipped).toContain('pinned');
    expect(byName.get('box')?.skipped).toContain('docker');
    expect(byName.get('web1')?.recorded).toBe(3);
    const nobody = await trust('nobody');
    expect(nobody.status).toBe(1);
  });

  it('hides names, and takes the files, as OpenSSH’s configuration says', async () => {
    execFileSync('mkdir', ['-p', join(folder, '.ssh')]);
    const config = join(folder, '.ssh', 'config');
    const own = join(folder, 'own-known-hosts');
    writeFileSync(config, `Host *\n  HashKnownHosts yes\n  UserKnownHostsFile ${own}\n`);
    const hidden = await trust('door', '--yes');
    rmSync(config);
    expect(hidden.status).toBe(0);
    expect(readFileSync(own, 'utf8')).toMatch(/^\|1\|\S+ ssh-ed25519 \S+\n$/);
  });

  it.skipIf(!hasTerminal)('asks at a terminal: no records nothing, yes records', async () => {
    const refused = await runAtTerminal(['hosts', 'trust', 'door'], {
      directory,
      home: folder,
      answers: [[/\[y\/N\] /, 'n\r']],
    });
    expect(refused.status).toBe(1);
    expect(refused.screen).toContain('nothing was recorded');
    expect(existsSync(known)).toBe(false);
    const trusted = await runAtTerminal(['hosts', 'trust', 'web1'], {
      directory,
      home: folder,
      answers: [
        [/Trust this new key of door\? \[y\/N\] /, 'q\u007fy\r'],
        [/Trust these 3 new keys of web1\? \[y\/N\] /, 'yes\r'],
      ],
    });
    expect(trusted.screen).toContain('3 keys of web1 added to');
    expect(trusted.status).toBe(0);
  });

  it.skipIf(!hasTerminal)('asks for a passphrase once for all hosts, without showing it', async () => {
    const locked = join(folder, 'locked');
    writeFileSync(locked, readFileSync(door.keyFile), { mode: 0o600 });
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', locked]);
    const inventory = ['one', 'two', 'three'].map((name) => `[hosts.${name}]\ntowline_port = ${door.port}\n`);
    const vars = `[groups.all.vars]\ntowline_host = "127.0.0.1"\ntowline_ssh_username = "${door.user}"\ntowline_ssh_key = "${locked}"\ntowline_host_keys = "accept-new"\n`;
    const repository = join(fresh(), 'policy');
    createRepository(repository, {
      'towline.toml': '[environments.lab]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'inventory.toml': vars + inventory.join(''),
    });
    const place = { directory: repository, home: folder };
    const asked = await runAtTerminal(['ping'], {
      ...place,
      answers: [
        [/Passphrase for \S+: /, 'wrong\r'],
        [/not its passphrase.*\n.*Passphrase for \S+: /s, 'open sesame\r'],
      ],
    });
    expect(asked.screen).toContain('3 of 3 hosts answered');
    expect(asked.screen.match(/Passphrase for/g)).toHaveLength(2);
    expect(asked.screen).not.toMatch(/sesame|wrong/);
    expect(asked.status).toBe(0);
    const interrupted = await runAtTerminal(['ping'], { ...place, answers: [[/Passphrase for/, '\u0003']] });
    expect(interrupted.status).toBe(130);
    const silent = await runTowline(['ping', '--json'], place);
    expect(silent.status).toBe(1);
    expect(silent.stdout).toContain('ssh.key-locked');
    expect(silent.stdout).toContain('--json is for programs');
  });
});
