/**
 * The launcher as a shipped program: a package's folder with a stand-in for the controller behind it.
 * Invariant: what is run is the launcher itself, by real Nodes.
 * Never needs a build.
 */

import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ran, run } from '../fleet/run.ts';

const root = resolve(import.meta.dirname, '../..');
const runtime = `node-linux-${process.arch}`;
const bundled = join(root, 'node_modules', runtime);

/** A Node of this machine that is too old, if there is one. */
const oldNode = await findOldNode();
const skipOld = oldNode === undefined || !existsSync(bundled);

async function findOldNode(): Promise<string | undefined> {
  for (const path of ['/usr/bin/node', '/usr/local/bin/node', '/usr/bin/nodejs']) {
    if (!existsSync(path)) continue;
    const { stdout } = await run(path, ['-p', 'process.versions.node']);
    if (Number(stdout.split('.')[0]) < 24) return path;
  }
  return undefined;
}

const program = `
if (process.argv[2] === 'fail') process.exitCode = 3;
if (process.argv[2] === 'wait') {
  process.on('SIGTERM', () => { process.stdout.write(' stopped'); process.exit(7); });
  setInterval(() => undefined, 1000);
}
const { default: nodeModule } = await import('node:module');
const cache = process.argv[2] === 'cache' ? nodeModule.getCompileCacheDir() : undefined;
process.stdout.write(JSON.stringify({ version: process.versions.node, args: process.argv.slice(2), cache }));
`;

let project: string;
let launcher: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'towline-launcher-'));
  const folder = join(project, 'node_modules/towline');
  for (const part of ['bin', 'dist']) mkdirSync(join(folder, part), { recursive: true });
  launcher = join(folder, 'bin/towline.cjs');
  copyFileSync(join(root, 'bin/towline.cjs'), launcher);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'dist/main.js'), program);
});

afterAll(() => rmSync(project, { recursive: true }));

/** Runs something with the bundled Node installed beside the package. */
async function withRuntime<T>(action: () => Promise<T>): Promise<T> {
  const place = join(project, 'node_modules', runtime);
  symlinkSync(bundled, place);
  try {
    return await action();
  } finally {
    rmSync(place);
  }
}

const launch = (node: string, ...args: string[]): Promise<Ran> => run(node, [launcher, ...args]);

describe('the launcher', () => {
  it('runs the program with its arguments on a Node that fits', async () => {
    const ran = await launch(process.execPath, 'plan', '--env', 'a b');
    expect(JSON.parse(ran.stdout)).toEqual({
      version: process.versions.node,
      args: ['plan', '--env', 'a b'],
    });
    expect(ran.status).toBe(0);
    expect((await launch(process.execPath, 'fail')).status).toBe(3);
  });

  it('works through the link that npm makes', async () => {
    const link = join(project, 'towline');
    symlinkSync(launcher, link);
    const ran = await run(process.execPath, [link, 'x']);
    expect(JSON.parse(ran.stdout).args).toEqual(['x']);
  });

  it('prefers the source in a checkout', async () => {
    const folder = dirname(dirname(launcher));
    mkdirSync(join(folder, 'reconciler'));
    const entry = join(project, 'main.ts');
    writeFileSync(entry, 'const word: string = "source"; process.stdout.write(word);');
    // Below node_modules Node strips no types, so the entry is a link to a file outside.
    symlinkSync(entry, join(folder, 'reconciler/main.ts'));
    const ran = await launch(process.execPath);
    rmSync(join(folder, 'reconciler'), { recursive: true });
    expect(ran.stdout).toBe('source');
  });
});

describe.skipIf(skipOld)('the launcher on an old Node', () => {
  const old = oldNode ?? '';

  it('says what is wrong and how to mend it when no other Node is there', async () => {
    const ran = await launch(old, '--version');
    expect(ran.status).toBe(1);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toMatch(/needs Node 24 or newer, but this is Node \d+\.\d+\.\d+ \(.*node\)/);
    expect(ran.stderr).toContain('install Node 24');
    expect(ran.stderr).toContain(`npm install ${runtime}@24`);
  });

  it('is kept from tests and builds by a guard that names the fix', async () => {
    const ran = await run(old, [join(root, 'scripts/require-node.mjs')]);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(/needs Node 24 or newer; this is Node/);
    expect(ran.stderr).toContain('npm ci');
  });

  it('goes on with the bundled Node, arguments and exit status included', async () => {
    await withRuntime(async () => {
      const ran = await launch(old, 'fail', '--x');
      expect(ran).toMatchObject({ status: 3, stderr: '' });
      const said = JSON.parse(ran.stdout);
      expect(said.args).toEqual(['fail', '--x']);
      expect(Number(said.version.split('.')[0])).toBeGreaterThanOrEqual(24);
    });
  });

  it('does not take a Node from the folder it is started in', async () => {
    const stranger = mkdtempSync(join(tmpdir(), 'towline-stranger-'));
    mkdirSync(join(stranger, 'node_modules'));
    symlinkSync(bundled, join(stranger, 'node_modules', runtime));
    const ran = await run(old, [launcher, '--version'], { cwd: stranger });
    rmSync(stranger, { recursive: true });
    expect(ran.status).toBe(1);
  });

  it('hands signals on and ends as the program ends', async () => {
    await withRuntime(async () => {
      const child = spawn(old, [launcher, 'wait'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise<number | null>((done) => child.once('exit', done));
      let said = '';
      child.stdout.on('data', (data) => {
        if (said === '') child.kill('SIGTERM');
        said += data;
      });
      expect(await ended).toBe(7);
      expect(said).toContain(' stopped');
    });
  });

  it('keeps what Node compiled in a folder of the account, and not where others may write', async () => {
    const kept = async (home: string): Promise<boolean> => {
      const ran = await run('/usr/bin/env', ['-i', `HOME=${home}`, process.execPath, launcher, 'cache']);
      return (JSON.parse(ran.stdout) as { cache?: string }).cache !== undefined;
    };
    const own = mkdtempSync(join(tmpdir(), 'towline-home-'));
    const open = join(own, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const missing = join(project, 'package.json');
    writeFileSync(missing, '{}');
    try {
      expect([await kept(own), await kept(open), await kept(missing)]).toEqual([true, false, false]);
      expect(existsSync(join(own, '.cache/towline/compiled'))).toBe(true);
    } finally {
      rmSync(own, { recursive: true });
    }
  });
});
