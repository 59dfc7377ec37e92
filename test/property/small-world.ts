/**
 * A small fleet whose policy, inventory, facts and ledger can be changed in every way that planning depends on.
 * Invariant: `plan` and `apply` take the real steps of a run on a real store; no host is contacted.
 * Test code only.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import { builtInDefaults } from '../../inventory/defaults.ts';
import { systemClock } from '../../reconciler/base/clock.ts';
import { Claims } from '../../reconciler/claims.ts';
import { pairKey } from '../../reconciler/plan/affected.ts';
import type { Environment } from '../../reconciler/policy/environment.ts';
import { FactsBook } from '../../reconciler/state/facts-book.ts';
import { openMemoryStore } from '../../reconciler/state/open-store.ts';
import type { Store } from '../../reconciler/state/store.ts';
import { decideWork } from '../../reconciler/steps/decide-work.ts';
import { evaluateRoles } from '../../reconciler/steps/evaluate-roles.ts';
import { loadPolicy } from '../../reconciler/steps/load-policy.ts';
import { recordSettled } from '../../reconciler/steps/look.ts';
import type { Run, RunRequest, Services } from '../../reconciler/steps/run.ts';
import { takeSnapshot } from '../../reconciler/steps/take-snapshot.ts';
import { noLines } from '../bench/planner.ts';
import { silentRuns } from '../helpers/silent-runs.ts';
import { problemOf } from '../reconciler/plan/plans.ts';
import { debianFacts, engineInProcess, roleFile, snapshotOf } from '../reconciler/policy/fixtures.ts';

export const hostNames = ['h0', 'h1', 'h2', 'h3', 'h4'] as const;
export const roleNames = ['base', 'db', 'web'] as const;
export const filePaths = [
  'files/motd',
  'roles/web/files/motd',
  'files/tree/a',
  'files/tree/b',
  'templates/x.njk',
  'templates/inner.njk',
  'roles/base/templates/inner.njk',
] as const;

/** What roles can be: each reads something else. */
export const roleTexts: readonly string[] = [
  roleFile('[echo("a is " + vars.a)]'),
  roleFile('[echo("family " + facts.os.family)]'),
  roleFile('host.groups.includes("g") ? [echo(host.name + " " + vars.b)] : []'),
  roleFile('[file("/etc/motd", { from: "motd" }), echo(environment.branch)]'),
  roleFile('[directory("/srv/t", { from: "tree" })]'),
  roleFile('[echo("up " + facts.uptime)]'),
  roleFile('[template("/x", { from: "x.njk" })]'),
  roleFile('[echo("one")]', 'when: ({ vars }) => vars.a !== 2,'),
  roleFile('[echo("two " + vars.extra)]', 'variables: { extra: "none" },'),
  roleFile('vars.a === 1 ? [file("/etc/motd", { from: "motd" })] : [echo("none")]'),
  roleFile('[echo("three")]', 'targets: { groups: ["g"] },'),
];

export const readsFileOnSomeHosts = roleTexts.length - 2;

export interface HostState {
  readonly a: number;
  readonly inGroup: boolean;
}

/** What a plan says, so that two can be compared. */
export interface Said {
  readonly affected: readonly string[];
  readonly needFacts: readonly string[];
  readonly released: readonly string[];
  readonly current: number | undefined;
  readonly problems: readonly string[];
  readonly hosts: number | undefined;
}

export class SmallWorld {
  readonly hosts = new Map<string, HostState>(hostNames.map((name) => [name, { a: 0, inGroup: false }]));
  readonly roles = new Map<string, number>(roleNames.map((name, index) => [name, index]));
  readonly files = new Map<string, string>(
    filePaths.map((path) => [path, '{% include "inner.njk" ignore missing %}']),
  );
  groupValue = 'b';
  branch = 'main';
  extraVariables: Readonly<Record<string, string>> = {};
  /** Pairs passed over by plans so far. */
  passedOver = 0;
  readonly store: Store;
  #engine = engineInProcess();
  #facts: FactsBook;

  private constructor(store: Store, facts: FactsBook) {
    this.store = store;
    this.#facts = facts;
    for (const path of filePaths) if (path.endsWith('inner.njk')) this.files.set(path, 'inner');
  }

  static async create(): Promise<SmallWorld> {
    const opened = openMemoryStore();
    if (!opened.ok) throw new Error(opened.problem.message);
    return new SmallWorld(opened.value, await FactsBook.open(opened.value.facts, true));
  }

  async learn(host: string, change: Partial<Facts>): Promise<void> {
    await this.#facts.learn(host, { ...debianFacts, ...change }, '2026-01-01T00:00:00.000Z');
  }

  /** As another process that finds the same state. */
  async restart(): Promise<void> {
    await this.#engine.close();
    this.#engine = engineInProcess();
    this.#facts = await FactsBook.open(this.store.facts, true);
  }

  /** What a plan says; `blind` knows of nothing settled. */
  async plan(blind: boolean): Promise<Said> {
    const nothing = async () => ({ roles: new Map(), hosts: new Map() });
    const store = blind ? { ...this.store, ledger: { ...this.store.ledger, settled: nothing } } : this.store;
    const { run, problems } = await this.#decided(store, { mode: 'check', records: false });
    const pairs = run.evaluations?.reduce((sum, { hosts }) => sum + hosts.length, 0) ?? 0;
    if (!blind && run.look?.open !== undefined) this.passedOver += this.hosts.size * this.roles.size - pairs;
    return said(run, problems);
  }

  /** A run that counts; `fate` says of each pair how it ends, `meanwhile` happens while hosts are at work. */
  async apply(
    fate: (pair: string) => 'done' | 'failed' | 'untouched',
    meanwhile: () => Promise<void>,
  ): Promise<void> {
    const { ledger } = this.store;
    const { run } = await this.#decided(this.store, { mode: 'apply', records: true });
    if (run.decision === undefined) return;
    await meanwhile();
    for (const { host, role, digest, plan, inputs } of run.decision.affected) {
      const end = fate(pairKey(host, role));
      const common = { host, role, digest, run: run.id };
      if (end === 'done')
        await ledger.recordApplied('test', { ...common, plan, inputs, revision: 'r', appliedAt: 't' });
      if (end === 'failed')
        await ledger.recordFailed('test', { ...common, at: 't', problem: problemOf('retry') });
    }
    for (const { host, role } of run.decision.released) await ledger.release('test', host, role);
    run.memory.lastGood = run.loaded;
    await recordSettled(run);
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.store.close();
  }

  async #decided(
    store: Store,
    how: Pick<RunRequest, 'mode' | 'records'>,
  ): Promise<{ readonly run: Run; readonly problems: readonly string[] }> {
    const services: Services = {
      store,
      facts: this.#facts,
      pool: noLines,
      engine: this.#engine,
      clock: systemClock,
      defaults: builtInDefaults,
      claims: new Claims(async () => []),
      snapshot: async () => ({ ok: true, value: snapshotOf(this.#policy()) }),
    };
    const runs = silentRuns(services);
    const run = runs.make(
      { ...request, ...how, environment: this.#environment(), extraVariables: this.extraVariables },
      { signal: new AbortController().signal, superseded: new AbortController().signal },
    );
    for (const step of [takeSnapshot, loadPolicy, evaluateRoles, decideWork]) {
      const taken = await step.take(run);
      if (!taken.goOn) return { run, problems: taken.problems.map(({ message }) => message).sort() };
    }
    return { run, problems: [] };
  }

  #environment(): Environment {
    return { ...environment, branch: this.branch, roles: [...this.roles.keys()] };
  }

  #policy(): Record<string, string> {
    const roles = [...this.roles].map(([name, text]) => [`roles/${name}/role.ts`, roleTexts[text] as string]);
    return {
      ...Object.fromEntries(this.files),
      ...Object.fromEntries(roles),
      'inventory.toml': this.#inventory(),
    };
  }

  #inventory(): string {
    const members = [...this.hosts].filter(([, { inGroup }]) => inGroup).map(([name]) => `${name} = {}`);
    const hosts = [...this.hosts].map(([name, { a }]) => `${name} = { a = ${a} }`);
    const group = `[groups.g.hosts]\n${members.join('\n')}\n[groups.g.vars]\nb = "${this.groupValue}"\n`;
    return `${group}[hosts]\n${hosts.join('\n')}\n`;
  }
}

const request = {
  trigger: 'manual',
  offline: true,
  force: false,
  limitHosts: [],
  limitGroups: [],
} as const;

const environment = {
  name: 'test',
  inventory: 'inventory.toml',
  drift: { mode: 'off', schedule: '0 0 * * *', timezone: 'UTC', spreadSeconds: 0 },
  pollSeconds: 0,
  parallel: 1,
  place: { file: 'towline.toml' },
} as const;

function said({ decision, hosts }: Run, problems: readonly string[]): Said {
  const keys = (pairs: readonly { host: string; role: string }[] = []): string[] =>
    pairs.map(({ host, role }) => pairKey(host, role)).sort();
  return {
    affected: decision?.affected.map(({ host, role, digest }) => `${host} ${role} ${digest}`) ?? [],
    needFacts: keys(decision?.needFacts),
    released: keys(decision?.released),
    current: decision?.current,
    problems,
    hosts,
  };
}
