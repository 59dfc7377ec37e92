import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemProgram } from '../../fleet/available.ts';
import { createRepository } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { type Ran, runTowline } from '../../helpers/towline-command.ts';

const fresh = temporaryDirectories();
const hasSsh = systemProgram('ssh') !== undefined;

const inventory = `
[groups.all.vars]
towline_ssh_username = "deploy"
towline_via = "bastion"
[groups.web.vars]
towline_become = "sudo"
towline_become_password = "hunter2"
[groups.web.hosts]
web1 = { towline_host = "192.0.2.7", towline_ssh_password = "hunter3" }
[hosts.bastion]
towline_via = ""
[hosts.alone]
towline_via = ""
[groups.direct.hosts]
jumping = {}
[groups.boxes.hosts]
box = { towline_connection = "docker", towline_via = "bastion" }
`;
const role = `import { defineRole, file } from 'towline';
export default defineRole({ connect: { user: 'root', become: 'app' }, resources: () => [file('/etc/x', { content: 'x' })] });`;
const same = role.replace("become: 'app'", "become: 'root'");

const defaults = `[ssh]
key = "~/.ssh/fleet"
connect_timeout = 4
known_hosts = ["~/known", "/etc/known"]
password_file = "~/secret"
[become]
method = "doas"
[tuning]
connections = 8
`;

interface Row {
  readonly setting: string;
  readonly value: unknown;
  readonly origin: { readonly from: string; readonly line?: number; readonly layer?: string };
}

class Place {
  readonly home = fresh();
  readonly directory = join(this.home, 'policy');

  constructor() {
    createRepository(this.directory, {
      'towline.toml': '[environments.lab]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'inventory.toml': inventory,
      'roles/web/role.ts': role,
      'roles/same/role.ts': same,
    });
    this.put('.towline/defaults.toml', defaults);
    this.put('secret', 'hunter4\n');
  }

  put(name: string, text: string): void {
    const file = join(this.home, name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text, { mode: 0o600 });
  }

  explain(...argv: string[]): Promise<Ran> {
    return runTowline(['explain', ...argv], this);
  }

  /** Value and origin of each setting, hop by hop. */
  async hops(...argv: string[]): Promise<Record<string, [value: unknown, origin: string]>[]> {
    const ran = await this.explain(...argv, '--connection', '--json');
    expect(ran.stderr).toBe('');
    expect(ran.stdout).not.toContain('hunter');
    const { hops } = JSON.parse(ran.stdout) as { hops: { settings: Row[] }[] };
    return hops.map(({ settings }) =>
      Object.fromEntries(
        settings.map(({ setting, value, origin: { from, layer, line } }) => [
          setting,
          [value, [from, layer, line].filter((part) => part !== undefined).join(' ')],
        ]),
      ),
    );
  }
}

describe('towline explain HOST --connection', { timeout: 60_000 }, () => {
  it('says of every setting who says it: inventory, defaults or nobody', async () => {
    const place = new Place();
    const [web, bastion] = await place.hops('web1');
    expect(web).toMatchObject({
      connection: ['ssh', 'built-in'],
      address: ['192.0.2.7', 'inventory host 9'],
      port: [22, 'built-in'],
      user: ['deploy', 'inventory all 3'],
      password: ['«secret»', 'inventory host 9'],
      key: [join(place.home, '.ssh/fleet'), 'defaults 2'],
      known_hosts: [[join(place.home, 'known'), '/etc/known'], 'defaults 4'],
      'connect timeout': ['4 s', 'defaults 3'],
      keepalive: ['every 15 s, 3 times', 'built-in'],
      become: ['root', 'built-in'],
      'become by': ['sudo', 'inventory web 6'],
      'become password': ['«secret»', 'inventory web 7'],
      via: ['bastion', 'inventory all 4'],
    });
    expect(bastion).toMatchObject({
      password: ['«secret»', 'defaults 5'],
      become: ['nobody', 'built-in'],
      via: ['nobody', 'inventory host 11'],
    });
  });

  it('adds what a role asks for', async () => {
    const place = new Place();
    const [web] = await place.hops('alone', '--role', 'web');
    expect(web).toMatchObject({
      user: ['root', 'role'],
      become: ['app', 'role'],
      'become by': ['doas', 'defaults 7'],
    });
    const [found] = await place.hops('alone', 'same');
    expect(found?.become).toEqual(['nobody: it is root already', 'role']);
    const unknown = await place.explain('alone', '--connection', '--role', 'wbe');
    expect([unknown.status, unknown.stderr]).toEqual([1, expect.stringContaining('lab has no role wbe')]);
  });

  it('shows a container without what belongs to SSH', async () => {
    const [box = {}] = await new Place().hops('box');
    expect(box.connection).toEqual(['docker', 'inventory host 17']);
    expect(Object.keys(box)).toEqual(['connection', 'address', 'become', 'via', 'relay', 'runtime']);
  });

  it.skipIf(!hasSsh)('sees what OpenSSH’s configuration adds, with hosts it puts on the way', async () => {
    const place = new Place();
    const config = [
      'Host alone',
      '  HostName 192.0.2.9',
      '  Port 2200',
      '  User other',
      '  StrictHostKeyChecking accept-new',
      '  ConnectTimeout 9',
      '  ServerAliveInterval 3',
      'Host jumping',
      '  ProxyJump me@jump.example:2201',
    ];
    place.put('.ssh/config', `${config.join('\n')}\n`);
    place.put('.towline/defaults.toml', '[become]\nmethod = "doas"\n');
    const [alone] = await place.hops('alone');
    expect(alone).toMatchObject({
      address: ['192.0.2.9', 'openssh'],
      port: [2200, 'openssh'],
      user: ['deploy', 'inventory all 3'],
      'host keys': ['accept-new', 'openssh'],
      'connect timeout': ['9 s', 'openssh'],
      keepalive: ['every 3 s, 3 times', 'openssh'],
    });
    writeFileSync(join(place.directory, 'inventory.toml'), '[hosts.jumping]\n');
    const [jumping, jump] = await place.hops('jumping', '--worktree');
    expect(jumping?.via).toEqual(['jump.example', 'openssh']);
    expect(jump).toMatchObject({ user: ['me', 'openssh'], port: [2201, 'openssh'] });
  });

  it('writes it for people, every hop and the controller, without cutting anything', async () => {
    const place = new Place();
    const { stdout, status } = await place.explain('web1', '--connection');
    expect(status).toBe(0);
    const lines = stdout.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, ' | '));
    expect(lines).toEqual(
      expect.arrayContaining([
        'web1 | lab',
        'user | deploy | inventory, all | inventory.toml:3:1',
        `known_hosts | ${join(place.home, 'known')} | defaults | ${join(place.home, '.towline/defaults.toml')}:4:1`,
        '/etc/known',
        'by way of bastion',
        'this controller',
        `starting at once | 8 | defaults | ${join(place.home, '.towline/defaults.toml')}:9:1`,
        'heartbeat | 5 s | built in',
      ]),
    );
    expect(stdout).not.toContain('hunter');
  });

  it('wants a role or the connection', async () => {
    const ran = await new Place().explain('web1');
    expect([ran.status, ran.stderr]).toEqual([64, expect.stringContaining('name a role')]);
  });
});
