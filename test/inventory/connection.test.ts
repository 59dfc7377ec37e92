import { describe, expect, it } from 'vitest';
import { openSecret } from '../../agent/protocol/secret.ts';
import { connectionFor } from '../../inventory/connection.ts';
import type { ConnectionSpec, ConnectionWish } from '../../inventory/connection-spec.ts';
import type { Inventory } from '../../inventory/model.ts';
import { loaded } from './fixture.ts';

function spec(text: string, wish: ConnectionWish = {}, host = 'h'): ConnectionSpec {
  const result = connectionFor(loaded(text), host, wish);
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ';

describe('the connection to a host', () => {
  it('is strict SSH to its name at port 22 when nothing is said', () => {
    expect(spec('[hosts]\nh = {}')).toEqual({
      kind: 'ssh',
      host: 'h',
      address: 'h',
      port: 22,
      hostKeys: 'strict',
      pinnedKeys: [],
      unsaid: new Set(['address', 'port', 'user', 'keyFile', 'hostKeys', 'via']),
    });
  });

  it('has every setting of the inventory', () => {
    const found = spec(`[hosts.h]
      towline_host = "192.0.2.7"
      towline_port = 2222
      towline_ssh_username = "deploy"
      towline_ssh_password = "hunter2"
      towline_ssh_key = "/keys/id"
      towline_host_keys = "accept-new"
      towline_become = "doas"
      towline_become_username = "app"
      towline_become_password = "hunter3"
      towline_runtime = "/opt/node"`);
    expect(found).toMatchObject({
      address: '192.0.2.7',
      port: 2222,
      user: 'deploy',
      keyFile: '/keys/id',
      hostKeys: 'accept-new',
      become: { method: 'doas', user: 'app' },
      runtime: '/opt/node',
    });
    expect(JSON.stringify(found)).not.toContain('hunter');
    const passwords = [found.password, found.become?.password];
    expect(passwords.map((secret) => secret && openSecret(secret))).toEqual(['hunter2', 'hunter3']);
  });

  it('puts what a role asks for before the inventory', () => {
    const text = '[hosts]\nh = "towline_ssh_username=a towline_become=su towline_become_username=b"';
    expect(spec(text, { user: 'c', become: 'd' })).toMatchObject({
      user: 'c',
      become: { method: 'su', user: 'd' },
    });
    expect(spec(text, {})).toMatchObject({ user: 'a', become: { method: 'su', user: 'b' } });
  });

  it.each<[string, ConnectionWish, ConnectionSpec['become']]>([
    ['{}', {}, undefined],
    ['{}', { become: 'root' }, { method: 'sudo', user: 'root' }],
    ['{ towline_become = "su" }', {}, { method: 'su', user: 'root' }],
    ['{ towline_become_username = "app" }', {}, { method: 'sudo', user: 'app' }],
    ['{ towline_become_password = "x" }', {}, undefined],
    ['{ towline_become = false, towline_become_username = "app" }', {}, undefined],
    ['{ towline_become = false }', { become: 'app' }, { method: 'sudo', user: 'app' }],
    ['{ towline_ssh_username = "root" }', { become: 'root' }, undefined],
    ['{ towline_ssh_username = "root", towline_become = "su" }', { user: 'app', become: 'app' }, undefined],
    [
      '{ towline_ssh_username = "root", towline_become = "su" }',
      { user: 'app' },
      { method: 'su', user: 'root' },
    ],
  ])('becomes somebody only when asked to: %s with %j', (host, wish, become) => {
    expect(spec(`[hosts]\nh = ${host}`, wish).become).toEqual(become);
  });

  it('pins where keys are given and nothing else is said', () => {
    expect(spec(`[hosts.h]\ntowline_pinned_keys = ["${key}"]`)).toMatchObject({
      hostKeys: 'pinned',
      pinnedKeys: [key],
    });
    expect(spec(`[hosts.h]\ntowline_pinned_keys = "${key}"\ntowline_host_keys = "strict"`).hostKeys).toBe(
      'strict',
    );
  });

  it('goes through a chain of bastions, which get neither the wish nor a password to become somebody', () => {
    const text = `
      [groups.all.vars]
      towline_ssh_username = "deploy"
      towline_become = "sudo"
      towline_become_password = "hunter2"
      towline_via = "outer"
      [hosts]
      h = "towline_via=inner"
      inner = {}
      outer = { towline_via = "", towline_port = 2222 }`;
    const found = spec(text, { user: 'other', become: 'root' });
    expect(found).toMatchObject({
      user: 'other',
      become: { user: 'root' },
      via: { host: 'inner', user: 'deploy' },
    });
    expect(found.via?.via).toMatchObject({ host: 'outer', port: 2222, user: 'deploy' });
    expect([found.via?.become, found.via?.via?.become, found.via?.via?.via]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is local where the inventory says so, and then goes through nothing', () => {
    const text =
      '[groups.all.vars]\ntowline_via = "b"\n[hosts]\nb = "towline_via="\nh = "towline_connection=local"';
    expect(spec(text)).toMatchObject({ kind: 'local' });
    expect(spec(text).via).toBeUndefined();
  });

  it('has a login account for SSH alone, so that a container becomes what it is asked to', () => {
    const text = '[groups.all.vars]\ntowline_ssh_username = "app"\n[hosts]\nh = "towline_connection=docker"';
    const found = spec(text, { become: 'app' });
    expect([found.user, found.become?.user]).toEqual([undefined, 'app']);
  });

  it('fails for a name that is no host, with a suggestion', () => {
    expect(connectionFor(loaded('[hosts]\nweb1 = {}'), 'wbe1', {})).toMatchObject({
      ok: false,
      problem: { code: 'inventory.unknown-host', message: 'there is no host "wbe1"; did you mean "web1"?' },
    });
  });

  it('fails on a circle in an inventory that was not loaded from files', () => {
    const { hosts, groups } = loaded('[hosts]\na = {}\nb = {}');
    const inventory: Inventory = {
      hosts,
      groups,
      provenance: () => undefined,
      magic: (host) => ({ towline_via: host === 'a' ? 'b' : 'a' }),
    };
    expect(connectionFor(inventory, 'a')).toMatchObject({
      ok: false,
      problem: { code: 'inventory.via-cycle', message: 'towline_via goes in a circle: a → b → a' },
    });
  });
});
