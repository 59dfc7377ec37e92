import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Checked } from '../../../agent/protocol/problem.ts';
import { createPolicyEngine } from '../../../reconciler/policy/engine.ts';
import type { Evaluation, LoadedPolicy, PolicyEngine } from '../../../reconciler/policy/model.ts';
import { WorkerClient } from '../../../reconciler/policy/worker-client.ts';
import { childrenOf } from '../../helpers/processes.ts';
import { limits, roleFile, snapshotOf, subjectOf } from './fixtures.ts';

const role = 'roles/web/role.ts';
const patient = { ...limits, quietMilliseconds: 15_000 };

/** The beginning of a program that asks a worker of its own. */
const asking = `
  import { WorkerClient } from ${JSON.stringify(new URL('../../../reconciler/policy/worker-client.ts', import.meta.url))};
  const client = new WorkerClient({ quietMilliseconds: 60_000, memoryMebibytes: 64 });
  const role = (code) => ({ name: 'web', sourceDigest: code, code });
`;

let engine: PolicyEngine;

/** A role that does something for ever. */
function endlessly(what: string): string {
  return roleFile(`(() => { const list = [], map = new Map(); for (;;) ${what} })()`);
}

async function loadedRoles(files: Readonly<Record<string, string>>): Promise<Checked<LoadedPolicy>> {
  const names = Object.keys(files).map((path) => path.split('/')[1] as string);
  return engine.load(snapshotOf(files), names);
}

async function evaluated(resources: string): Promise<readonly Evaluation[]> {
  const loaded = await loadedRoles({ [role]: resources });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.value.evaluate('web', [subjectOf('a')]);
}

/** Children of a process that evaluate. */
function workers(of: number): number[] {
  return childrenOf(of).filter((pid) => isRunning(pid) && commandOf(pid).includes('policy/worker.ts'));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('limits on role code', () => {
  beforeEach(() => {
    engine = createPolicyEngine(limits);
  });
  afterEach(() => engine.close());

  it('ends a role that loops for ever, says where, and goes on with the others', async () => {
    const endless = roleFile('{\n  for (;;) {\n    host.name\n  }\n}').replace('return {', '{');
    const loaded = await loadedRoles({ [role]: endless, 'roles/db/role.ts': roleFile("[echo('x')]") });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    const [web, db] = await Promise.all([
      loaded.value.evaluate('web', [subjectOf('a'), subjectOf('b')]),
      loaded.value.evaluate('db', [subjectOf('a')]),
    ]);
    expect(web).toMatchObject([{ kind: 'failed' }, { kind: 'failed' }]);
    const problem = web[0]?.kind === 'failed' ? web[0].problems[0] : undefined;
    expect(problem).toMatchObject({ code: 'policy.timeout', where: { file: role, role: 'web' } });
    expect([5, 6]).toContain(problem?.where?.line);
    expect(db).toMatchObject([{ kind: 'plan' }]);
  });

  it('ends code that loops while it is loaded', async () => {
    const text =
      "import { defineRole } from 'towline'\nfor (let i = 0; ; i += 1) void i\nexport default defineRole({ resources: () => [] })";
    expect(await loadedRoles({ [role]: text })).toMatchObject({
      ok: false,
      problems: [{ code: 'policy.timeout', where: { file: role, line: 2 } }],
    });
  });
});

describe('the process that runs role code', () => {
  beforeEach(() => {
    engine = createPolicyEngine(patient);
  });
  afterEach(() => engine.close());

  // V8 ends its whole process for most of these, whatever limit a thread in it has.
  it.each([
    ["list.push('x'.repeat(100) + list.length)"],
    ['list.push(list.length)'],
    ['list.push(new Array(4e6).fill(0))'],
    ['map.set(map.size, {})'],
    ["list[0] = (list[0] ?? 'x') + JSON.parse(JSON.stringify((list[0] ?? 'x') + 'y'.repeat(1e6)))"],
  ])('takes nothing along when it runs out of memory by %s', async (what) => {
    expect(await evaluated(endlessly(what))).toMatchObject([
      { kind: 'failed', problems: [{ code: 'policy.out-of-memory', where: { file: role, role: 'web' } }] },
    ]);
    expect(await evaluated(roleFile("[echo('x')]"))).toMatchObject([{ kind: 'plan' }]);
  });

  it('is started anew after somebody ended it, and says so to who was waiting', async () => {
    const client = new WorkerClient(patient);
    onTestFinished(() => client.close());
    const define = (code: string) =>
      client.request({ type: 'define', role: { name: 'web', sourceDigest: code, code } }, () => {});
    expect(await define('')).toBeUndefined();
    const known = workers(process.pid);
    const waiting = define('for (;;) {}');
    await new Promise(setImmediate);
    for (const pid of known) process.kill(pid, 'SIGKILL');
    expect(await waiting).toMatchObject({
      code: 'policy.worker-lost',
      message: expect.stringContaining('SIGKILL'),
    });
    expect(await define('')).toBeUndefined();
    for (const pid of known) expect(workers(process.pid)).not.toContain(pid);
  });

  it('stays when a terminal or systemd signals every process of the command', async () => {
    await evaluated(roleFile("[echo('x')]"));
    const before = workers(process.pid);
    expect(before).not.toEqual([]);
    for (const pid of before) for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(pid, signal);
    expect(await evaluated(roleFile("[echo('y')]"))).toMatchObject([{ kind: 'plan' }]);
    expect(workers(process.pid)).toEqual(before);
  });

  it('speaks the same language whoever starts it', async () => {
    const { LC_ALL } = process.env;
    process.env.LC_ALL = 'de_DE.UTF-8';
    onTestFinished(() => {
      if (LC_ALL === undefined) delete process.env.LC_ALL;
      else process.env.LC_ALL = LC_ALL;
    });
    await engine.close();
    engine = createPolicyEngine(patient);
    const [plan] = await evaluated(roleFile('[echo((1234.5).toLocaleString())]'));
    expect(plan).toMatchObject({ plan: { resources: [{ id: 'echo:1,234.5' }] } });
  });

  it('is gone after its engine was closed', async () => {
    await evaluated(roleFile("[echo('x')]"));
    expect(workers(process.pid)).toHaveLength(1);
    await engine.close();
    expect(workers(process.pid)).toEqual([]);
  });

  it('says so when it cannot be started, and is started when it can be', async () => {
    const program = `
      import { closeSync, openSync } from 'node:fs';
      ${asking}
      const held = [];
      try {
        for (;;) held.push(openSync('/dev/null'));
      } catch {
        client.prepare();
      }
      console.log((await client.request({ type: 'define', role: role('') }, () => {})).message);
      for (const each of held) closeSync(each);
      console.log(await client.request({ type: 'define', role: role('') }, () => {}));
      await client.close();
    `;
    const few = ['-c', 'ulimit -n 200; exec "$0" --input-type=module -e "$1"', process.execPath, program];
    const { stdout } = spawnSync('sh', few, { encoding: 'utf8' });
    expect(stdout).toMatch(/^while evaluating role web: spawn .* EMFILE\nundefined\n$/);
  });

  it('does not outlive a client that is killed, whatever role code does', async () => {
    const program = `
      ${asking}
      await client.request({ type: 'define', role: role('') }, () => console.log('answered'));
      await client.request({ type: 'define', role: role('for (;;) {}') }, () => {});
    `;
    const client = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void client.kill('SIGKILL'));
    for await (const line of createInterface(client.stdout)) {
      expect(line).toBe('answered');
      break;
    }
    const [pid = 0] = workers(client.pid ?? 0);
    expect(isRunning(pid)).toBe(true);
    client.kill('SIGKILL');
    await expect.poll(() => isRunning(pid), { timeout: 15_000 }).toBe(false);
  });
});
