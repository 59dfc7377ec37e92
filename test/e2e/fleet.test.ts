/**
 * The fleet of test hosts itself: real servers, separated from each other, and nothing left behind.
 * Invariant: nothing that belongs to a fleet is left on the machine after it.
 * Never relies on Towline.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import { alive, processesInNetworks } from '../fleet/process.ts';
import { type Ran, run } from '../fleet/run.ts';
import { limitedUser, rootUser } from '../fleet/users.ts';

const reason = fleetAvailable();

/** What belongs to one fleet, as the machine shows it. */
interface Traces {
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  readonly mounts: readonly string[];
  readonly folders: readonly string[];
  readonly processes: readonly string[];
}

/** Looks for everything a fleet touches outside its hosts; other fleets on the machine are not its affair. */
async function traces(fleet: Fleet, bridge: string, pidNamespaces: readonly string[]): Promise<Traces> {
  const named = (text: string, part: string): string[] =>
    text.split('\n').filter((line) => line.includes(part));
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return {
    namespaces: named((await run('ip', ['netns', 'list'])).stdout, `${bridge}-`),
    links: named((await run('ip', ['-oneline', 'link'])).stdout, bridge),
    mounts: [bridge, fleet.id].flatMap((part) => named(readFileSync('/proc/self/mountinfo', 'utf8'), part)),
    folders: readdirSync(tmpdir()).filter((name) => name.includes(fleet.id)),
    processes: pids.filter((pid) => pidNamespaces.includes(pidNamespace(Number(pid)))),
  };
}

function pidNamespace(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

describe.skipIf(reason !== undefined)(
  `a fleet of three hosts${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let fleet: Fleet;
    let first: FleetHost;
    let second: FleetHost;

    const ssh = (user: string, host: FleetHost, command: string, options: string[] = []): Promise<Ran> =>
      run('ssh', [
        ...['-F', 'none', '-i', fleet.clientKeyFile, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
        ...['-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${fleet.knownHostsFile}`],
        ...['-o', 'ConnectTimeout=3', ...options, `${user}@${host.address}`, command],
      ]);

    beforeAll(async () => {
      fleet = await upFleet({ count: 3, names: ['web1', 'web2', 'db1'] });
      first = fleet.host('web1');
      second = fleet.host('web2');
    });

    afterAll(async () => {
      await fleet?.down();
    });

    it('lets every user in by key, each host with its own name and host key', async () => {
      for (const host of fleet.hosts) {
        const ran = await ssh('root', host, 'hostname');
        expect(ran).toMatchObject({ status: 0, stdout: `${host.name}\n` });
      }
      const users = await Promise.all(
        ['deploy', 'limited', 'nosudo'].map((user) => ssh(user, first, 'id -un; pwd')),
      );
      expect(users.map((ran) => ran.stdout)).toEqual([
        'deploy\n/home/deploy\n',
        'limited\n/home/limited\n',
        'nosudo\n/home/nosudo\n',
      ]);
      expect(new Set(fleet.hosts.map((host) => host.hostKey)).size).toBe(3);
    });

    it('takes passwords as well as keys', async () => {
      const login = (password: string): Promise<string> =>
        new Promise((done) => {
          const client = new Client();
          client.once('ready', () => {
            client.end();
            done('in');
          });
          client.once('error', (error) => done(error.message));
          client.connect({ host: first.address, username: limitedUser.name, password });
        });
      expect(await login(limitedUser.password)).toBe('in');
      expect(await login('wrong')).toContain('authentication methods failed');
    });

    it('gives sudo freely, by password, or not at all', async () => {
      expect((await ssh('deploy', first, 'sudo -n id -u')).stdout).toBe('0\n');
      expect((await ssh('limited', first, 'sudo -n id -u')).status).not.toBe(0);
      const asked = await first.exec(['su', 'limited', '-c', 'sudo -S id -u'], {
        input: `${limitedUser.password}\n`,
      });
      expect(asked.stdout).toBe('0\n');
      const refused = await first.exec(['su', 'nosudo', '-c', 'sudo -S id -u'], {
        input: 'nosudo-password\n',
      });
      expect(refused.stderr).toContain('nosudo is not in the sudoers file');
      const become = await first.exec(['su', 'nosudo', '-c', 'su -c "id -u"'], {
        input: `${rootUser.password}\n`,
      });
      expect(become.stdout).toBe('0\n');
    });

    it('keeps the processes, files and temporary files of hosts apart', async () => {
      await first.writeFile('/etc/only-here', 'one\n');
      await first.writeFile('/tmp/only-here', 'one\n');
      expect(await first.readFile('/etc/only-here')).toBe('one\n');
      await expect(second.readFile('/etc/only-here')).rejects.toThrow('No such file');
      await expect(second.readFile('/tmp/only-here')).rejects.toThrow('No such file');
      expect(readdirSync('/etc')).not.toContain('only-here');
      const seen = (await first.exec(['sh', '-c', 'echo /proc/[0-9]*'])).stdout.trim().split(' ');
      expect(seen.length).toBeLessThan(6);
    });

    it('lets hosts reach each other by name and by address', async () => {
      const script = `exec 3<>/dev/tcp/${second.name}/22; read -r banner <&3; echo "$banner"`;
      expect((await first.exec(['bash', '-c', script])).stdout).toContain('SSH-2.0-OpenSSH');
    });

    it('lists exactly what changed on the disk, and logging in changes nothing', async () => {
      const clean = second.overlayTree();
      await ssh('deploy', second, 'sudo -n true; node -e 0');
      await ssh('root', second, 'tty', ['-tt']);
      expect(second.overlayTree()).toEqual(clean);
      await second.writeFile('/etc/changed', 'x', '0600');
      await second.exec(['rm', '/etc/issue']);
      const after = second.overlayTree();
      expect(after.get('/etc/changed')).toMatchObject({ type: 'file', mode: '600', owner: '0:0' });
      expect(after.get('/etc/issue')).toMatchObject({ type: 'removed' });
      expect([...after.keys()].sort()).toEqual(['/etc', '/etc/changed', '/etc/issue']);
    });

    it('counts the bytes of one host only', async () => {
      const third = fleet.host('db1');
      const quiet = third.bytes();
      const busy = first.bytes();
      await ssh('root', first, 'head -c 100000 /dev/zero');
      expect(first.bytes().fromHost - busy.fromHost).toBeGreaterThan(100_000);
      expect(third.bytes()).toEqual(quiet);
    });

    it('finds the Node processes of a host, to be signalled from outside', async () => {
      const running = first.exec(['node', '-e', 'setInterval(() => {}, 1000)']);
      while (first.agentPids().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(second.agentPids()).toEqual([]);
      for (const pid of first.agentPids()) process.kill(pid, 'SIGKILL');
      expect((await running).status).not.toBe(0);
      expect(first.agentPids()).toEqual([]);
    });

    it('is silent when switched off, refuses if asked to, and comes back with its disk and key', async () => {
      await first.writeFile('/etc/kept', 'kept\n');
      await first.stop();
      expect((await ssh('root', first, 'true')).stderr).toMatch(/timed out|No route/);
      await first.start();
      await first.stop('refuse');
      expect((await ssh('root', first, 'true')).stderr).toContain('refused');
      await expect(first.readFile('/etc/kept')).rejects.toThrow('web1 is off');
      await first.start();
      expect((await ssh('root', first, 'cat /etc/kept')).stdout).toBe('kept\n');
    });

    it('holds a connection through an unplugged cable', async () => {
      const slow = ssh('root', second, 'sleep 0.3; echo through');
      await new Promise((resolve) => setTimeout(resolve, 250));
      await second.pauseNetwork();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await second.resumeNetwork();
      expect((await slow).stdout).toBe('through\n');
    });

    it('leaves nothing when taken down', async () => {
      const { network } = JSON.parse(readFileSync(join(fleet.folder, 'state.json'), 'utf8'));
      const pidNamespaces = fleet.hosts.map((host) => pidNamespace(host.processes()[0]?.pid ?? 0));
      const up = await traces(fleet, network.bridge, pidNamespaces);
      for (const found of Object.values(up)) expect(found.length).toBeGreaterThan(0);
      await fleet.down();
      expect(await traces(fleet, network.bridge, pidNamespaces)).toEqual({
        namespaces: [],
        links: [],
        mounts: [],
        folders: [],
        processes: [],
      });
      await fleet.down();
    });
  },
);

describe.skipIf(reason !== undefined)('a fleet without Node', () => {
  it('has hosts on which no runtime is found', async () => {
    const fleet = await upFleet({ count: 1, node: false });
    try {
      const ran = await fleet.hosts[0]?.exec(['sh', '-c', 'command -v node || echo none']);
      expect(ran?.stdout).toBe('none\n');
    } finally {
      await fleet.down();
    }
  });
});

describe.skipIf(reason !== undefined)('a fleet with a stand-in for systemd', () => {
  it('keeps the state of units through a power cycle and notes every change', async () => {
    const fleet = await upFleet({ count: 1, systemdStub: true, units: ['web.service'] });
    try {
      const host = fleet.host('host1');
      const systemctl = async (...args: string[]): Promise<Ran> => host.exec(['systemctl', ...args]);
      expect((await host.exec(['ls', '-d', '/run/systemd/system'])).status).toBe(0);
      expect((await systemctl('is-active', 'web')).stdout).toBe('inactive\n');
      expect((await systemctl('start', '--', 'nope')).stderr).toBe('Unit nope.service not found.\n');
      expect((await systemctl('start', '--', 'web')).status).toBe(0);
      expect((await systemctl('enable', '--', 'web')).status).toBe(0);
      await host.stop();
      await host.start();
      const shown = await systemctl('show', '--property=LoadState,ActiveState,UnitFileState', '--', 'web');
      expect(shown.stdout).toBe('LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n');
      const calls = await host.readFile('/var/lib/stub-systemd/calls');
      expect(calls).toBe('start web.service\nenable web.service\n');
    } finally {
      await fleet.down();
    }
  });
});

describe.skipIf(reason !== undefined)('fleets of other processes', () => {
  const program = join(import.meta.dirname, '../fleet/main.ts');

  it('stay up after the command that started them, until taken down by their id', async () => {
    const up = await run(process.execPath, [program, 'up', '1']);
    const id = up.stdout.match(/^fleet (\w+): 1 hosts/)?.[1] ?? '';
    expect(id).not.toBe('');
    expect((await run(process.execPath, [program, 'list'])).stdout).toContain(id);
    const login = up.stdout.match(/(ssh .*)$/m)?.[1]?.split(' ') ?? [];
    const ran = await run(login[0] ?? '', [...login.slice(1), 'hostname']);
    expect(ran.stdout).toBe('host1\n');
    expect((await run(process.execPath, [program, 'down', id])).stdout).toBe(`taken down: ${id}\n`);
    expect((await run(process.execPath, [program, 'list'])).stdout).not.toContain(id);
  });

  it('are swept by the next fleet when their process died', async () => {
    const source = `
      import { upFleet } from ${JSON.stringify(join(import.meta.dirname, '../fleet/fleet.ts'))};
      const fleet = await upFleet({ count: 1 });
      await fleet.hosts[0].stop();
      await fleet.hosts[0].start();
      process.stdout.write(fleet.folder);
      process.kill(process.pid, 'SIGKILL');
    `;
    const died = await run(process.execPath, ['--input-type=module', '-e', source]);
    expect(died.status).toBe(-1);
    expect(readdirSync(died.stdout)).toContain('state.json');
    const { links } = JSON.parse(readFileSync(join(died.stdout, 'state.json'), 'utf8'));
    const orphans = processesInNetworks([links[0].namespace]);
    expect(orphans.length).toBeGreaterThan(1);
    const next = await upFleet({ count: 1 });
    await next.down();
    expect(() => readdirSync(died.stdout)).toThrow('ENOENT');
    expect(orphans.filter(alive)).toEqual([]);
  });

  it('refuse a command they do not know', async () => {
    const ran = await run(process.execPath, [program, 'up', 'many']);
    expect(ran).toMatchObject({ status: 1, stdout: '' });
    expect(ran.stderr).toContain('usage:');
  });
});
