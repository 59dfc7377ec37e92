/**
 * Loads policies: bundles their roles, has them defined in the worker, keeps what did not change.
 * Invariant: all roles are tried and all problems reported; a role whose files did not change is not bundled again.
 * Never runs role code in this process.
 */

import { hash } from 'node:crypto';
import type { Checked, Problem } from '../../agent/protocol/problem.ts';
import { policyProblem } from '../base/problem-codes/policy.ts';
import type { Snapshot } from '../source/snapshot.ts';
import { bundleRole } from './bundle-role.ts';
import { ContentIndex } from './content-index.ts';
import type { Defined } from './evaluation/messages.ts';
import { didYouMean } from './evaluation/nearest-name.ts';
import { evaluatorFingerprint } from './evaluator-fingerprint.ts';
import { type EngineParts, type EvaluationCounters, SnapshotPolicy } from './loaded-policy.ts';
import { LoadedRole } from './loaded-role.ts';
import type { LoadedPolicy, PolicyEngine } from './model.ts';
import { defaultLimits, type RoleRunner, WorkerClient, type WorkerLimits } from './worker-client.ts';

/** Versions of a role kept for policies of other branches and for going back. */
const versionsKept = 8;

export interface CountingPolicyEngine extends PolicyEngine {
  readonly counters: Readonly<EvaluationCounters>;
}

/** An engine with a worker of its own, or on a given runner. */
export function createPolicyEngine(
  limits: WorkerLimits = defaultLimits,
  runner: RoleRunner = new WorkerClient(limits),
): CountingPolicyEngine {
  return new Engine(runner);
}

/** What a role was made of: the ids at these paths, and none at those where nothing was. */
interface Closure {
  readonly key: string;
  readonly paths: readonly string[];
  readonly role: LoadedRole;
}

class Engine implements CountingPolicyEngine {
  readonly counters = { evaluations: 0, hits: 0 };
  readonly #parts: EngineParts;
  /** Role → its versions, the last used at the end. */
  readonly #versions = new Map<string, LoadedRole[]>();
  /** Role → import closures last seen, to tell from ids alone that nothing changed. */
  readonly #closures = new Map<string, Closure[]>();

  constructor(runner: RoleRunner) {
    let known: string | undefined;
    const evaluator = (): string => {
      known ??= evaluatorFingerprint();
      return known;
    };
    this.#parts = { runner, index: new ContentIndex(), counters: this.counters, evaluator };
  }

  prepare(): void {
    this.#parts.runner.prepare();
  }

  async load(snapshot: Snapshot, roles: readonly string[]): Promise<Checked<LoadedPolicy>> {
    const names = [...new Set(roles)];
    const loaded = await Promise.all(names.map((name) => this.#role(snapshot, name)));
    const problems: Problem[] = [];
    const byName = new Map<string, LoadedRole>();
    for (const [index, role] of loaded.entries()) {
      if (role.ok) byName.set(names[index] as string, role.value);
      else problems.push(...role.problems);
    }
    for (const role of byName.values()) problems.push(...unknownRoles(role, snapshot));
    if (problems.length > 0) return { ok: false, problems };
    return { ok: true, value: new SnapshotPolicy(snapshot, byName, this.#parts) };
  }

  close(): Promise<void> {
    return this.#parts.runner.close();
  }

  async #role(snapshot: Snapshot, name: string): Promise<Checked<LoadedRole>> {
    const entry = `roles/${name}/role.ts`;
    if (!snapshot.entries.has(entry)) return { ok: false, problems: [missingRole(snapshot, name)] };
    for (const { key, paths, role } of this.#closures.get(name) ?? []) {
      if (closureKey(snapshot, paths) === key) return { ok: true, value: role };
    }
    const bundled = await bundleRole(snapshot, entry);
    if (!bundled.ok) return bundled;
    const { sources, vacant, code } = bundled.value;
    const sourceDigest = await this.#sourceDigest(snapshot, sources);
    const known = this.#versions.get(name)?.find((role) => role.code.sourceDigest === sourceDigest);
    const role = known ?? new LoadedRole({ name, sourceDigest, code }, bundled.value);
    const problems = known === undefined ? await this.#define(role) : [];
    if (problems.length > 0) return { ok: false, problems };
    const paths = [...sources, ...vacant];
    this.#remember(name, { key: closureKey(snapshot, paths), paths, role });
    return { ok: true, value: role };
  }

  async #define(role: LoadedRole): Promise<readonly Problem[]> {
    let defined: Defined | undefined;
    const stopped = await this.#parts.runner.request({ type: 'define', role: role.code }, (reply) => {
      if (reply.type === 'defined') defined = reply.defined;
    });
    if (stopped !== undefined) return [role.problem(stopped)];
    if (defined?.ok !== true) return (defined?.problems ?? []).map((problem) => role.problem(problem));
    role.defined = defined.role;
    return [];
  }

  async #sourceDigest(snapshot: Snapshot, sources: readonly string[]): Promise<string> {
    const lines: string[] = [];
    for (const path of sources) {
      const file = await this.#parts.index.file(snapshot, path, 'content');
      lines.push(`${path}\0${file?.sha256}`);
    }
    return hash('sha256', lines.join('\n'));
  }

  #remember(name: string, closure: Closure): void {
    const { key, role } = closure;
    const versions = (this.#versions.get(name) ?? []).filter((each) => each !== role);
    this.#versions.set(name, [...versions, role].slice(-versionsKept));
    const closures = (this.#closures.get(name) ?? []).filter((each) => each.key !== key);
    this.#closures.set(name, [closure, ...closures].slice(0, versionsKept));
  }
}

function closureKey(snapshot: Snapshot, paths: readonly string[]): string {
  return paths.map((path) => `${path}\0${snapshot.entries.get(path)?.id}`).join('\n');
}

function rolesOf(snapshot: Snapshot): string[] {
  return [...snapshot.entries.keys()].flatMap((path) => /^roles\/([^/]+)\/role\.ts$/.exec(path)?.[1] ?? []);
}

function missingRole(snapshot: Snapshot, name: string): Problem {
  const message = `there is no role ${name}${didYouMean(name, rolesOf(snapshot))}`;
  return policyProblem('policy.role-missing', message, {
    where: { file: `roles/${name}/role.ts`, role: name },
  });
}

function unknownRoles(role: LoadedRole, snapshot: Snapshot): Problem[] {
  const known = rolesOf(snapshot);
  return (role.defined?.after ?? [])
    .filter((after) => !known.includes(after))
    .map((after) =>
      policyProblem('policy.bad-role', `after: there is no role ${after}${didYouMean(after, known)}`, {
        where: { file: role.file, role: role.code.name },
      }),
    );
}
