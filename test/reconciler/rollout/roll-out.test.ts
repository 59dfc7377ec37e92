import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunSummary } from '../../../reconciler/base/event.ts';
import { reconcile } from '../../../reconciler/reconcile.ts';
import type { Run, RunRequest } from '../../../reconciler/steps/run.ts';
import { runGit } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { Loop, requestOf } from '../flow/loop.ts';
import { commandRole, fileRole, SmallFleet } from '../flow/small-fleet.ts';

const fresh = temporaryDirectories();
let fleet: SmallFleet | undefined;
let loop: Loop | undefined;

afterEach(async () => {
  await loop?.close();
  await fleet?.stop();
  loop = undefined;
  fleet = undefined;
});

type Signals = { readonly signal?: AbortSignal; readonly superseded?: AbortSignal };

class Bench {
  readonly fleet: SmallFleet;
  readonly loop: Loop;

  constructor(of: SmallFleet, by: Loop) {
    this.fleet = of;
    this.loop = by;
  }

  /** One run of the only environment. */
  async reconcile(
    more: Partial<RunRequest> = {},
    signals: Signals = {},
  ): Promise<{ run: Run; summary: RunSummary }> {
    const never = new AbortController().signal;
    const found = await this.loop.environments.discover();
    const environment = found.environments[0];
    if (environment === undefined) throw new Error(JSON.stringify(found.problems));
    const run = this.loop.runs.make(requestOf(environment, more), {
      signal: never,
      superseded: never,
      ...signals,
    });
    return { run, summary: await reconcile(run) };
  }

  ran(host: string): string[] {
    const file = join(this.fleet.host(host).root, 'ran');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  }

  has(host: string, file: string): boolean {
    return existsSync(join(this.fleet.host(host).root, file));
  }
}

type Variables = Parameters<SmallFleet['inventory']>[0];

async function begin(
  names: readonly string[],
  roles: Readonly<Record<string, string>>,
  variables: Variables = {},
  settings = '',
): Promise<Bench> {
  const files = Object.fromEntries(
    Object.entries(roles).map(([name, text]) => [`roles/${name}/role.ts`, text]),
  );
  fleet = await SmallFleet.start(fresh(), names, {
    'towline.toml': `[environments.test]\nbranch = "main"\ninventory = "inventory.toml"\nroles = ${JSON.stringify(Object.keys(roles))}\n${settings}`,
    ...files,
  });
  if (Object.keys(variables ?? {}).length > 0) fleet.commit({ 'inventory.toml': fleet.inventory(variables) });
  loop = await Loop.open({ location: fleet.repository, folder: fleet.folder });
  return new Bench(fleet, loop);
}

describe('rolling out', () => {
  it('gives a host that failed a role no later one, and goes on with the others', async () => {
    const roles = { one: commandRole('one'), two: fileRole('two', `'x'`) };
    const bench = await begin(['a', 'b'], roles, { a: { ends: 3 } });
    const { summary, run } = await bench.reconcile();
    expect(summary).toMatchObject({ outcome: 'failed', hosts: { failed: ['a'], changed: ['b'] } });
    expect([bench.has('a', 'two'), bench.has('b', 'two')]).toEqual([false, true]);
    expect(run.rollout?.ends.map(({ host, role, end }) => [host, role, end.kind])).toEqual([
      ['a', 'one', 'failed'],
      ['b', 'one', 'done'],
      ['a', 'two', 'waiting'],
      ['b', 'two', 'done'],
    ]);
    expect(run.rollout?.problem).toBeUndefined();
    bench.fleet.commit({ 'inventory.toml': bench.fleet.inventory() });
    expect((await bench.reconcile()).summary).toMatchObject({ outcome: 'done', hosts: { changed: ['a'] } });
    expect(bench.has('a', 'two')).toBe(true);
  });

  it('stops after a failed canary, and starts no later role anywhere', async () => {
    const roles = { one: commandRole('one', 'serial: [1, "100%"],'), two: fileRole('two', `'x'`) };
    const bench = await begin(['a', 'b', 'c'], roles, { a: { ends: 3 } });
    const { summary } = await bench.reconcile();
    expect(summary).toMatchObject({
      outcome: 'failed',
      hosts: { failed: ['a'], waiting: ['b', 'c'] },
      problem: { code: 'rollout.budget-spent', where: { role: 'one' } },
    });
    expect([bench.ran('a'), bench.ran('b'), bench.has('b', 'two')]).toEqual([['one'], [], false]);
  });

  it('lets as many hosts fail as the budget says', async () => {
    const roles = { one: commandRole('one', 'serial: 1, maxFailures: 1,') };
    const bench = await begin(['a', 'b', 'c'], roles, { a: { ends: 3 } });
    const { summary } = await bench.reconcile();
    expect(summary).toMatchObject({ hosts: { failed: ['a'], changed: ['b', 'c'] }, problem: undefined });
  });

  it('counts an unreachable host as such, not as a failure', async () => {
    const roles = { one: commandRole('one', 'serial: 1,'), two: fileRole('two', `'x'`) };
    const bench = await begin(['a', 'b'], roles, { a: { towline_port: 1 } });
    const { summary } = await bench.reconcile();
    expect(summary).toMatchObject({
      outcome: 'failed',
      hosts: { unreachable: ['a'], changed: ['b'], failed: [] },
    });
    expect(summary.problem).toBeUndefined();
    expect(await bench.loop.store.ledger.failed('test')).toMatchObject([
      { host: 'a', role: 'one', attempts: 1 },
    ]);
  });

  it('looks at every role in a dry run, changes nothing and records nothing', async () => {
    const failing = `import { assert, defineRole } from 'towline'
export default defineRole({ resources: () => [assert('never', { that: 'false' })] })`;
    const bench = await begin(['a'], { one: failing, two: fileRole('two', `'x'`) });
    const { summary, run } = await bench.reconcile({ mode: 'check', records: false });
    expect(run.rollout?.ends.map(({ role, end }) => [role, end.kind])).toEqual([
      ['one', 'failed'],
      ['two', 'done'],
    ]);
    expect(summary.resources.changed).toBe(1);
    expect(bench.has('a', 'two')).toBe(false);
    expect(await bench.loop.store.ledger.digests('test')).toEqual(new Map());
    expect(await bench.loop.store.ledger.failed('test')).toEqual([]);
    expect(await bench.loop.store.environments.all()).toEqual([]);
    expect(await bench.loop.store.history.runs({ limit: 5 })).toEqual([]);
  });

  it('does not take a run by tag for the whole plan', async () => {
    const role = `import { defineRole, file } from 'towline'
export default defineRole({ resources: ({ vars }) => [
  file(vars.root + '/tagged', { content: 'x', tags: ['quick'] }), file(vars.root + '/rest', { content: 'x' }),
] })`;
    const bench = await begin(['a'], { one: role });
    expect((await bench.reconcile({ tags: ['quick'] })).summary.outcome).toBe('done');
    expect([bench.has('a', 'tagged'), bench.has('a', 'rest')]).toEqual([true, false]);
    expect(await bench.loop.store.ledger.digests('test')).toEqual(new Map());
    expect((await bench.reconcile({ skipTags: ['quick'] })).summary.outcome).toBe('done');
    expect(bench.has('a', 'rest')).toBe(true);
    expect(await bench.loop.store.ledger.digests('test')).toEqual(new Map());
    expect((await bench.reconcile()).summary).toMatchObject({ outcome: 'done', hosts: { unchanged: ['a'] } });
    expect((await bench.loop.store.ledger.digests('test')).size).toBe(1);
    expect((await bench.reconcile()).summary.outcome).toBe('nothing-to-do');
  });

  it('goes over a host again when a failed plan is taken back', async () => {
    const bench = await begin(['a'], { one: fileRole('one', `'good'`) });
    await bench.reconcile();
    const half = `import { command, defineRole, file } from 'towline'
export default defineRole({ resources: ({ vars }) => [
  file(vars.root + '/one', { content: 'bad' }), command('fails', { argv: ['/bin/false'] }),
] })`;
    bench.fleet.commit({ 'roles/one/role.ts': half });
    expect((await bench.reconcile()).summary.outcome).toBe('failed');
    runGit(bench.fleet.repository, 'revert', '--no-edit', 'HEAD');
    const { summary, run } = await bench.reconcile();
    expect(summary).toMatchObject({ outcome: 'done', hosts: { changed: ['a'] } });
    expect(run.decision?.affected).toHaveLength(1);
    expect(readFileSync(join(bench.fleet.host('a').root, 'one'), 'utf8')).toBe('good');
    expect(await bench.loop.store.ledger.failed('test')).toEqual([]);
  });

  it('corrects drift, and only looks at it when asked to report', async () => {
    const bench = await begin(['a'], { one: fileRole('one', `'kept'`) });
    await bench.reconcile();
    const path = join(bench.fleet.host('a').root, 'one');
    writeFileSync(path, 'changed by hand');
    const looked = await bench.reconcile({ mode: 'drift-report', records: false });
    expect(looked.summary).toMatchObject({ outcome: 'done', resources: { changed: 1 } });
    expect(readFileSync(path, 'utf8')).toBe('changed by hand');
    const corrected = await bench.reconcile({ mode: 'drift-correct', trigger: 'drift' });
    expect(corrected.summary).toMatchObject({ outcome: 'done', hosts: { changed: ['a'] } });
    expect(readFileSync(path, 'utf8')).toBe('kept');
    expect(bench.loop.events.findLast(({ type }) => type === 'host-finished')).toMatchObject({ drift: true });
    expect((await bench.loop.store.environments.get('test'))?.lastDriftAt).toBeDefined();
  });

  it('begins with no further host of a spread drift run once something newer waits', async () => {
    const drift = 'drift = { mode = "correct", spread = "10m" }\n';
    const bench = await begin(['a', 'b'], { one: fileRole('one', `'x'`) }, {}, drift);
    await bench.reconcile();
    const superseding = new AbortController();
    const waiting = bench.reconcile(
      { mode: 'drift-correct', trigger: 'drift' },
      { superseded: superseding.signal },
    );
    await bench.loop.until(() => bench.loop.events.filter(({ type }) => type === 'role-started').length > 1);
    superseding.abort();
    expect((await waiting).summary).toMatchObject({
      outcome: 'cancelled',
      hosts: { waiting: { length: 2 } },
    });
  });

  it('keeps a drift run from clearing why the newest revision is not in force', async () => {
    const bench = await begin(['a'], { one: fileRole('one', `'x'`) });
    await bench.reconcile();
    const good = runGit(bench.fleet.repository, 'rev-parse', 'HEAD');
    const bad = bench.fleet.commit({ 'roles/one/role.ts': 'nonsense(' });
    await bench.reconcile();
    expect((await bench.reconcile({ mode: 'drift-correct', trigger: 'drift' })).summary.outcome).toBe('done');
    expect(await bench.loop.store.environments.get('test')).toMatchObject({
      stalled: { problems: [expect.anything()] },
      seen: { id: bad },
      lastGood: { id: good },
    });
  });

  it('starts nothing when it is stopped before it begins, and stalls nothing', async () => {
    const bench = await begin(['a'], { one: fileRole('one', `'x'`) });
    const { summary } = await bench.reconcile({}, { signal: AbortSignal.abort() });
    expect(summary).toMatchObject({ outcome: 'cancelled', problem: { code: 'rollout.cancelled' } });
    expect((await bench.loop.store.environments.get('test'))?.stalled).toBeUndefined();
    expect(bench.fleet.host('a').logins).toBe(0);
  });

  it('asks hosts for facts once where roles read them, and counts those it cannot ask as tried', async () => {
    const role = fileRole('one', 'String(facts.account.user)').replace('vars, host', 'vars, facts');
    const bench = await begin(['a', 'b'], { one: role }, { b: { towline_port: 1 } });
    const offline = await bench.reconcile({ mode: 'check', offline: true, records: false });
    expect(offline.run.decision?.needFacts).toHaveLength(2);
    expect(bench.fleet.host('a').logins).toBe(0);
    const { summary } = await bench.reconcile();
    expect(summary).toMatchObject({ outcome: 'failed', hosts: { changed: ['a'], unreachable: ['b'] } });
    expect(await bench.loop.store.ledger.failed('test')).toMatchObject([
      { host: 'b', role: 'one', digest: '' },
    ]);
    expect((await bench.reconcile({ onlyHosts: new Set(['a']) })).summary.outcome).toBe('nothing-to-do');
    expect(bench.fleet.host('a').logins).toBe(1);
  });

  it('contacts nobody when the settings of one host are wrong', async () => {
    const bench = await begin(
      ['a', 'b'],
      { one: fileRole('one', `'x'`) },
      { a: { towline_become: 'magic' } },
    );
    const { summary } = await bench.reconcile();
    expect(summary).toMatchObject({ outcome: 'stalled', problem: { where: { file: 'inventory.toml' } } });
    expect(bench.fleet.host('b').logins).toBe(0);
  });

  it('contacts only the hosts of a limit, and releases nothing under it', async () => {
    const bench = await begin(['a', 'b'], { one: fileRole('one', `'x'`) });
    const { summary } = await bench.reconcile({ limitHosts: ['a'] });
    expect(summary.hosts.changed).toEqual(['a']);
    expect(bench.fleet.host('b').logins).toBe(0);
    bench.fleet.commit({ 'inventory.toml': bench.fleet.inventory({}, ['b']) });
    await bench.reconcile({ limitHosts: ['b'] });
    expect(await bench.loop.store.ledger.count('test')).toBe(2);
    await bench.reconcile();
    expect([...((await bench.loop.store.ledger.digests('test')).get('one')?.keys() ?? [])]).toEqual(['b']);
  });

  it('takes the other inventory when only its path changes', async () => {
    const bench = await begin(['a', 'b'], { one: fileRole('one', `'x'`) });
    bench.fleet.commit({
      'inventory.toml': bench.fleet.inventory({}, ['a']),
      'other.toml': bench.fleet.inventory({}, ['b']),
    });
    expect((await bench.reconcile()).summary.hosts.changed).toEqual(['a']);
    const settings = readFileSync(join(bench.fleet.repository, 'towline.toml'), 'utf8');
    bench.fleet.commit({ 'towline.toml': settings.replace('inventory.toml', 'other.toml') });
    expect((await bench.reconcile()).summary.hosts.changed).toEqual(['b']);
  });

  it('makes a state that cannot be written the failure of the run', async () => {
    const bench = await begin(['a'], { one: fileRole('one', `'x'`) });
    await bench.loop.source.snapshot('main');
    const environment = (await bench.loop.environments.discover()).environments[0];
    if (environment === undefined) throw new Error('no environment');
    const never = new AbortController().signal;
    const run = bench.loop.runs.make(requestOf(environment), { signal: never, superseded: never });
    await bench.loop.store.close();
    const summary = await reconcile(run);
    expect(summary.outcome).toBe('failed');
    expect(summary.problem).toBeDefined();
    loop = undefined;
    await bench.loop.close(true);
  });
});
