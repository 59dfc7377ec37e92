import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { runGit } from '../../helpers/git-repository.ts';
import { type Ran, runCommand } from '../../helpers/run-command.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const root = resolve(import.meta.dirname, '../../..');
const fresh = temporaryDirectories();
const home = fresh();
const parent = fresh();
const fleet = join(parent, 'fleet');
const towline = (argv: readonly string[], directory = fleet): Promise<Ran> =>
  runCommand(argv, { directory, home });

let made: Ran;
beforeAll(async () => {
  made = await towline(['init', 'fleet'], parent);
});

describe('towline init', () => {
  it('makes a repository of everything it lays, and says what to do next', () => {
    expect(made).toMatchObject({ status: 0, stderr: '' });
    expect(made.stdout).toContain('towline plan');
    expect(runGit(fleet, 'status', '--porcelain')).toBe('');
    expect(runGit(fleet, 'branch', '--show-current')).toBe('main');
    expect(runGit(fleet, 'rev-list', '--count', 'HEAD')).toBe('1');
    expect(readFileSync(join(fleet, '.gitignore'), 'utf8')).toContain('.towline/');
    expect(existsSync(join(fleet, 'gitignore'))).toBe(false);
  });

  it('makes one that type-checks with nothing installed', async () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const ran = await promisify(execFile)(process.execPath, [tsc, '-p', '.'], { cwd: fleet });
    expect(ran.stdout).toBe('');
  });

  it('makes one that validates', async () => {
    const ran = await towline(['validate']);
    expect(ran).toEqual({ status: 0, stdout: '', stderr: 'valid: production, preview\n' });
  });

  it('makes one that is applied as it is, and then has nothing to do', async () => {
    const target = join(fresh(), 'site');
    const apply = ['apply', '--local', '--host', 'web1', '-e', `root=${target}`, '--json'];
    expect(await towline(apply)).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(target, 'motd'), 'utf8')).toContain('Welcome to web1 (production)');
    expect(existsSync(join(target, 'web/current/index.html'))).toBe(true);
    const again = await towline(apply);
    expect(again.stdout).toContain('"outcome":"nothing-to-do"');
  });

  it('refuses a directory that holds something, and leaves it as it is', async () => {
    const busy = fresh();
    writeFileSync(join(busy, 'notes.txt'), 'mine');
    const ran = await towline(['init'], busy);
    expect(ran).toMatchObject({ status: 1, stdout: '' });
    expect(ran.stderr).toContain('cli.not-empty');
    expect(ran.stderr).toContain('notes.txt');
    expect(existsSync(join(busy, 'towline.toml'))).toBe(false);
  });

  it('refuses a name that a file has', async () => {
    const busy = fresh();
    writeFileSync(join(busy, 'fleet'), 'mine');
    const ran = await towline(['init', 'fleet'], busy);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain('is a file');
  });

  it('takes an empty directory, and tells programs what it made', async () => {
    const empty = fresh();
    const ran = await towline(['init', '--json'], empty);
    expect(ran.status).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      directory: empty,
      commit: runGit(empty, 'rev-parse', 'HEAD'),
      files: expect.arrayContaining(['.gitignore', 'towline.toml']),
    });
  });
});

describe('towline types', () => {
  it('lays the types again where they are missing or old', async () => {
    expect((await towline(['types'])).stdout).toContain('is current');
    rmSync(join(fleet, '.towline'), { recursive: true });
    expect((await towline(['types', '--repo', 'fleet'], parent)).stdout).toContain('laid');
    writeFileSync(join(fleet, '.towline/types/towline.d.ts'), 'of an older version');
    expect(JSON.parse((await towline(['types', '--json'])).stdout)).toMatchObject({ laid: true });
  });

  it('refuses a directory that is no policy repository', async () => {
    const other = fresh();
    mkdirSync(join(other, 'roles'));
    const ran = await towline(['types'], other);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain('there is no towline.toml');
    expect(existsSync(join(other, '.towline'))).toBe(false);
  });
});
