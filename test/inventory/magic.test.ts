import { describe, expect, it } from 'vitest';
import type { Json } from '../../agent/protocol/json.ts';
import { checkMagic, type MagicName, magicAliases, magicNamed, magicNames } from '../../inventory/magic.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ';

describe('magic variables', () => {
  it.each<[MagicName, Json, Json]>([
    ['towline_host', '192.0.2.1', '192.0.2.1'],
    ['towline_host', 'fe80::1%eth0', 'fe80::1%eth0'],
    ['towline_port', 2222, 2222],
    ['towline_port', '22', 22],
    ['towline_ssh_username', 'CORP\\ann', 'CORP\\ann'],
    ['towline_ssh_password', 'two words', 'two words'],
    ['towline_ssh_key', '~/.ssh/id', '~/.ssh/id'],
    ['towline_host_keys', 'accept-new', 'accept-new'],
    ['towline_host_keys', true, 'strict'],
    ['towline_host_keys', 'false', 'ignore'],
    ['towline_pinned_keys', [`${key} web1`], [key]],
    ['towline_pinned_keys', key, [key]],
    ['towline_become', 'doas', 'doas'],
    ['towline_become', false, false],
    ['towline_become', 'false', false],
    ['towline_via', 'bastion', 'bastion'],
    ['towline_via', false, ''],
    ['towline_relay', false, false],
    ['towline_relay', 'false', false],
    ['towline_relay', true, true],
    ['towline_relay', 'true', true],
    ['towline_runtime', '/opt/node/bin/node', '/opt/node/bin/node'],
    ['towline_connection', 'local', 'local'],
    ['towline_connection', 'kubectl', 'kubectl'],
    ['towline_host', 'shop/web-0', 'shop/web-0'],
    ['towline_transport', 'ssh', 'ssh'],
    ['towline_transport', 'openssh', 'openssh'],
  ])('%s takes %j', (name, value, expected) => {
    expect(checkMagic(name, value)).toEqual({ kind: 'value', value: expected });
  });

  it.each<[MagicName, Json, string]>([
    ['towline_host', '-oProxyCommand=x', 'a name, an address or a path'],
    ['towline_host', '', 'a name, an address or a path'],
    ['towline_host', 10, 'a name, an address or a path'],
    ['towline_port', 0, 'a port number from 1 to 65535'],
    ['towline_port', 65_536, 'a port number from 1 to 65535'],
    ['towline_port', 22.5, 'a port number from 1 to 65535'],
    ['towline_port', 'ssh', 'a port number from 1 to 65535'],
    ['towline_ssh_username', '-x', 'an account name'],
    ['towline_ssh_username', 'a b', 'an account name'],
    ['towline_ssh_password', 'a\nb', 'a text of one line'],
    ['towline_become_password', '', 'a text of one line'],
    ['towline_ssh_key', '', 'the path of a private key on the controller'],
    [
      'towline_host_keys',
      'strikt',
      'one of "strict", "accept-new", "pinned", "ignore"; did you mean "strict"?',
    ],
    [
      'towline_pinned_keys',
      ['SHA256:abc'],
      'a list of host keys, each "type base64" as known_hosts has them without the host',
    ],
    [
      'towline_pinned_keys',
      [],
      'a list of host keys, each "type base64" as known_hosts has them without the host',
    ],
    ['towline_become', true, 'one of "sudo", "su", "doas", false'],
    ['towline_via', 'a b', 'the name of a host in this inventory, or "" to go there directly'],
    ['towline_relay', 1, 'true or false'],
    ['towline_runtime', 'node', 'the absolute path of a Node on the host'],
    [
      'towline_connection',
      'dokcer',
      'one of "ssh", "local", "docker", "podman", "kubectl", "lxc", "lxd", "machinectl", "setns", "jail", "chroot"; did you mean "docker"?',
    ],
    ['towline_transport', 'mosh', 'one of "ssh", "openssh"'],
    ['towline_transport', 4, 'one of "ssh", "openssh"'],
  ])('%s refuses %j and says what it takes', (name, value, wanted) => {
    expect(checkMagic(name, value)).toEqual({ kind: 'bad', wanted });
  });

  it('are known by their own name, and by OpsMop’s', () => {
    expect(magicNames.map(magicNamed)).toEqual(magicNames.map((name) => ({ name })));
    expect([...magicAliases.keys()].map(magicNamed)).toEqual(
      [...magicAliases.values()].map((name) => ({ name })),
    );
    expect(magicNamed('towline_user')).toEqual({ unknown: expect.any(String) });
  });
});
