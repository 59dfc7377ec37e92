/**
 * Policies, repositories, states and options that cannot work: each gets a Problem with code, place and hint.
 * Invariant: no stack trace, no hang, and exit status 1 (64 for usage), whatever is wrong.
 * No host is needed: nothing here gets that far.
 */

import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Place as Where } from '../../agent/protocol/problem.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { createPolicy, roleText, settingsToml } from './policy.ts';
import { type Ended, expectNoStack, expectProblem, type Place, towline } from './towline.ts';

const good = roleText("file('/tmp/x', { content: 'x' })");
const hosts = '[hosts.one]\ntowline_host = "192.0.2.1"\n';

interface Case {
  readonly title: string;
  /** What differs from a policy that works. */
  readonly files: Readonly<Record<string, string>>;
  /** Codes, each with the place its problem names. */
  readonly problems: Readonly<Record<string, Where>>;
}

const settings = (line: string): Record<string, string> => ({ 'towline.toml': settingsToml(line) });
const inventory = (text: string): Record<string, string> => ({ 'inventory/hosts.toml': `${hosts}${text}` });
const role = (resources: string, more = ''): Record<string, string> => ({
  'roles/one/role.ts': roleText(resources, more),
});
const inRole = { file: 'roles/one/role.ts', line: 5 };

const cases: readonly Case[] = [
  {
    title: 'an unknown key in towline.toml',
    files: settings('brunch = "main"'),
    problems: { 'settings.unknown-key': { file: 'towline.toml', line: 4, column: 1 } },
  },
  {
    title: 'a wrong type in towline.toml',
    files: settings('parallel = "many"'),
    problems: { 'settings.bad-value': { file: 'towline.toml', line: 4 } },
  },
  {
    title: 'towline.toml that is no TOML',
    files: settings('parallel = = 1'),
    problems: { 'inventory.bad-toml': { file: 'towline.toml', line: 4 } },
  },
  {
    title: 'an unknown magic variable',
    files: inventory('towline_sshh_username = "x"\n'),
    problems: { 'inventory.unknown-magic': { file: 'inventory/hosts.toml', line: 3 } },
  },
  {
    title: 'an unknown key in the inventory',
    files: inventory('[grupps.x]\n'),
    problems: { 'inventory.unknown-key': { file: 'inventory/hosts.toml', line: 3, column: 2 } },
  },
  {
    title: 'wrong types in the inventory, all of them at once',
    files: inventory('towline_port = "ssh"\n[hosts.two]\ntowline_become = 1\n'),
    problems: { 'inventory.bad-magic': { file: 'inventory/hosts.toml', line: 3 } },
  },
  {
    title: 'groups that contain each other',
    files: inventory('[groups.a]\nchildren = ["b"]\n[groups.b]\nchildren = ["a"]\n'),
    problems: { 'inventory.group-cycle': { file: 'inventory/hosts.toml' } },
  },
  {
    title: 'hosts that are reached through each other',
    files: inventory('towline_via = "two"\n[hosts.two]\ntowline_via = "one"\n'),
    problems: { 'inventory.via-cycle': { file: 'inventory/hosts.toml' } },
  },
  {
    title: 'resources that require each other',
    files: role("file('/a', { requires: 'file:/b' }),\n    file('/b', { requires: 'file:/a' })"),
    problems: { 'policy.requires-cycle': { file: 'roles/one/role.ts' } },
  },
  {
    title: 'two resources of one name',
    files: role("file('/a', { content: '1' }),\n    file('/a', { content: '2' })"),
    problems: { 'policy.duplicate-resource': { file: 'roles/one/role.ts', line: 6 } },
  },
  {
    title: 'an unknown parameter',
    files: role("file('/a', { contend: '1' })"),
    problems: { 'policy.unknown-parameter': inRole },
  },
  {
    title: 'a parameter of a wrong type',
    files: role("file('/a', { content: 1 as unknown as string })"),
    problems: { 'policy.bad-parameter': inRole },
  },
  {
    title: 'a missing template variable',
    files: {
      ...role("template('/a', { from: 'a.njk' })"),
      'roles/one/templates/a.njk': 'first\nsecond {{ nothing_gives_this }}\n',
    },
    problems: { 'policy.template-undefined': { file: 'roles/one/templates/a.njk', line: 2, column: 11 } },
  },
  {
    title: 'a missing file',
    files: role("file('/a', { from: 'nowhere.txt' })"),
    problems: { 'policy.file-missing': inRole },
  },
  {
    title: 'a role that is no code',
    files: { 'roles/one/role.ts': 'export default {\n' },
    problems: { 'policy.syntax': { file: 'roles/one/role.ts', line: 2 } },
  },
  {
    title: 'a role whose code throws',
    files: role('(() => { throw new Error("no such luck") })()'),
    problems: { 'policy.role-failed': inRole },
  },
  {
    title: 'a role that loops for ever',
    files: role('(() => { for (;;) {} })()'),
    problems: { 'policy.timeout': { role: 'one' } },
  },
  {
    title: 'a role that takes all memory',
    files: role(
      '(() => { const kept: unknown[] = []; for (;;) kept.push(new Array(100_000).fill(kept.length)) })()',
    ),
    problems: { 'policy.out-of-memory': { role: 'one' } },
  },
  {
    title: 'an inventory that is not there',
    files: { 'towline.toml': settingsToml().replace('inventory/', 'nowhere.toml') },
    problems: { 'plan.inventory-missing': {} },
  },
];

describe('a policy that cannot be right', () => {
  const directories = temporaryDirectories();

  for (const [number, { title, files, problems }] of cases.entries())
    it(`is told: ${title}`, async () => {
      const policy = createPolicy(directories(), undefined, {
        roles: { one: good },
        files: { 'inventory/hosts.toml': hosts, ...files },
      });
      const command = number % 2 === 0 ? 'validate' : 'apply';
      const ended = await towline([command, '--json'], policy, 30);
      expect(ended.status, `${command}\n${ended.stdout}${ended.stderr}`).toBe(1);
      for (const [code, where] of Object.entries(problems))
        expect(expectProblem(ended, code).where ?? {}, command).toMatchObject(where);
    });

  it.skipIf(process.getuid?.() === 0)('is told: a file nobody may read', async () => {
    const policy = createPolicy(directories(), undefined, {
      roles: { one: good },
      files: { 'inventory/hosts.toml': hosts },
    });
    chmodSync(join(policy.repo, 'roles/one/role.ts'), 0o000);
    const ended = await towline(['validate', '--worktree', '--json'], policy, 30);
    expect(ended.status).toBe(1);
    expect(expectProblem(ended, 'source.unreadable').where).toMatchObject({ file: 'roles/one/role.ts' });
  });
});

describe('a command that cannot begin', () => {
  const directories = temporaryDirectories();
  let place: Place;

  const refused = async (argv: readonly string[], code: string, where = place): Promise<Ended> => {
    const ended = await towline([...argv, '--json'], where, 30);
    expect(ended.status, `${ended.stdout}${ended.stderr}`).toBe(1);
    expectProblem(ended, code);
    return ended;
  };

  beforeAll(() => {
    place = createPolicy(directories(), undefined, {
      roles: { one: good },
      files: { 'inventory/hosts.toml': hosts },
    });
  });

  it('says that there is no repository', async () => {
    const repo = join(place.folder, 'nowhere');
    for (const command of ['apply', 'plan', 'validate', 'run', 'watch']) {
      const ended = await towline([command, '--json'], { ...place, repo }, 30);
      expect(ended.status, command).toBe(1);
      expect(ended.problems.length, command).toBeGreaterThan(0);
      expect(ended.problems[0]?.message, command).toContain('nowhere');
      expectNoStack(ended);
    }
  });

  it('says that a directory is no repository', async () => {
    const repo = join(place.folder, 'plain');
    mkdirSync(repo);
    writeFileSync(join(repo, 'file'), 'x');
    for (const command of ['apply', 'run']) {
      const ended = await towline([command, '--json'], { ...place, repo }, 30);
      expect(ended.status, command).toBe(1);
      expect(ended.problems[0]?.message, command).toContain('plain');
      expectNoStack(ended);
    }
  });

  it('says that a repository has no commit, or lost its objects', async () => {
    const empty = directories();
    const policy = createPolicy(empty, undefined, { roles: {} });
    rmSync(join(policy.repo, '.git/refs/heads/main'));
    await refused(['apply'], 'source.no-such-branch', policy);
    const broken = join(directories(), 'broken');
    cpSync(place.repo, broken, { recursive: true });
    rmSync(join(broken, '.git/objects'), { recursive: true });
    mkdirSync(join(broken, '.git/objects'));
    await refused(['apply'], 'source.no-such-commit', { ...place, repo: broken });
  });

  it('says which environments there are not', async () => {
    await refused(['apply', '--env', 'nope'], 'plan.unknown-environment');
    await refused(['plan', '--env', 'nope'], 'plan.unknown-environment');
    await refused(['apply', '--rev', '0123456789'.repeat(4)], 'source.no-such-commit');
  });

  it('refuses options and commands it does not have with status 64', async () => {
    for (const argv of [['apply', '--nope'], ['nope'], ['facts'], ['apply', '--only', 'nope']]) {
      const ended = await towline(argv, place, 30);
      expect(ended.status, argv.join(' ')).toBe(64);
      expect(ended.stderr).toContain('error:');
      expect(ended.stdout).toBe('');
      expectNoStack(ended);
    }
  });

  it('says that the state directory cannot be written', async () => {
    const file = join(place.folder, 'a-file');
    writeFileSync(file, 'x');
    await refused(['apply', '--state', join(file, 'state')], 'state.not-permitted');
    // Not even root can make a directory there.
    await refused(['apply', '--state', '/proc/towline-state'], 'state.not-permitted');
  });

  it('says that the state is from a newer Towline, and leaves it as it is', async () => {
    const state = join(place.folder, 'newer');
    await towline(['plan', '--state', state, '--json'], place, 30);
    await towline(['run', '--once', '--env', 'nope', '--state', state, '--json'], place, 30);
    const database = new DatabaseSync(join(state, 'state.db'));
    database.exec('PRAGMA user_version = 9999');
    database.close();
    await refused(['apply', '--state', state], 'state.newer-schema');
    await refused(['status', '--state', state], 'state.newer-schema');
  });

  it('says that the state is no database', async () => {
    const state = join(place.folder, 'garbage');
    mkdirSync(state);
    writeFileSync(join(state, 'state.db'), 'this is no database\n'.repeat(500));
    await refused(['apply', '--state', state], 'state.corrupt');
    await refused(['status', '--state', state], 'state.corrupt');
  });
});
