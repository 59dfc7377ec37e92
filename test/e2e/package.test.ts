/**
 * The package as people get it: packed, installed in an empty folder, run there.
 * Invariant: nothing of the checkout is within reach of what runs.
 * Never publishes anything.
 */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, type Ran, run } from '../fleet/run.ts';

const root = resolve(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const minutes = 60_000;

describe('the package', () => {
  let folder: string;
  let project: string;
  let packed: string;

  /** The installed command, with the project as its folder. */
  const towline = (...args: string[]): Promise<Ran> =>
    run(join(project, 'node_modules/.bin/towline'), args, { cwd: project, timeoutMs: minutes });

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'towline-package-')));
    project = join(folder, 'project');
    mkdirSync(project);
    packed = await must('npm', ['pack', '--pack-destination', folder], { cwd: root, timeoutMs: 2 * minutes });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
    await must('npm', ['init', '--yes'], { cwd: project });
    const quick = ['--prefer-offline', '--no-audit', '--no-fund'];
    await must('npm', ['install', ...quick, join(folder, tarball)], {
      cwd: project,
      timeoutMs: 5 * minutes,
    });
  }, 8 * minutes);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is built anew when packed, and holds what runs and nothing of the source', () => {
    expect(packed).toContain('.tgz');
    const installed = join(project, 'node_modules/towline');
    for (const part of [
      'bin/towline.cjs',
      'dist/main.js',
      'dist/agent.cjs',
      'dist/policy-worker.js',
      'dist/LICENCES.txt',
      'types',
      'docs/guides/five-minutes.md',
    ])
      expect(existsSync(join(installed, part)), part).toBe(true);
    for (const part of ['agent', 'reconciler', 'test', 'scripts'])
      expect(existsSync(join(installed, part)), part).toBe(false);
  });

  it('tells its version', async () => {
    expect(await towline('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('runs through npx', async () => {
    const ran = await run('npx', ['--no-install', 'towline', '--version'], { cwd: project });
    expect(ran).toMatchObject({ status: 0, stdout: `${version}\n` });
  });

  it('makes a policy repository that validates as it is', async () => {
    const made = await towline('init', 'fleet');
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const fleet = join(project, 'fleet');
    const command = join(project, 'node_modules/.bin/towline');
    const valid = await run(command, ['validate'], { cwd: fleet, timeoutMs: minutes });
    expect(valid).toEqual({ status: 0, stdout: '', stderr: 'valid: production, preview\n' });
  });

  it('shows its demo', async () => {
    const ran = await towline('demo', '--once');
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    expect(ran.stdout).toMatch(/db-1 .* not contacted/);
    expect(ran.stdout).toContain('node_modules/towline/docs/guides/five-minutes.md');
  });

  it('answers a wrong command with usage and status 64', async () => {
    const ran = await towline('no-such-command');
    expect(ran.status).toBe(64);
    expect(ran.stderr).not.toMatch(/^\s+at /m);
  });
});
