import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSecret } from '../../../agent/protocol/secret.ts';
import { builtInDefaults } from '../../../inventory/defaults.ts';
import { defaultsFiles, readDefaults } from '../../../reconciler/cli/defaults-file.ts';
import { runTowline } from '../../helpers/towline-command.ts';

let home = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'defaults-'));
});
afterEach(() => rmSync(home, { recursive: true }));

function put(name: string, text: string, mode = 0o600): string {
  const file = join(home, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

function read(environment: Record<string, string> = {}): ReturnType<typeof readDefaults> {
  return readDefaults({ environment, home, directory: home });
}

describe('finding the defaults file', () => {
  it('looks in the home, then in /etc, and reads one file only', async () => {
    const where = { environment: {}, home, directory: '/' };
    expect(defaultsFiles(where)).toEqual([
      join(home, '.towline/defaults.toml'),
      '/etc/towline/defaults.toml',
    ]);
    put('.towline/defaults.toml', '[ssh]\nusername = "me"\n');
    expect(await read()).toMatchObject({ ok: true, value: { ssh: { username: 'me' } } });
  });

  it('takes the one that TOWLINE_DEFAULTS names, and none where it is empty', async () => {
    put('.towline/defaults.toml', '[ssh]\nusername = "me"\n');
    const other = put('other.toml', '[ssh]\nport = 7\n');
    expect(await read({ TOWLINE_DEFAULTS: 'other.toml' })).toMatchObject({
      ok: true,
      value: { file: other, ssh: { port: 7, username: undefined } },
    });
    expect(await read({ TOWLINE_DEFAULTS: '' })).toEqual({ ok: true, value: builtInDefaults });
    expect(await read({ TOWLINE_DEFAULTS: 'nowhere.toml' })).toMatchObject({
      ok: false,
      problems: [{ code: 'defaults.missing' }],
    });
  });

  it('refuses a file that exists and cannot be read', async () => {
    mkdirSync(join(home, '.towline/defaults.toml'), { recursive: true });
    expect(await read()).toMatchObject({ ok: false, problems: [{ code: 'defaults.unreadable' }] });
    rmSync(join(home, '.towline'), { recursive: true });
    put('.towline/defaults.toml', `#${' '.repeat(300_000)}`);
    expect(await read()).toMatchObject({ ok: false, problems: [{ code: 'defaults.unreadable' }] });
  });

  it('reads passwords from files that only their owner can read', async () => {
    put('ssh-password', 'hunter2\nmore\n');
    put('.towline/defaults.toml', '[ssh]\npassword_file = "~/ssh-password"\n', 0o644);
    const found = await read();
    expect(found.ok && found.value.ssh.password && openSecret(found.value.ssh.password)).toBe('hunter2');
  });

  it('says of every password file what is wrong with it, at the key that names it', async () => {
    put('open', 'hunter2\n', 0o644);
    put('empty', '\nhunter2\n');
    const text = '[ssh]\npassword_file = "~/open"\n[become]\npassword_file = "~/empty"\n';
    const file = put('.towline/defaults.toml', text);
    const found = await read();
    expect(found).toMatchObject({
      ok: false,
      problems: [
        {
          code: 'defaults.bad-password-file',
          message: `${join(home, 'open')}: others can read it (mode 0644)`,
          where: { file, line: 2, column: 1 },
        },
        { message: `${join(home, 'empty')}: its first line is empty`, where: { line: 4 } },
      ],
    });
    put('.towline/defaults.toml', '[become]\npassword_file = "/nowhere/at/all"\n');
    expect(await read()).toMatchObject({ ok: false, problems: [{ code: 'defaults.bad-password-file' }] });
  });
});

describe('a command with a wrong defaults file', () => {
  it('ends before anything is opened and tells every mistake', async () => {
    put('.towline/defaults.toml', '[ssh]\nuser = "x"\nport = 0\n');
    const ran = await runTowline(['ping', '--json'], { directory: home, home });
    expect(ran.status).toBe(1);
    const codes = ran.stdout
      .trim()
      .split('\n')
      .map((each) => JSON.parse(each).problem.code);
    expect(codes).toEqual(['defaults.unknown-key', 'defaults.bad-value']);
    const run = await runTowline(['run', '--once'], { directory: home, home });
    expect([run.status, run.stderr]).toEqual([1, expect.stringContaining('ssh.port must be')]);
  });
});
