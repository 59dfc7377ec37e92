/**
 * One role of one source: its script, its definition and what its evaluations gave so far.
 * Invariant: shared by every policy that has the same source, so what was evaluated once stays known.
 * Positions of the script are mapped to the policy's files here, and only when somebody asks.
 */

import { hash } from 'node:crypto';
import { SourceMap } from 'node:module';
import { posix } from 'node:path';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Place, Problem } from '../../agent/protocol/problem.ts';
import { policyProblem } from '../base/problem-codes/policy.ts';
import type { RawPosition } from './authoring/draft.ts';
import { policyPath, type RoleBundle } from './bundle-role.ts';
import type { DefinedRole, Outcome, PolicyFileNeed, RawProblem, RoleCode } from './evaluation/messages.ts';
import { Memo } from './memo.ts';
import type { Evaluation, RoleDefinition } from './model.ts';
import { RecentAnswers } from './recent-answers.ts';
import { type Read, readName } from './tracking.ts';

/** What all hosts that read equal values share; the plan's host is set for each. */
export interface Shared {
  readonly evaluation: Evaluation;
  readonly plan: RolePlan | undefined;
}

export class LoadedRole {
  readonly code: RoleCode;
  readonly sources: readonly string[];
  /** Files evaluations asked for, so that the next gets them at once. */
  readonly needs = new Map<string, PolicyFileNeed>();
  readonly memo = new Memo<Shared>();
  readonly recent = new RecentAnswers();
  #contents: [Map<string, string>, Map<string, string>] = [new Map(), new Map()];
  readonly contentPaths = new Map<string, Set<string>>();
  defined: DefinedRole | undefined;
  /** An evaluation read what moves all the time: its answer says nothing of a later one. */
  isMomentary = false;
  readonly #sourceMapText: string;
  #sourceMap: SourceMap | undefined;

  constructor(code: RoleCode, bundle: RoleBundle) {
    this.code = code;
    this.sources = bundle.sources;
    this.#sourceMapText = bundle.sourceMap;
  }

  get file(): string {
    return `roles/${this.code.name}/role.ts`;
  }

  /** Of the script as it runs. */
  get codeDigest(): string {
    return hash('sha256', this.code.code);
  }

  /** Notes files an evaluation lacked; once with text, always with text. */
  note(needs: ReadonlyMap<string, PolicyFileNeed>): void {
    for (const [path, need] of needs) if (this.needs.get(path) !== 'text') this.needs.set(path, need);
  }

  definition(): RoleDefinition {
    const { variables: _, ...defined } = this.defined as DefinedRole;
    const { name, sourceDigest } = this.code;
    return Object.freeze({ name, file: this.file, sourceDigest, sources: this.sources, ...defined });
  }

  /** Text rendered by an evaluation that is still known. */
  rendered(sha256: string): string | undefined {
    return this.#contents[0].get(sha256) ?? this.#contents[1].get(sha256);
  }

  /** Keeps the outcome of an evaluation. */
  keep(outcome: Outcome): Shared {
    const shared = this.#sharedOf(outcome);
    this.isMomentary ||= outcome.reads.some(({ root, steps }) => root === 'facts' && steps[0] === 'uptime');
    const renewed = this.memo.add(outcome.reads, shared);
    if (renewed) {
      this.#contents = [new Map(), this.#contents[0]];
      this.recent.forget();
    }
    if (outcome.result.kind === 'plan') {
      for (const [sha256, text] of outcome.result.contents) this.#contents[0].set(sha256, text);
      for (const [sha256, path] of outcome.result.sources) {
        const paths = this.contentPaths.get(sha256) ?? new Set();
        this.contentPaths.set(sha256, paths.add(path));
      }
    }
    return shared;
  }

  #sharedOf({ result, reads }: Outcome): Shared {
    switch (result.kind) {
      case 'plan': {
        const { plan, digest, positions } = result;
        const evaluation = { kind: 'plan', plan, digest, inputs: this.#inputs(reads) } as const;
        const places = once(() => this.#places(positions));
        Object.defineProperty(evaluation, 'places', { get: places, enumerable: true });
        return { evaluation: evaluation as typeof evaluation & { places: Record<string, Place> }, plan };
      }
      case 'not-wanted':
        return { evaluation: { kind: 'not-wanted', inputs: this.#inputs(reads) }, plan: undefined };
      case 'needs-facts':
        return { evaluation: { kind: 'needs-facts' }, plan: undefined };
      case 'failed':
        return {
          evaluation: { kind: 'failed', problems: result.problems.map((each) => this.problem(each)) },
          plan: undefined,
        };
    }
  }

  #inputs(reads: readonly Read[]): Readonly<Record<string, string>> {
    const inputs: Record<string, string> = { source: this.code.sourceDigest };
    for (const read of reads) inputs[readName(read)] = fingerprint(read.value.value);
    return inputs;
  }

  #places(positions: ReadonlyMap<string, RawPosition>): Record<string, Place> {
    return Object.fromEntries([...positions].map(([id, position]) => [id, this.place(position)]));
  }

  /** Where in the policy a position of the script is. */
  place(position: RawPosition | undefined): Place {
    const role = this.code.name;
    if (position === undefined) return { file: this.file, role };
    this.#sourceMap ??= new SourceMap(JSON.parse(this.#sourceMapText));
    const entry = this.#sourceMap.findEntry(position.line - 1, position.column - 1);
    if (!('originalSource' in entry)) return { file: this.file, role };
    const file = policyPath(posix.normalize(entry.originalSource));
    return { file, line: entry.originalLine + 1, column: entry.originalColumn + 1, role };
  }

  /** A problem as people and programs get it. */
  problem({ code, message, hint, position, place, resource }: RawProblem): Problem {
    const where = {
      ...(place === undefined ? this.place(position) : { ...place, role: this.code.name }),
      ...(resource === undefined ? {} : { resource }),
    };
    return policyProblem(code, message, { where, ...(hint === undefined ? {} : { hint }) });
  }
}

/** Texts are shown as hashes: inputs are stored and printed, and a variable may be a secret. */
function fingerprint(value: unknown): string {
  return typeof value === 'string' ? hash('sha256', value).slice(0, 16) : String(value);
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
