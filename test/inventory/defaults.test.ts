import { describe, expect, it } from 'vitest';
import type { Problem } from '../../agent/protocol/problem.ts';
import { openSecret, Secret } from '../../agent/protocol/secret.ts';
import { connectionFor } from '../../inventory/connection.ts';
import { builtInDefaults, type Defaults } from '../../inventory/defaults.ts';
import { describedDefaults } from '../../inventory/defaults-schema.ts';
import { checkDefaults, defaultsOf } from '../../inventory/read-defaults.ts';
import { line, loaded } from './fixture.ts';

const outside = { home: '/home/me', passwords: {} };

function check(text: string, mode = 0o600): ReturnType<typeof checkDefaults> {
  return checkDefaults({ file: 'defaults.toml', text, mode });
}

function defaults(text: string): Defaults {
  const draft = check(text);
  if (!draft.ok) throw new Error(draft.problems.map(line).join('\n'));
  return defaultsOf(draft.value, outside);
}

function mistakes(text: string, mode?: number): string[] {
  const draft = check(text, mode);
  return draft.ok ? [] : draft.problems.map((problem: Problem) => line(problem));
}

const everything = `
[ssh]
username = "deploy"
port = 2222
key = "~/keys/id"
password = "hunter2"
host_keys = "accept-new"
known_hosts = ["~/known", "/etc/known"]
agent = "none"
transport = "openssh"
connect_timeout = 4
keepalive_interval = 7
[become]
method = "doas"
username = "app"
password = "hunter3"
[tuning]
connections = 4
per_bastion = 2
contexts_per_host = 3
idle_close = 60
heartbeat = 2
attempts = 5
start_timeout = 30
[runtime]
path = "/opt/node"
ship = false
cache = false
[log]
level = "debug"
file = "~/towline.log"
`;

describe('the defaults file', () => {
  it('gives every key its place in one object that cannot be changed', () => {
    const found = defaults(everything);
    expect(found).toMatchObject({
      file: 'defaults.toml',
      ssh: {
        username: 'deploy',
        port: 2222,
        key: '/home/me/keys/id',
        hostKeys: 'accept-new',
        knownHosts: ['/home/me/known', '/etc/known'],
        agent: 'none',
        transport: 'openssh',
        connectTimeout: 4,
        keepalive: { interval: 7, count: 3 },
      },
      become: { method: 'doas', username: 'app' },
      tuning: {
        connections: 4,
        perBastion: 2,
        contextsPerHost: 3,
        idleClose: 60,
        heartbeat: 2,
        attempts: 5,
        startTimeout: 30,
      },
      runtime: { path: '/opt/node', ship: false, cache: false },
      log: { level: 'debug', file: '/home/me/towline.log' },
    });
    expect(JSON.stringify(found)).not.toContain('hunter');
    expect([found, found.ssh, found.become, found.tuning].every((part) => Object.isFrozen(part))).toBe(true);
    expect(found.ssh.password && openSecret(found.ssh.password)).toBe('hunter2');
  });

  it('leaves what it does not say to what is built in', () => {
    const { ssh, become, tuning, runtime, log } = defaults('[ssh]\n[tuning]\nattempts = 1\n');
    expect([ssh, become]).toEqual([{}, {}]);
    expect(tuning).toEqual({ ...builtInDefaults.tuning, attempts: 1 });
    expect([runtime, log]).toEqual([builtInDefaults.runtime, builtInDefaults.log]);
  });

  it('knows where each value stands', () => {
    const found = defaults('[ssh]\nusername = "a"\n  port = 3\n');
    expect(found.place('ssh.port')).toEqual({ file: 'defaults.toml', line: 3, column: 3 });
    expect(found.place('ssh.key')).toBeUndefined();
    expect(found.place('tuning.attempts')).toBeUndefined();
    expect(builtInDefaults.place('ssh.port')).toBeUndefined();
  });

  it('reports every mistake at once, in the order of the file, with a suggestion where one is near', () => {
    expect(
      mistakes(
        [
          '[shh]',
          '[ssh]',
          'user = "x"',
          'port = "22"',
          'host_keys = "pinned"',
          'known_hosts = 3',
          'agent = "agent.sock"',
          'keepalive_count = 0.5',
          '[becom]',
          '[become]',
          'metod = "sudo"',
          '[tuning]',
          'conections = 3',
          'idle_close = -1',
          '[runtime]',
          'ship = "yes"',
          'path = "node"',
          '[log]',
          'level = "loud"',
        ].join('\n'),
      ),
    ).toEqual([
      'defaults.toml:1:2 defaults.unknown-key unknown key "shh" at the top; did you mean "ssh"?',
      'defaults.toml:3:1 defaults.unknown-key unknown key "user" in ssh',
      'defaults.toml:4:1 defaults.bad-value ssh.port must be a whole number from 1 to 65535',
      'defaults.toml:5:1 defaults.bad-value ssh.host_keys must be one of "strict", "accept-new", "ignore"',
      'defaults.toml:6:1 defaults.bad-value ssh.known_hosts must be a path, or a list of paths, that begin with / or ~/',
      'defaults.toml:7:1 defaults.bad-value ssh.agent must be a path that begins with / or ~/, or "none"',
      'defaults.toml:8:1 defaults.bad-value ssh.keepalive_count must be a whole number from 1 to 100',
      'defaults.toml:9:2 defaults.unknown-key unknown key "becom" at the top; did you mean "become"?',
      'defaults.toml:11:1 defaults.unknown-key unknown key "metod" in become; did you mean "method"?',
      'defaults.toml:13:1 defaults.unknown-key unknown key "conections" in tuning; did you mean "connections"?',
      'defaults.toml:14:1 defaults.bad-value tuning.idle_close must be a whole number from 0 to 86400',
      'defaults.toml:16:1 defaults.bad-value runtime.ship must be true or false',
      'defaults.toml:17:1 defaults.bad-value runtime.path must be the absolute path of a Node on the hosts',
      'defaults.toml:19:1 defaults.bad-value log.level must be one of "fatal", "error", "warn", "info", "debug", "trace", "silent"',
    ]);
    expect(mistakes('ssh = 3')).toEqual(['defaults.toml:1:1 defaults.bad-value ssh must be a table']);
    expect(mistakes('[ssh')[0]).toMatch(/^defaults\.toml:1:\d+ inventory\.bad-toml /);
  });

  it.each([
    [0o600, []],
    [0o400, []],
    [0o640, ['(mode 0640)']],
    [0o604, ['(mode 0604)']],
    [0o100_644, ['(mode 0644)']],
  ])('takes a password from a file of mode %o only where nobody else reads it', (mode, wanted) => {
    const found = mistakes('[become]\npassword = "hunter2"\nmethod = 1', mode).filter((each) =>
      each.includes('readable'),
    );
    expect(found).toEqual(
      wanted.map(
        (tail) =>
          `defaults.toml:2:1 defaults.readable-password become.password stands in a file that others can read ${tail}`,
      ),
    );
  });

  it('takes one password, not two', () => {
    expect(mistakes('[ssh]\npassword = "x"\npassword_file = "/y"')).toEqual([
      'defaults.toml:2:1 defaults.two-passwords ssh has both password and password_file',
    ]);
    const draft = check('[ssh]\npassword_file = "/y"', 0o644);
    if (!draft.ok) throw new Error('refused');
    const secret = new Secret('from a file');
    expect(defaultsOf(draft.value, { ...outside, passwords: { ssh: secret } }).ssh.password).toBe(secret);
  });

  it('says of every key what it takes, what holds without it and what it does', () => {
    const keys = describedDefaults().flatMap(({ keys: all }) => all);
    expect(keys.length).toBeGreaterThan(25);
    expect(keys.filter(({ takes, without, does }) => !takes || !without || !does.endsWith('.'))).toEqual([]);
  });
});

describe('defaults in a connection', () => {
  const inventory = loaded(`
    [hosts.bare]
    [hosts.said]
    towline_host = "192.0.2.7"
    towline_port = 22
    towline_ssh_username = "own"
    towline_ssh_password = "own-password"
    towline_ssh_key = "/own/key"
    towline_host_keys = "strict"
    towline_become = "su"
    towline_become_password = "own-become"
    towline_runtime = "/own/node"
    towline_via = ""
    [hosts.here]
    towline_connection = "local"`);
  const given = defaults(everything);

  function spec(host: string, wish = {}, from = given): Record<string, unknown> {
    const result = connectionFor(inventory, host, wish, from);
    if (!result.ok) throw new Error(result.problem.message);
    return result.value as unknown as Record<string, unknown>;
  }

  it('hold where role and inventory say nothing', () => {
    expect(spec('bare')).toMatchObject({
      port: 2222,
      user: 'deploy',
      password: given.ssh.password,
      keyFile: '/home/me/keys/id',
      hostKeys: 'accept-new',
      transport: 'openssh',
      runtime: '/opt/node',
      ssh: {
        knownHostsFiles: ['/home/me/known', '/etc/known'],
        identityAgent: 'none',
        connectTimeout: 4,
        keepalive: { interval: 7, count: 3 },
      },
      unsaid: new Set(['address', 'via']),
    });
  });

  it('yield to the inventory, which yields to the role', () => {
    const found = spec('said', { user: 'role', become: 'other' });
    expect(found).toMatchObject({
      port: 22,
      user: 'role',
      keyFile: '/own/key',
      hostKeys: 'strict',
      become: { method: 'su', user: 'other' },
      runtime: '/own/node',
      unsaid: new Set(),
    });
    const secrets = [found.password, (found.become as { password: unknown }).password] as Secret[];
    expect(secrets.map(openSecret)).toEqual(['own-password', 'own-become']);
    expect(spec('said').user).toBe('own');
  });

  it('make no host become anybody, but say how', () => {
    expect(spec('bare').become).toBeUndefined();
    expect(spec('bare', { become: 'root' }).become).toMatchObject({ method: 'doas', user: 'root' });
    expect(spec('said').become).toMatchObject({ method: 'su', user: 'app' });
    const become = spec('bare', { become: 'root' }).become as { password: Secret };
    expect(openSecret(become.password)).toBe('hunter3');
  });

  it('leave what nobody declares to OpenSSH’s configuration, but not on this machine', () => {
    const bare = spec('bare', {}, builtInDefaults);
    expect(bare.unsaid).toEqual(new Set(['address', 'port', 'user', 'keyFile', 'hostKeys', 'via']));
    expect(bare.ssh).toBeUndefined();
    expect(spec('bare', { user: 'role' }, builtInDefaults).unsaid).not.toContain('user');
    expect(spec('here')).toMatchObject({ kind: 'local', hostKeys: 'strict', runtime: '/opt/node' });
    expect([spec('here').unsaid, spec('here').user, spec('here').password]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
