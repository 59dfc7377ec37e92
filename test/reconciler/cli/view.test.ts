import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../../agent/protocol/problem.ts';
import { type ExplainData, explainView } from '../../../reconciler/cli/view/explain.ts';
import { type FactsData, factsView } from '../../../reconciler/cli/view/facts.ts';
import { type HistoryData, historyView } from '../../../reconciler/cli/view/history.ts';
import { type InventoryData, inventoryView } from '../../../reconciler/cli/view/inventory.ts';
import { type PingAnswer, pingView } from '../../../reconciler/cli/view/ping.ts';
import { type PlanData, planView } from '../../../reconciler/cli/view/plan.ts';
import { type ShowData, showView } from '../../../reconciler/cli/view/show.ts';
import { type StatusData, statusView } from '../../../reconciler/cli/view/status.ts';
import type { Hop } from '../../../reconciler/connection/session.ts';
import { displayWidth } from '../../../reconciler/report/display-width.ts';
import { makeStyle } from '../../../reconciler/report/style.ts';
import { type BareEvent, stamped } from '../report/events.ts';

const style = makeStyle({ colour: false, unicode: true });
const now = Date.parse('2026-11-21T10:00:00Z');
const ago = (minutes: number): string => new Date(now - minutes * 60_000).toISOString();
const revision = {
  id: '9f3c2ab1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8',
  subject: 'Listen on 8080',
  author: 'Anna',
};
const newer = { id: 'aaaa2ab1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8', subject: 'Break it', author: 'Ben' };
const problem: Problem = {
  code: 'policy.syntax',
  disposition: 'stalled',
  message: 'unexpected }',
  hint: 'Mend it.',
  where: { file: 'roles/web/role.ts', line: 3, column: 1 },
};
const summary = {
  outcome: 'failed' as const,
  resources: { unchanged: 1, changed: 2, failed: 0, skipped: 0, unknown: 0 },
  hosts: { changed: ['web-1'], unchanged: [], failed: [], unreachable: ['db-1'], waiting: [] },
  milliseconds: 4200,
};

const status: StatusData = {
  now,
  perHost: false,
  environments: [
    {
      name: 'production',
      branch: 'main',
      lastGood: revision,
      seen: newer,
      stalled: { problems: [problem], since: ago(12) },
      lastFetchAt: ago(1),
      lastDriftAt: ago(25),
      lastRun: { run: '01JD3F', startedAt: ago(3), summary },
      hosts: [
        { host: 'web-1', state: 'in-sync', roles: ['base', 'web'], appliedAt: ago(3), revision: revision.id },
        {
          host: 'web-2',
          state: 'pending',
          roles: ['base', 'web'],
          appliedAt: ago(3000),
          revision: revision.id,
        },
        {
          host: 'db-1',
          state: 'unreachable',
          roles: ['db'],
          problem: { ...problem, code: 'ssh.timeout', message: 'no answer' },
        },
      ],
    },
    {
      name: 'preview/x',
      branch: 'feature/x',
      lastGood: revision,
      seen: revision,
      endedAt: ago(60),
      hosts: [],
      lastRun: { run: '01JD00', startedAt: ago(90) },
    },
    {
      name: 'staging',
      branch: 'stage',
      suspended: { reason: 'move', by: 'anna', until: ago(-120) },
      hosts: [{ host: 's', state: 'in-sync', roles: [] }],
    },
  ],
};
const history: HistoryData = {
  now,
  runs: [
    {
      run: '01JD3F',
      environment: 'production',
      trigger: 'commit',
      mode: 'apply',
      startedAt: ago(3),
      revision,
      summary,
    },
    {
      run: '01JD2A',
      environment: 'production',
      trigger: 'drift',
      mode: 'drift-correct',
      startedAt: ago(300),
    },
  ],
};
const inventory: InventoryData = {
  variables: true,
  groups: [
    { name: 'all', children: ['web'], hosts: ['web-1', 'web-2'] },
    { name: 'web', children: [], hosts: ['web-1', 'web-2'] },
  ],
  hosts: [
    {
      name: 'web-1',
      groups: ['all', 'web'],
      address: 'deploy@10.0.0.1:22',
      variables: [
        {
          name: 'port',
          value: 8080,
          from: { layer: 'web', file: 'inventory/production.toml', line: 12, column: 3 },
        },
        {
          name: 'towline_ssh_password',
          value: 'hunter2',
          from: { layer: 'host', file: 'inventory/production.toml', line: 14, column: 3 },
        },
        { name: 'motto', value: 'a "quoted" one' },
      ],
    },
    { name: 'web-2', groups: ['all', 'web'], variables: [] },
  ],
};
const facts: FactsData = {
  host: 'web-1',
  now,
  at: ago(5),
  facts: {
    os: { family: 'debian', version: '13' },
    network: { interfaces: { eth0: { mac: 'aa', addresses: [{ address: '10.0.0.1', prefix: 24 }] } } },
    uptime: 17,
    machineId: null,
    mounts: [],
  },
  problems: [problem],
};
const timeout = { ...problem, code: 'ssh.timeout', where: { host: 'db-1' } };
const shut = { ...problem, code: 'ssh.unreachable', where: { host: 'gate-2' } };
const door: Hop = { host: 'door', kind: 'ssh', setUpMilliseconds: 61.2, roundTripMilliseconds: 0.42 };
const inner: Hop = { host: 'inner', kind: 'tunnel', setUpMilliseconds: 80, roundTripMilliseconds: 1.04 };
const direct: Hop = { host: 'web-2', kind: 'ssh', setUpMilliseconds: 180, roundTripMilliseconds: 2.14 };
const answers: PingAnswer[] = [
  { host: 'web-10', hops: [], milliseconds: 24.2, connectMilliseconds: 212, about: 'root, node 24' },
  { host: 'web-2', hops: [direct], milliseconds: 2.14, connectMilliseconds: 180 },
  {
    host: 'cache',
    hops: [
      door,
      inner,
      { host: 'cache', kind: 'docker', setUpMilliseconds: 270.6, roundTripMilliseconds: 1.9 },
    ],
    milliseconds: 1.9,
    connectMilliseconds: 411.8,
    about: 'root, node 24',
  },
  {
    host: 'far',
    hops: [
      { host: 'door', kind: 'openssh' },
      { host: 'far', kind: 'openssh', setUpMilliseconds: 310, roundTripMilliseconds: 12 },
    ],
    milliseconds: 12,
    connectMilliseconds: 310,
  },
  { host: 'db-1', hops: [{ host: 'db-1', kind: 'ssh', problem: timeout }], problem: timeout },
  { host: 'db-2', hops: [door, { host: 'db-2', kind: 'relayed', problem: timeout }], problem: timeout },
  ...['app-1', 'app-2', 'app-3'].map((host) => ({
    host,
    hops: [{ host: 'gate-2', kind: 'ssh' as const, problem: shut }],
    problem: shut,
  })),
];
const pair = { role: 'web', reason: 'policy-changed' as const, detail: 'roles/web/role.ts' };
const planned: PlanData['pairs'][number]['resources'] = [
  { resource: 'package:nginx', difference: 'same', place: { file: 'roles/web/role.ts', line: 7, column: 5 } },
  {
    resource: 'template:/etc/app.conf',
    difference: 'changed',
    details: 'content',
    diff: '@@ -1 +1 @@\n-a\n+b\n',
    place: { file: 'roles/web/role.ts', line: 9, column: 5 },
  },
  { resource: 'file:/etc/new', difference: 'new' },
  { resource: 'file:/etc/old', difference: 'gone' },
];
const plan: PlanData = {
  environment: 'production',
  revision,
  pairs: ['web-1', 'web-2', 'web-3'].map((host) => ({ ...pair, host, resources: planned })),
  current: 117,
  needFacts: [{ host: 'new-1', role: 'base' }],
  problems: [],
  verbosity: 0,
};
const explain: ExplainData = {
  environment: 'production',
  host: 'web-1',
  role: 'web',
  targeting: 'group web matches web*',
  applied: { at: ago(30), revision: revision.id, run: '01JD2A' },
  affected: { ...pair, host: 'web-1' },
  failed: { at: ago(3), attempts: 2, problem },
  variables: inventory.hosts[0]?.variables ?? [],
  inputs: [
    { name: 'facts.os.family', state: 'same' },
    { name: 'source', state: 'changed' },
  ],
  resources: [
    {
      resource: 'service:nginx',
      place: { file: 'roles/web/role.ts', line: 9 },
      when: 'result.changed',
      notify: ['reload'],
      tags: ['web'],
      wanted: { state: 'running' },
    },
  ],
  now,
};
const show: ShowData = {
  run: '01JD3F',
  startedAt: ago(3),
  now,
  verbosity: 0,
  events: (
    [
      { type: 'run-started', trigger: 'commit', mode: 'apply' },
      { type: 'revision', revision, changedFiles: ['roles/web/role.ts'] },
      {
        type: 'host-finished',
        host: 'web-1',
        role: 'web',
        mode: 'apply',
        drift: false,
        result: {
          key: 'k',
          digest: 'd',
          run: 'r',
          mode: 'apply',
          complete: true,
          ok: true,
          outcomes: { ...summary.resources },
          reports: [
            {
              resource: 'file:/x',
              outcome: 'changed',
              changes: [{ action: 'create', property: 'file' }],
              milliseconds: 3,
            },
          ],
          milliseconds: 410,
        },
      },
      { type: 'host-connecting', host: 'db-1' },
      {
        type: 'host-failed',
        host: 'db-1',
        problem: { ...problem, code: 'ssh.timeout', message: 'no answer' },
      },
      { type: 'run-finished', summary },
    ] satisfies BareEvent[]
  ).map(stamped),
};

const views: readonly (readonly [
  string,
  (width: number, style: ReturnType<typeof makeStyle>) => string[],
])[] = [
  ['status', (width, look) => statusView(status, look, width)],
  ['status per host', (width, look) => statusView({ ...status, perHost: true }, look, width)],
  ['history', (width, look) => historyView(history, look, width)],
  ['inventory', (width, look) => inventoryView({ ...inventory, variables: false }, look, width)],
  ['inventory with variables', (width, look) => inventoryView(inventory, look, width)],
  ['facts', (width, look) => factsView(facts, look, width)],
  ['ping', (width, look) => pingView(answers, look, width)],
  ['plan', (width, look) => planView(plan, look, width)],
  ['plan verbose', (width, look) => planView({ ...plan, verbosity: 1 }, look, width)],
  ['explain', (width, look) => explainView(explain, look, width)],
  ['show', (width, look) => showView(show, look, width)],
];

describe('the views of the command line', () => {
  it.each(views)('%s reads as recorded at 100 columns', async (name, view) => {
    const file = `../../cases/view/${name.replaceAll(' ', '-')}.txt`;
    await expect(`${view(100, style).join('\n')}\n`).toMatchFileSnapshot(file);
  });

  it.each(views)('%s fits every width, with and without UTF-8', (_name, view) => {
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 220 }), fc.boolean(), (width, unicode) => {
        for (const line of view(width, makeStyle({ colour: false, unicode }))) {
          expect(displayWidth(line)).toBeLessThanOrEqual(width);
          expect(line).not.toMatch(unicode ? /\p{Cc}/u : /[^\x20-\x7e]/);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('say when there is nothing', () => {
    expect(statusView({ environments: [], now, perHost: false }, style, 80)).toEqual([
      'No environment has been seen yet.',
    ]);
    expect(historyView({ runs: [], now }, style, 80)).toEqual(['No runs yet.']);
    expect(inventoryView({ hosts: [], groups: [], variables: false }, style, 80)).toEqual([
      'No host matches.',
    ]);
    expect(showView({ ...show, events: [] }, style, 80)).toEqual(['Run 01JD3F left no events.']);
    const nothing = planView({ ...plan, pairs: [], needFacts: [] }, style, 80);
    expect(nothing).toEqual([
      '✓ production 9f3c2ab1d2e4 Listen on 8080 · Anna: nothing to do (117 role runs u…',
    ]);
  });

  it('never spell out what a variable called a password holds', () => {
    expect(inventoryView(inventory, style, 200).join('\n')).not.toContain('hunter2');
    expect(explainView(explain, style, 200).join('\n')).not.toContain('hunter2');
  });
});
