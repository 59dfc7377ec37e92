import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packages } from '../../scripts/test-programs.mjs';
import { type Ran, run } from '../fleet/run.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';

const script = resolve(import.meta.dirname, '../../scripts/prepare-tests.mjs');
const directory = temporaryDirectories();
const root = process.getuid?.() === 0;

/** Runs the script where only the programs in `folder` (and the machine's sbin folders) exist. */
function prepare(folder: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return run(process.execPath, [script], { env: { PATH: folder, ...env } });
}

function program(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** A stand-in for apt-get that writes its arguments down and "installs" the programs it is told to bring. */
function aptGet(folder: string, brings: readonly string[]): void {
  const install = brings.map((name) => `: >${folder}/${name}; /bin/chmod 755 ${folder}/${name}`).join('; ');
  program(
    folder,
    'apt-get',
    `echo "$DEBIAN_FRONTEND $*" >>${folder}/calls\ncase "$*" in *install*) ${install || ':'} ;; esac`,
  );
}

const wanted = Object.keys(packages);

describe('preparing the tests', () => {
  it('does nothing and says nothing when everything is there', async () => {
    const folder = directory();
    for (const name of wanted) program(folder, name, 'exit 1');
    expect(await prepare(folder)).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it.runIf(root)('installs what is missing with one update, asking nothing', async () => {
    const folder = directory();
    aptGet(folder, wanted);
    const ran = await prepare(folder);
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
    expect(calls[0]).toBe('noninteractive -q update');
    expect(calls[1]).toMatch(/^noninteractive -q install --yes --no-install-recommends .*openssh-client/);
    expect(calls.length).toBe(2);
  });

  it('names the exact command when it cannot install, and fails only in CI', async () => {
    const folder = directory();
    const ran = await prepare(folder);
    expect(ran.status).toBe(0);
    expect(ran.stderr).toMatch(/sudo apt-get update && sudo apt-get install --yes .*git/);
    expect(ran.stderr).toContain('are skipped');
    expect((await prepare(folder, { CI: 'true' })).status).toBe(1);
    expect(existsSync(join(folder, 'calls'))).toBe(false);
  });

  it.runIf(root)('says so when the installation brought nothing', async () => {
    const folder = directory();
    aptGet(folder, []);
    const ran = await prepare(folder, { CI: 'true' });
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain('Missing for the tests with real hosts');
  });
});
