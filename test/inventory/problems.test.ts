import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../inventory/load.ts';
import { problemsOf } from './fixture.ts';

describe('what is wrong with an inventory is said with file, line and column', () => {
  it.each([
    [
      'a syntax error',
      '[hosts]\nh = { a = }',
      ['one.toml:2:11 inventory.bad-toml not valid TOML: invalid value'],
    ],
    [
      'an unknown key at the top',
      '[host]\nweb = {}',
      ['one.toml:1:2 inventory.unknown-key unknown key "host" at the top; did you mean "hosts"?'],
    ],
    [
      'an unknown key of a group',
      '[groups.web]\nhosts = []\n[groups.web.var]\na = 1',
      ['one.toml:3:13 inventory.unknown-key unknown key "var" in groups.web; did you mean "vars"?'],
    ],
    [
      'a group of the wrong type',
      '[groups]\nweb = 3',
      ['one.toml:2:1 inventory.bad-type groups.web must be a table with hosts, vars and children'],
    ],
    [
      'children of the wrong type',
      '[groups.web]\nchildren = "db"',
      ['one.toml:2:1 inventory.bad-type groups.web.children must be a list of group names'],
    ],
    [
      'a child of the wrong type',
      '[groups.web]\nchildren = [\n  "web",\n  4]',
      ['one.toml:4:3 inventory.bad-type groups.web.children.1 must be the name of a group'],
    ],
    [
      'vars that are no table',
      '[groups."a b"]\nvars = [1]',
      [
        'one.toml:2:1 inventory.bad-type groups."a b".vars must be a table of variables',
        'one.toml:1:9 inventory.bad-name "a b" is not a possible group name',
      ],
    ],
    [
      'hosts that are no table',
      'hosts = 3\n[groups.web]\nhosts = 4',
      [
        'one.toml:1:1 inventory.bad-type hosts must be a table of hosts or a list of host names',
        'one.toml:3:1 inventory.bad-type groups.web.hosts must be a table of hosts or a list of host names',
      ],
    ],
    [
      'a host that is neither table nor string',
      '[hosts]\na = {}\nb = 7',
      ['one.toml:3:1 inventory.bad-type hosts.b must be a table of variables or a string such as "a=1 b=2"'],
    ],
    [
      'a listed host that is no name',
      '[groups.web]\nhosts = ["a", 7]',
      ['one.toml:2:15 inventory.bad-type groups.web.hosts.1 must be the name of a host'],
    ],
    [
      'vars of a host that are no table',
      '[hosts.a]\nvars = 1',
      [
        'one.toml:2:1 inventory.bad-type hosts.a.vars must be a table of variables: "vars" is no variable\'s name',
      ],
    ],
    [
      'a host name with dots and no quotes',
      '[hosts]\n10.0.0.1 = "a=1"\nweb.example = "a=1"\n[hosts.db.example]\nx = 1',
      [
        'one.toml:2:1 inventory.unquoted-dot 10.0: an unquoted dot makes this variables of a host "10", not a host',
        'one.toml:3:1 inventory.unquoted-dot web.example: an unquoted dot makes this variables of a host "web", not a host',
        'one.toml:4:8 inventory.unquoted-dot db.example: an unquoted dot makes this variables of a host "db", not a host',
      ],
    ],
    [
      'names that are not possible',
      '[hosts]\n"a b" = {}\n"-x" = {}\n[groups."x/y"]',
      [
        'one.toml:2:1 inventory.bad-name "a b" is not a possible host name',
        'one.toml:3:1 inventory.bad-name "-x" is not a possible host name',
        'one.toml:4:9 inventory.bad-name "x/y" is not a possible group name',
      ],
    ],
    [
      'a range that goes backwards',
      '[hosts]\n"web[9:1]" = {}',
      ['one.toml:2:1 inventory.bad-range host "web[9:1]": range [9:1]: it ends before it begins'],
    ],
    [
      'a string that is not name=value',
      '[hosts]\na = "x=1 y"\nb = "x=\'1"',
      [
        'one.toml:2:1 inventory.bad-host-string host "a": word 2 is not name=value',
        'one.toml:3:1 inventory.bad-host-string host "b": word 1 has an open quote',
      ],
    ],
    [
      'a prototype',
      '[hosts.a]\n"__pro\\u0074o__" = 1\n[hosts]\nb = "__proto__=1"',
      ['one.toml:2:1 inventory.bad-toml-value the key "__proto__" is not allowed'],
    ],
    [
      'a prototype in a string',
      '[hosts]\nb = "__proto__=1"',
      ['one.toml:2:1 inventory.bad-host-string host "b": the name "__proto__" is not allowed'],
    ],
    [
      'a number that is none',
      '[hosts.a]\nlist = [1, nan]',
      ['one.toml:2:12 inventory.bad-toml-value hosts.a.list.1 is NaN: only finite numbers are possible'],
    ],
    [
      'unknown settings',
      '[groups.all.vars]\ntowline_prot = 1\n[hosts]\na = "opsmop_ssh_user=x"',
      [
        'one.toml:2:1 inventory.unknown-magic there is no setting "towline_prot"; did you mean "towline_port"?',
        'one.toml:4:1 inventory.unknown-magic there is no setting "opsmop_ssh_user"; did you mean "opsmop_ssh_username"?',
      ],
    ],
    [
      'one setting under two names',
      '[hosts.a]\ntowline_host = "x"\nopsmop_host = "y"',
      ['one.toml:3:1 inventory.magic-twice "opsmop_host" is the same setting as "towline_host"'],
    ],
    [
      'an unknown child',
      '[groups.web]\nchildren = ["db", "cahe"]\n[groups.cache]\n[groups.db]',
      [
        'one.toml:2:19 inventory.unknown-group group "web" has an unknown child "cahe"; did you mean "cache"?',
      ],
    ],
    [
      'groups that contain each other, and all inside a group',
      '[groups.a]\nchildren = ["b"]\n[groups.b]\nchildren = ["c"]\n[groups.c]\nchildren = ["b", "all"]',
      [
        'one.toml:6:18 inventory.group-cycle group "c" lists "all" as a child, but every group is inside "all"',
        'one.toml:6:13 inventory.group-cycle groups contain each other: b → c → b',
      ],
    ],
    [
      'a via that is no host, once for its group',
      '[groups.all.vars]\ntowline_via = "bastoin"\n[hosts]\na = {}\nb = {}\nbastion = { towline_via = "" }',
      [
        'one.toml:2:1 inventory.unknown-via towline_via names "bastoin", which is not a host; did you mean "bastion"?',
      ],
    ],
    [
      'a bastion that is to go through itself',
      '[groups.all.vars]\ntowline_via = "bastion"\n[hosts]\na = {}\nbastion = {}',
      ['one.toml:2:1 inventory.via-cycle towline_via goes in a circle: bastion → bastion'],
    ],
    [
      'a longer circle of vias',
      '[hosts]\na = "towline_via=b"\nb = "towline_via=c"\nc = "opsmop_via=b"',
      ['one.toml:3:1 inventory.via-cycle towline_via goes in a circle: b → c → b'],
    ],
    [
      'a via to the controller',
      '[hosts]\na = "towline_via=b"\nb = "towline_connection=local"',
      [
        'one.toml:2:1 inventory.via-local host "a" goes via "b", which is the controller itself (towline_connection = "local")',
      ],
    ],
    [
      'a setting of SSH beside a kind that has none, but not one that comes from farther up',
      '[groups.all.vars]\ntowline_ssh_key = "/k"\n[groups.boxes.vars]\ntowline_connection = "docker"\ntowline_port = 2222\n[groups.boxes.hosts]\na = "towline_pinned_keys=\'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ\'"',
      [
        'one.toml:5:1 inventory.no-effect host "a" has towline_port, which has no effect with towline_connection = "docker"',
        'one.toml:7:1 inventory.no-effect host "a" has towline_pinned_keys, which has no effect with towline_connection = "docker"',
      ],
    ],
    [
      'a relay that is the controller itself, and a local host that goes through another',
      '[hosts]\na = { towline_connection = "local", towline_relay = true, towline_via = "b" }\nb = {}',
      [
        'one.toml:2:59 inventory.no-effect host "a" has towline_via, which has no effect with towline_connection = "local"',
        'one.toml:2:37 inventory.no-effect host "a" has towline_relay, which has no effect with towline_connection = "local"',
      ],
    ],
    [
      'addresses that the kind of connection cannot use',
      '[hosts]\na = "towline_connection=chroot"\nb = { towline_connection = "setns", towline_host = "web" }\nc = { towline_host = "a/b" }',
      [
        'one.toml:2:1 inventory.bad-address host "a" needs towline_host: by chroot it is reached at the absolute path of a folder',
        'one.toml:3:37 inventory.bad-address host "b" is reached by setns, so towline_host must be a process id, or a container as docker:NAME, podman:NAME, lxc:NAME, machinectl:NAME',
        'one.toml:4:7 inventory.bad-address host "c" is reached by ssh, so towline_host must be a host name or an address',
      ],
    ],
    [
      'pinning without keys',
      '[hosts.a]\ntowline_host_keys = "pinned"',
      [
        'one.toml:2:1 inventory.no-pinned-keys host "a" has towline_host_keys = "pinned", but no towline_pinned_keys',
      ],
    ],
  ])('%s', (_, text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });

  it('reports all at once, across files', () => {
    const found = problemsOf('[hosts]\na = 1\n"b c" = 2', '[groups.g]\nx = 1\ny = 2', 'x = ');
    expect(found.map((problem) => problem.split(' ')[0])).toEqual([
      'one.toml:2:1',
      'one.toml:3:1',
      'two.toml:2:1',
      'two.toml:3:1',
      'three.toml:1:5',
    ]);
  });
});

describe('a file with a part of the wrong form', () => {
  it('still has its other mistakes found', () => {
    const text = [
      'colour = "red"',
      '[groups.web]',
      'children = "db"',
      '[groups.web.hosts]',
      'web1 = { towline_port = "ssh" }',
      '[groups.web.extra]',
      '[hosts]',
      'web2 = { towline_via = "nobody" }',
    ].join('\n');
    const loaded = loadInventory([{ path: 'hosts.toml', text }]);
    const found = loaded.ok
      ? []
      : loaded.problems.map(({ code, where }) => `${code} ${where?.line}:${where?.column}`);
    expect(found.sort()).toEqual([
      'inventory.bad-magic 5:10',
      'inventory.bad-type 3:1',
      'inventory.unknown-key 1:1',
      'inventory.unknown-key 6:13',
      'inventory.unknown-via 8:10',
    ]);
  });

  it.each([
    ['[hosts]\nweb.example = { a = 1 }'],
    ['[groups.g.hosts]\n\t "we\\"b" . example = { a = 1 }'],
    ["[groups.g.hosts]\n'web' .example = { a = 1 }"],
    ['groups.g.hosts = { db = {}, web.example = { a = 1 } }'],
    ['[groups.g]\nhosts = {web.example = { a = 1 }}'],
    ['[groups.g.hosts.web.example]\na = 1'],
    ['[ groups . g . hosts . "web" . example ]\na = 1'],
    ['[hosts.web.example]\na = 1'],
    ['[ hosts . web . example ]\na = 1'],
  ])('name an unquoted dot wherever it stands: %j', (text) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining('inventory.unquoted-dot')]);
  });
});
