import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runGit, writeFiles } from '../../helpers/git-repository.ts';
import { commandRole, fileRole, type SmallFleet } from './small-fleet.ts';
import { smallStage } from './small-stage.ts';

const start = smallStage();

const settings = `[environments.production]
branch = "main"
inventory = "inventory.toml"
`;
const policy = {
  'towline.toml': settings,
  'roles/base/role.ts': fileRole('base', `'one'`),
  'roles/web/role.ts': fileRole('web', `'web on ' + host.name`, `targets: { hosts: ['web-*'] },`),
};

const begin = (names: readonly string[], files: Record<string, string> = policy) => start(names, files);

const read = (of: SmallFleet, host: string, file: string): string =>
  readFileSync(join(of.host(host).root, file), 'utf8');

describe('the controller', () => {
  it('brings a commit to the hosts it concerns, and contacts no other', async () => {
    const [hosts, it] = await begin(['web-1', 'web-2', 'db-1']);
    expect((await it.run().settled(1)).summary).toMatchObject({
      outcome: 'done',
      hosts: { changed: { length: 3 } },
    });
    expect(read(hosts, 'web-1', 'web')).toBe('web on web-1');
    expect(existsSync(join(hosts.host('db-1').root, 'web'))).toBe(false);
    let seen = it.events.length;
    hosts.commit({ 'roles/web/role.ts': fileRole('web', `'new'`, `targets: { hosts: ['web-*'] },`) });
    expect((await it.settled(2)).summary).toMatchObject({
      outcome: 'done',
      hosts: { changed: ['web-1', 'web-2'] },
    });
    expect(it.contacted(seen)).toEqual(['web-1', 'web-2']);
    seen = it.events.length;
    hosts.commit({ 'inventory.toml': hosts.inventory({ 'db-1': { port: 1 } }), 'README.md': 'words' });
    expect((await it.settled(3)).summary.outcome).toBe('nothing-to-do');
    expect(it.contacted(seen)).toEqual([]);
    expect((await it.store.history.runs({ limit: 9 })).length).toBe(2);
  });

  it('keeps the last good revision, says since when it is stalled, and goes on when mended', async () => {
    const [hosts, it] = await begin(['web-1']);
    await it.run().settled(1);
    const good = runGit(hosts.repository, 'rev-parse', 'HEAD');
    hosts.commit({ 'roles/base/role.ts': 'export default {' });
    expect((await it.settled(2)).summary.outcome).toBe('stalled');
    const first = await it.store.environments.get('production');
    expect(first).toMatchObject({
      lastGood: { id: good },
      stalled: { problems: [{ code: expect.any(String) }] },
    });
    const bad = hosts.commit({ 'README.md': 'still broken' });
    await it.settled(3);
    const second = await it.store.environments.get('production');
    expect(second).toMatchObject({ lastGood: { id: good }, seen: { id: bad }, stalled: first?.stalled });
    expect(read(hosts, 'web-1', 'base')).toBe('one');
    hosts.commit({ 'roles/base/role.ts': fileRole('base', `'two'`) });
    expect((await it.settled(4)).summary.outcome).toBe('done');
    expect((await it.store.environments.get('production'))?.stalled).toBeUndefined();
    expect(read(hosts, 'web-1', 'base')).toBe('two');
  });

  it('forgets what it applied for a role that is gone, and says what stays', async () => {
    const [hosts, it] = await begin(['web-1']);
    await it.run().settled(1);
    runGit(hosts.repository, 'rm', '-rq', 'roles/web');
    hosts.commit({}, 'Drop web');
    expect((await it.settled(2)).summary.outcome).toBe('nothing-to-do');
    expect(it.events.filter(({ type }) => type === 'released')).toMatchObject([
      { host: 'web-1', role: 'web', resources: [expect.stringContaining('file:')] },
    ]);
    expect(read(hosts, 'web-1', 'web')).toBe('web on web-1');
    const { digests } = it.store.ledger;
    expect([...((await digests('production')).get('base')?.keys() ?? [])]).toEqual(['web-1']);
    expect((await it.store.history.runs({ limit: 9 })).length).toBe(2);
  });

  it('starts a run when only the declaration of an environment changes', async () => {
    const [hosts, it] = await begin(['web-1', 'web-2'], {
      ...policy,
      'towline.toml': settings.replace('main', 'release').replace('inventory.toml', 'small.toml'),
      'small.toml': '',
    });
    writeFiles(hosts.repository, { 'small.toml': hosts.inventory({}, ['web-1']) });
    hosts.commit({}, 'Small');
    runGit(hosts.repository, 'branch', 'release');
    expect((await it.run().settled(1)).summary.hosts.changed).toEqual(['web-1']);
    hosts.commit({ 'towline.toml': settings.replace('main', 'release') });
    expect((await it.settled(2)).summary.hosts.changed).toEqual(['web-2']);
  });

  it('tries a host again by itself that could not be reached, with the revision in force', async () => {
    const [hosts, it] = await begin(['web-1', 'web-2']);
    const port = hosts.host('web-2').port;
    writeFiles(hosts.repository, { 'inventory.toml': hosts.inventory({ 'web-2': { towline_port: 1 } }) });
    hosts.commit({});
    const first = await it.run().settled(1);
    expect(first.summary).toMatchObject({
      outcome: 'failed',
      hosts: { changed: ['web-1'], unreachable: ['web-2'] },
    });
    expect(await it.store.ledger.failed('production')).toMatchObject([
      { host: 'web-2', role: 'base', attempts: 1 },
    ]);
    hosts.commit({
      'inventory.toml': hosts.inventory({ 'web-2': { towline_port: port } }),
      'towline.toml': settings,
    });
    const mended = await it.settled(3);
    expect(mended.summary.hosts.changed).toEqual(['web-2']);
    expect(await it.store.ledger.failed('production')).toEqual([]);
    await hosts.switchOff('web-1');
    await it.services.pool.sessions().find(({ host }) => host === 'web-1')?.ended;
    hosts.commit({ 'roles/base/role.ts': fileRole('base', `'two'`) });
    expect((await it.settled(4)).summary).toMatchObject({
      hosts: { changed: ['web-2'], unreachable: ['web-1'] },
    });
    hosts.commit({ 'roles/base/role.ts': 'broken(' });
    expect((await it.settled(5)).summary.outcome).toBe('stalled');
    const retried = await it.settled(6);
    expect(retried.summary).toMatchObject({ outcome: 'failed', hosts: { unreachable: ['web-1'] } });
    const starts = it.events.filter((event) => event.type === 'run-started');
    expect(starts.at(-1)).toMatchObject({ trigger: 'retry' });
    expect(await it.store.ledger.failed('production')).toMatchObject([{ host: 'web-1', attempts: 2 }]);
    expect((await it.store.environments.get('production'))?.stalled).toBeDefined();
  });

  it('lets environments of branches appear and end', async () => {
    const preview = `${settings}
[environments.preview]
branch = "feature/*"
inventory = "preview.toml"
roles = ["base"]
`;
    const [hosts, it] = await begin(['web-1', 'web-2'], {
      ...policy,
      'towline.toml': preview,
      'preview.toml': '',
    });
    writeFiles(hosts.repository, {
      'inventory.toml': hosts.inventory({}, ['web-1']),
      'preview.toml': hosts.inventory({}, ['web-2']),
    });
    hosts.commit({});
    await it.run().settled(1);
    expect(it.ended.map(({ environment }) => environment)).toEqual(['production']);
    runGit(hosts.repository, 'branch', 'feature/x');
    expect(await it.settled(2)).toMatchObject({ environment: 'preview/x', summary: { outcome: 'done' } });
    expect(read(hosts, 'web-2', 'base')).toBe('one');
    runGit(hosts.repository, 'branch', '-D', 'feature/x');
    await it.until(() => it.controller?.idle === true);
    let ended = await it.store.environments.get('preview/x');
    for (let tries = 0; tries < 200 && ended?.endedAt === undefined; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      ended = await it.store.environments.get('preview/x');
    }
    expect(ended?.endedAt).toBeDefined();
    expect(read(hosts, 'web-2', 'base')).toBe('one');
    runGit(hosts.repository, 'branch', 'feature/x');
    await it.settled(3);
    expect((await it.store.environments.get('preview/x'))?.endedAt).toBeUndefined();
  });

  it('ends environments whose branch went while no reconciler ran', async () => {
    const [, it] = await begin(['web-1']);
    await it.store.environments.put({ name: 'preview/old', branch: 'feature/old' });
    await it.run().settled(1);
    expect((await it.store.environments.get('preview/old'))?.endedAt).toBeDefined();
    expect((await it.store.environments.get('production'))?.endedAt).toBeUndefined();
  });

  it('goes on with other environments when one fails', async () => {
    const two = `${settings}
[environments.broken]
branch = "main"
inventory = "nowhere.toml"
`;
    const [hosts, it] = await begin(['web-1'], { ...policy, 'towline.toml': two });
    await it.run().settled(2);
    const outcomes = new Map(it.ended.map(({ environment, summary }) => [environment, summary]));
    expect(outcomes.get('production')?.outcome).toBe('done');
    expect(outcomes.get('broken')).toMatchObject({
      outcome: 'stalled',
      problem: { code: 'plan.inventory-missing' },
    });
    expect(read(hosts, 'web-1', 'base')).toBe('one');
  });

  it('keeps the declarations in force when towline.toml breaks, and says so once', async () => {
    const [hosts, it] = await begin(['web-1']);
    await it.run().settled(1);
    hosts.commit({ 'towline.toml': '[environments', 'roles/base/role.ts': fileRole('base', `'two'`) });
    await it.settled(2);
    expect(read(hosts, 'web-1', 'base')).toBe('two');
    hosts.commit({ 'README.md': 'x' });
    await it.settled(3);
    expect(it.problems).toHaveLength(1);
    expect(it.problems[0]?.where).toMatchObject({ file: 'towline.toml', line: 1 });
  });

  it('lets a newer commit take over a run at the next wave', async () => {
    const slow = (text: string): string => `import { command, defineRole, file } from 'towline'
export default defineRole({
  serial: 1,
  resources: ({ vars }) => [file(vars.root + '/text', { content: '${text}' }), command('wait', { argv: ['/bin/sh', '-c', 'until test -e "$0/go"; do sleep 0.02; done', vars.root + '/..'] })],
})
`;
    const [hosts, it] = await begin(['web-1', 'web-2'], {
      'towline.toml': settings,
      'roles/slow/role.ts': slow('old'),
    });
    it.run();
    await it.until(() => existsSync(join(hosts.host('web-1').root, 'text')), 'the first host');
    hosts.commit({ 'roles/slow/role.ts': slow('new') });
    await it.until(() => it.controller?.look('commit') !== undefined && it.events.length > 0);
    await it.controller?.look('commit');
    for (const host of hosts.hosts) writeFiles(host.root, { '../go': '' });
    await it.settled(2);
    expect(it.ended.map(({ summary }) => summary.outcome)).toEqual(['cancelled', 'done']);
    expect(it.ended[0]?.summary).toMatchObject({
      hosts: { changed: ['web-1'], waiting: ['web-2'] },
      problem: { code: 'rollout.superseded' },
    });
    expect([read(hosts, 'web-1', 'text'), read(hosts, 'web-2', 'text')]).toEqual(['new', 'new']);
  });

  it('lets the resource in hand finish when it is stopped, and does not blame the revision', async () => {
    const slow = `import { command, defineRole, file } from 'towline'
export default defineRole({ resources: ({ vars }) => [
  command('wait', { argv: ['/bin/sh', '-c', 'touch "$0/began"; until test -e "$0/go"; do sleep 0.02; done', vars.root] }),
  file(vars.root + '/later', { content: 'x' }),
] })
`;
    const [hosts, it] = await begin(['web-1'], { 'towline.toml': settings, 'roles/slow/role.ts': slow });
    const { root } = hosts.host('web-1');
    it.run();
    await it.until(() => existsSync(join(root, 'began')), 'the command');
    const ended = it.end();
    writeFiles(root, { go: '' });
    await ended;
    expect(it.ended[0]?.summary.outcome).toBe('cancelled');
    expect(existsSync(join(root, 'later'))).toBe(false);
    expect((await it.store.environments.get('production'))?.stalled).toBeUndefined();
    expect(await it.store.ledger.digests('production')).toEqual(new Map());
    expect(await it.store.ledger.failed('production')).toMatchObject([{ host: 'web-1', attempts: 1 }]);
  });

  it('stops at a failed canary, and goes on with all hosts once it is mended', async () => {
    const [hosts, it] = await begin(['web-1', 'web-2'], {
      'towline.toml': settings,
      'roles/web/role.ts': commandRole('web', 'serial: 1,'),
    });
    writeFiles(hosts.repository, { 'inventory.toml': hosts.inventory({ 'web-1': { ends: 7 } }) });
    hosts.commit({});
    expect((await it.run().settled(1)).summary).toMatchObject({
      outcome: 'failed',
      hosts: { failed: ['web-1'], waiting: ['web-2'] },
      problem: { code: 'rollout.budget-spent' },
    });
    expect(existsSync(join(hosts.host('web-2').root, 'ran'))).toBe(false);
    hosts.commit({ 'inventory.toml': hosts.inventory() });
    expect((await it.settled(2)).summary).toMatchObject({
      outcome: 'done',
      hosts: { changed: ['web-1', 'web-2'] },
    });
  });
});
