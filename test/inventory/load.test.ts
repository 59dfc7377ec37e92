import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openSecret } from '../../agent/protocol/secret.ts';
import { loadInventory } from '../../inventory/load.ts';
import { loaded, problemsOf } from './fixture.ts';

const fleet = new URL('../../inventory/example/fleet.toml', import.meta.url);

describe('the example fleet', () => {
  const inventory = loaded(readFileSync(fleet, 'utf8'));

  it('has its hosts in the order declared', () => {
    expect([...inventory.hosts.keys()]).toEqual([
      'web01.north.example.org',
      'web02.north.example.org',
      'web01.south.example.org',
      'web02.south.example.org',
      'db-a.example.org',
      'db-b.example.org',
      'db-c.example.org',
      'bastion',
    ]);
  });

  it('puts hosts of child groups into the parent group and every host into all', () => {
    expect(inventory.groups.get('web')?.hosts).toHaveLength(4);
    expect(inventory.groups.get('all')?.hosts).toHaveLength(8);
    expect(inventory.hosts.get('web01.south.example.org')?.groups).toEqual(['all', 'web', 'web-south']);
    expect(inventory.hosts.get('bastion')?.groups).toEqual(['all']);
  });

  it('merges all, group, child group and host in this order', () => {
    expect(inventory.hosts.get('web01.south.example.org')?.variables).toEqual({
      timezone: 'Europe/Lisbon',
      port: 8081,
      packages: ['nginx', 'certbot'],
      motd: 'on the coast',
    });
    expect(inventory.hosts.get('db-a.example.org')?.variables).toEqual({
      timezone: 'UTC',
      port: 80,
      role: 'primary',
      backup: { hour: 3, keep: 14 },
    });
  });

  it('says where each value in force comes from', () => {
    const from = (host: string, variable: string) => {
      const found = inventory.provenance(host, variable);
      return found && `${found.layer} ${found.file}:${found.line}:${found.column}`;
    };
    expect(from('web01.north.example.org', 'port')).toBe('web one.toml:14:1');
    expect(from('web01.south.example.org', 'port')).toBe('host one.toml:21:1');
    expect(from('web01.south.example.org', 'timezone')).toBe('web-south one.toml:24:1');
    expect(from('db-a.example.org', 'backup')).toBe('host one.toml:40:1');
    expect(from('db-b.example.org', 'timezone')).toBe('all one.toml:5:1');
    expect(from('bastion', 'towline_via')).toBe('host one.toml:36:1');
    expect(from('bastion', 'no-such')).toBeUndefined();
    expect(from('no-such', 'port')).toBeUndefined();
  });
});

describe('merging', () => {
  it('lays a parent under its child even where the child is declared first', () => {
    const inventory = loaded(`
      [groups.child]
      hosts = ["h"]
      vars = { a = "child", b = "child" }
      [groups.parent]
      children = ["child"]
      vars = { a = "parent", c = "parent" }
    `);
    expect(inventory.hosts.get('h')?.variables).toEqual({ a: 'child', b: 'child', c: 'parent' });
  });

  it('lets the later of two unrelated groups win', () => {
    const text = (first: string, second: string) => `
      [groups.${first}]
      hosts = ["h"]
      vars = { from = "${first}" }
      [groups.${second}]
      hosts = ["h"]
      vars = { from = "${second}" }
    `;
    expect(loaded(text('x', 'a')).hosts.get('h')?.variables).toEqual({ from: 'a' });
    expect(loaded(text('a', 'x')).hosts.get('h')?.variables).toEqual({ from: 'x' });
  });

  it('lets what a group says of a host win over [hosts], as OpsMop does, and keeps the rest of both', () => {
    const inventory = loaded(`
      [groups.g.hosts]
      h = "a=1 b=1"
      [hosts]
      h = "b=2 c=2"
    `);
    expect(inventory.hosts.get('h')?.variables).toEqual({ a: 1, b: 1, c: 2 });
  });

  it('takes [hosts.h.vars] for variables of h, beside its own', () => {
    const inventory = loaded('[hosts.h]\na = 1\n[hosts.h.vars]\nb = 2\n[hosts.i.vars]\nc = 3');
    expect(inventory.hosts.get('h')?.variables).toEqual({ a: 1, b: 2 });
    expect(inventory.hosts.get('i')?.variables).toEqual({ c: 3 });
    expect(inventory.provenance('h', 'b')).toEqual({ layer: 'host', file: 'one.toml', line: 4, column: 1 });
  });

  it('joins several files, the later one winning in the same layer', () => {
    const inventory = loaded(
      '[groups.g]\nhosts = ["h"]\nvars = { a = 1, b = 1 }',
      '[groups.g.vars]\nb = 2\n[hosts]\ni = {}\n[groups.g.hosts]\ni = {}',
    );
    expect(inventory.groups.get('g')?.hosts).toEqual(['h', 'i']);
    expect(inventory.hosts.get('h')?.variables).toEqual({ a: 1, b: 2 });
    expect(inventory.provenance('h', 'b')).toMatchObject({
      layer: 'g',
      file: 'two.toml',
      line: 2,
      column: 1,
    });
  });

  it('replaces a table whole', () => {
    const inventory = loaded('[groups.all.vars.t]\na = 1\nb = 2\n[hosts.h.vars.t]\na = 3');
    expect(inventory.hosts.get('h')?.variables).toEqual({ t: { a: 3 } });
  });

  it('knows a host that only the group all lists', () => {
    expect(loaded('[groups.all.hosts]\nh = {}').hosts.get('h')?.groups).toEqual(['all']);
  });

  it('gives dates as their text', () => {
    expect(loaded('[hosts.h]\nsince = 2024-02-29').hosts.get('h')?.variables).toEqual({
      since: '2024-02-29',
    });
  });

  it('freezes what it gives', () => {
    const inventory = loaded('[hosts.h]\nlist = [{ a = 1 }]');
    const host = inventory.hosts.get('h');
    const list = host?.variables.list as { a: number }[];
    expect([host, host?.variables, host?.groups, list, list[0], inventory].every(Object.isFrozen)).toBe(true);
  });

  it('loads nothing as an inventory with the empty group all', () => {
    const inventory = loaded();
    expect(inventory.hosts.size).toBe(0);
    expect(inventory.groups.get('all')).toEqual({ name: 'all', children: [], hosts: [] });
  });
});

describe('fingerprints', () => {
  const print = (text: string) => loaded(text).hosts.get('h')?.fingerprint;
  const base = print('[hosts]\nh = { a = 1, b = 2 }');

  it('stay when only the place of a value or a setting changes', () => {
    expect(print('[hosts]\nh = { b = 2, a = 1 }')).toBe(base);
    expect(print('[groups.all.vars]\na = 1\n[hosts]\nh = { b = 2 }')).toBe(base);
    expect(print('[hosts]\nh = { a = 1, b = 2, towline_port = 23 }')).toBe(base);
  });

  it('change with a value, a variable or a group', () => {
    const others = [
      print('[hosts]\nh = { a = 1, b = 3 }'),
      print('[hosts]\nh = { a = 1, b = "2" }'),
      print('[hosts]\nh = { a = 1 }'),
      print('[groups.g.hosts]\nh = { a = 1, b = 2 }'),
    ];
    expect(new Set([base, ...others]).size).toBe(5);
  });
});

describe('passwords', () => {
  const text = '[hosts]\nh = "towline_ssh_password=hunter2 opsmop_sudo_password=12345"';

  it('are masked among the magic variables and nowhere else', () => {
    const inventory = loaded(text);
    expect(inventory.magic('h')).toEqual({
      towline_ssh_password: '«secret»',
      towline_become_password: '«secret»',
    });
    expect(inspect(inventory, { depth: 9 }) + JSON.stringify([...inventory.hosts])).not.toMatch(
      /hunter2|12345/,
    );
  });

  it('are given as Secrets, digits as they are written', () => {
    const inventory = loaded(text);
    const password = inventory.secret?.('h', 'towline_ssh_password');
    const become = inventory.secret?.('h', 'towline_become_password');
    expect([password, become].map((secret) => secret && openSecret(secret))).toEqual(['hunter2', '12345']);
    expect(inventory.secret?.('h', 'towline_port')).toBeUndefined();
  });

  it('are in no problem, even where the file is broken beside them', () => {
    const broken = loadInventory([{ path: 'f', text: 'towline_ssh_password = "hunter2" x' }]);
    const wrong = problemsOf('[hosts]\nh = { towline_ssh_password = ["hunter2"], towline_prot = 1 }');
    expect(JSON.stringify([broken, wrong])).not.toContain('hunter2');
    expect(wrong).toHaveLength(2);
  });
});

describe('an OpsMop inventory', () => {
  it('loads unchanged', () => {
    const inventory = loaded(`
      [groups.webservers.hosts]
      "192.168.1.1" = "opsmop_host=10.0.0.1 opsmop_ssh_username=mpdehaan"
      "web2.example.com" = ""
      [groups.webservers.vars]
      opsmop_via = "bastion"
      opsmop_sudo_username = "root"
      opsmop_ssh_check_host_keys = "enforce"
      opsmop_python_path = "/usr/bin/python3"
      [hosts]
      bastion = "opsmop_ssh_check_host_keys=accept"
    `);
    expect(inventory.magic('192.168.1.1')).toEqual({
      towline_host: '10.0.0.1',
      towline_ssh_username: 'mpdehaan',
      towline_via: 'bastion',
      towline_become_username: 'root',
      towline_host_keys: 'strict',
    });
    expect(inventory.magic('bastion')).toEqual({ towline_host_keys: 'accept-new' });
    expect(inventory.provenance('web2.example.com', 'towline_via')).toMatchObject({
      layer: 'webservers',
      line: 6,
    });
    expect(inventory.hosts.get('192.168.1.1')?.variables).toEqual({});
  });
});

describe('a big inventory', () => {
  it('has 10,000 hosts from one line, each with its groups and its own value', () => {
    const hosts = Array.from({ length: 9_000 }, (_, n) => `"own${n}.example.org" = "n=${n}"\n`).join('');
    const inventory = loaded(`
      [groups.all.vars]
      zone = "a"
      [groups.ranged.hosts]
      "web[0001:1000].example.org" = { kind = "web" }
      [groups.single.hosts]
      ${hosts}`);
    expect(inventory.hosts.size).toBe(10_000);
    expect(inventory.groups.get('single')?.hosts).toHaveLength(9_000);
    expect(inventory.hosts.get('web0777.example.org')?.variables).toEqual({ zone: 'a', kind: 'web' });
    expect(inventory.hosts.get('own8999.example.org')?.variables).toEqual({ zone: 'a', n: 8_999 });
    expect(new Set([...inventory.hosts.values()].map((host) => host.fingerprint)).size).toBe(10_000);
    expect(inventory.provenance('own8999.example.org', 'n')).toMatchObject({ layer: 'host', line: 9006 });
  });
});
