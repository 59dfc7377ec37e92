/**
 * The roles of one snapshot, ready to be asked.
 * Invariant: an answer known for equal reads is given without running code; equal hosts cost one evaluation.
 * Never runs code itself; misses go to the worker.
 */

import { hash } from 'node:crypto';
import type { Json } from '../../agent/protocol/json.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import { type ContentReader, type ContentStore, heldContent } from '../base/content.ts';
import { policyProblem } from '../base/problem-codes/policy.ts';
import { SharedContents } from '../base/shared-contents.ts';
import type { Snapshot } from '../source/snapshot.ts';
import { type ContentIndex, treeId } from './content-index.ts';
import type {
  EvaluationSubject,
  FilesNeeded,
  Outcome,
  PolicyFile,
  PolicyTree,
} from './evaluation/messages.ts';
import type { LoadedRole, Shared } from './loaded-role.ts';
import type { Look, Miss } from './memo.ts';
import type { Evaluation, LoadedPolicy, Policy, Subject } from './model.ts';
import type { Root } from './tracking.ts';
import type { RoleRunner } from './worker-client.ts';

/** Subjects sent to the worker at once: few at first, because their answers often serve the others, then more and more. */
const firstBatch = 64;
const largestBatch = 1024;
/** Each round brings files that the one before asked for; templates including templates take a few. */
const roundLimit = 50;

/** How often roles were run and how often an answer was known. */
export interface EvaluationCounters {
  evaluations: number;
  hits: number;
}

export interface EngineParts {
  readonly runner: RoleRunner;
  readonly index: ContentIndex;
  readonly counters: EvaluationCounters;
  /** Identity of the program that evaluates. */
  readonly evaluator: () => string;
}

interface Asked {
  readonly subjects: readonly Subject[];
  /** Places of the subjects without an answer. */
  readonly open: number[];
  readonly answers: Evaluation[];
}

export class SnapshotPolicy implements LoadedPolicy {
  readonly policy: Policy;
  readonly contents: ContentStore;
  readonly #snapshot: Snapshot;
  readonly #roles: ReadonlyMap<string, LoadedRole>;
  readonly #parts: EngineParts;
  readonly #treeIds = new Map<string, string>();

  constructor(snapshot: Snapshot, roles: ReadonlyMap<string, LoadedRole>, parts: EngineParts) {
    this.#snapshot = snapshot;
    this.#roles = roles;
    this.#parts = parts;
    const definitions = [...roles].map(([name, role]) => [name, role.definition()] as const);
    this.policy = { revision: snapshot.revision.id, roles: new Map(definitions) };
    this.contents = new SharedContents({ open: (sha256) => this.#content(sha256) });
  }

  async evaluate(name: string, subjects: readonly Subject[]): Promise<readonly Evaluation[]> {
    const role = this.#role(name);
    const files = this.#fileIds(role.needs.keys());
    const answers: Evaluation[] = new Array(subjects.length);
    const open: number[] = [];
    for (const [index, subject] of subjects.entries()) {
      const known = role.recent.find(files, index, subject);
      if (known === undefined) open.push(index);
      else answers[index] = known;
    }
    this.#parts.counters.hits += subjects.length - open.length;
    const problem = await this.#answer(role, { subjects, open, answers });
    if (problem === undefined)
      role.recent.keep({ files: this.#fileIds(role.needs.keys()), subjects, evaluations: answers });
    return answers;
  }

  fingerprint(name: string, paths: readonly string[]): string {
    const role = this.#role(name);
    const parts = [this.#parts.evaluator(), role.code.sourceDigest, role.codeDigest, this.#fileIds(paths)];
    return hash('sha256', parts.join('\n'));
  }

  paths(name: string): readonly string[] | undefined {
    const { isMomentary, needs } = this.#role(name);
    return isMomentary ? undefined : [...needs.keys()].sort();
  }

  #role(name: string): LoadedRole {
    const role = this.#roles.get(name);
    if (role === undefined) throw new RangeError(`role ${name} is not part of this policy`);
    return role;
  }

  /** Fills in the answers that are open; a problem when the worker could not, which is then their answer. */
  async #answer(role: LoadedRole, asked: Asked): Promise<Problem | undefined> {
    const { subjects, answers } = asked;
    let { open } = asked;
    let evaluated: ReadonlySet<number> = new Set();
    for (let size = firstBatch; open.length > 0; size = Math.min(2 * size, largestBatch)) {
      const batch = new Batch(size);
      open = open.filter((index) => {
        const subject = subjects[index] as Subject;
        const found = role.memo.find(this.#look(role, subject));
        if (!('answer' in found)) return batch.offer(index, found);
        answers[index] = forHost(found.answer, subject.host.name);
        if (!evaluated.has(index)) this.#parts.counters.hits += 1;
        return false;
      });
      const sent = batch.indexes.map((index) => subjects[index] as Subject);
      const problem = await this.#evaluateBatch(role, sent);
      if (problem !== undefined) {
        for (const index of open) answers[index] = { kind: 'failed', problems: [problem] };
        return problem;
      }
      evaluated = new Set(batch.indexes);
    }
    return undefined;
  }

  /** Ids of files, and of folders (whose paths end in a slash). */
  #fileIds(paths: Iterable<string>): string {
    const ids: string[] = [];
    for (const path of paths) {
      const id = path.endsWith('/') ? this.#treeId(path.slice(0, -1)) : this.#snapshot.entries.get(path)?.id;
      ids.push(`${path}\0${id}`);
    }
    return ids.join('\n');
  }

  /** Runs the role for these subjects; a problem when the worker could not. */
  async #evaluateBatch(role: LoadedRole, subjects: readonly Subject[]): Promise<Problem | undefined> {
    let open = subjects.map(evaluationSubject);
    for (let round = 0; open.length > 0; round += 1) {
      if (round === roundLimit)
        return policyProblem('policy.worker-lost', 'the worker asks for files without end');
      const again: EvaluationSubject[] = [];
      const sent = open;
      const stopped = await this.#parts.runner.request(
        { type: 'evaluate', role: role.code, subjects: sent, files: await this.#files(role) },
        (reply) => {
          if (reply.type !== 'evaluated') return;
          const { outcome, index } = reply;
          if (isNeed(outcome)) {
            role.note(outcome.needs);
            again.push(sent[index] as EvaluationSubject);
          } else {
            this.#parts.counters.evaluations += 1;
            role.keep(outcome);
          }
        },
      );
      if (stopped !== undefined) return role.problem(stopped);
      open = again;
    }
    return undefined;
  }

  async #files(
    role: LoadedRole,
  ): Promise<{ files: Map<string, PolicyFile | null>; trees: Map<string, PolicyTree> }> {
    const files = new Map<string, PolicyFile | null>();
    const trees = new Map<string, PolicyTree>();
    for (const [path, need] of role.needs) {
      if (need === 'tree') {
        const folder = path.slice(0, -1);
        trees.set(folder, await this.#parts.index.tree(this.#snapshot, folder));
      } else files.set(path, await this.#parts.index.file(this.#snapshot, path, need));
    }
    return { files, trees };
  }

  #look(role: LoadedRole, subject: Subject): Look {
    const defaults = role.defined?.variables ?? {};
    const declared = subject.host.variables;
    const extra = subject.extraVariables;
    return (root: Root, steps: readonly string[]): Json | undefined => {
      const first = steps[0] as string;
      switch (root) {
        case 'variables': {
          if (steps.length === 0) return { ...defaults, ...declared, ...extra };
          const layer = Object.hasOwn(extra, first)
            ? extra
            : Object.hasOwn(declared, first)
              ? declared
              : defaults;
          return at(layer, steps);
        }
        case 'facts':
          return at(subject.facts as Json | undefined, steps);
        case 'host':
          return first === 'name' ? subject.host.name : at({ name: '', groups: subject.host.groups }, steps);
        case 'environment':
          return at(subject.environment, steps);
        case 'file':
          return this.#snapshot.entries.get(first)?.id;
        case 'tree':
          return this.#treeId(first);
      }
    };
  }

  #treeId(folder: string): string {
    let id = this.#treeIds.get(folder);
    if (id === undefined) {
      id = treeId(this.#snapshot, folder);
      this.#treeIds.set(folder, id);
    }
    return id;
  }

  async #content(sha256: string): Promise<ContentReader | undefined> {
    for (const role of this.#roles.values()) {
      const text = role.rendered(sha256);
      if (text !== undefined) return heldContent(Buffer.from(text));
      for (const path of role.contentPaths.get(sha256) ?? []) {
        const known = this.#parts.index.knownHash(this.#snapshot, path);
        if (known === sha256) return this.#snapshot.open(path);
      }
    }
    return undefined;
  }
}

/** The value below `value`; undefined where a step leads nowhere. */
function at(value: Json | undefined, steps: readonly string[]): Json | undefined {
  let here = value;
  for (const step of steps) {
    if (here === null || typeof here !== 'object' || !Object.hasOwn(here, step)) return undefined;
    here = (here as Readonly<Record<string, Json>>)[step];
  }
  return here;
}

/** The shared answer, with this host's name in the plan. */
function forHost({ evaluation, plan }: Shared, host: string): Evaluation {
  if (evaluation.kind !== 'plan' || plan === undefined || plan.host === host) return evaluation;
  return new HostPlan(evaluation, host);
}

/** A plan's answer for one more host: what is shared is looked up, and the plan is made when it is asked for. */
class HostPlan {
  readonly kind = 'plan';
  readonly digest: string;
  readonly #shared: Extract<Evaluation, { kind: 'plan' }>;
  readonly #host: string;

  constructor(shared: Extract<Evaluation, { kind: 'plan' }>, host: string) {
    this.digest = shared.digest;
    this.#shared = shared;
    this.#host = host;
  }

  get plan(): RolePlan {
    const { environment, role, resources, handlers } = this.#shared.plan;
    return { environment, host: this.#host, role, resources, handlers };
  }

  get inputs(): Readonly<Record<string, string>> {
    return this.#shared.inputs;
  }

  get places(): Extract<Evaluation, { kind: 'plan' }>['places'] {
    return this.#shared.places;
  }
}

/** One subject for each place where the memo ended, so that equal hosts are not evaluated twice. */
class Batch {
  readonly indexes: number[] = [];
  readonly #most: number;
  readonly #seen = new Map<object, Set<unknown>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes a subject unless there is no room or one like it is there; always true. */
  offer(index: number, { node, value }: Miss): true {
    if (this.indexes.length >= this.#most) return true;
    const values = this.#seen.get(node) ?? new Set();
    if (values.has(value)) return true;
    this.#seen.set(node, values.add(value));
    this.indexes.push(index);
    return true;
  }
}

function isNeed(outcome: Outcome | FilesNeeded): outcome is FilesNeeded {
  return 'needs' in outcome;
}

function evaluationSubject(subject: Subject): EvaluationSubject {
  return {
    host: { name: subject.host.name, groups: subject.host.groups },
    variables: { ...subject.host.variables, ...subject.extraVariables },
    facts: subject.facts,
    environment: subject.environment,
  };
}
