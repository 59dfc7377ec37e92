/**
 * One role for one host: runs its functions on tracked data and compiles what they return.
 * Invariant: the outcome is a function of code and recorded reads; whatever role code catches, a missing input wins.
 * Synchronous; limits on time and memory are the worker's.
 */

import type { Json } from '../../../agent/protocol/json.ts';
import type { Draft } from '../authoring/draft.ts';
import { deepFrozen, ReadLog, readValue, tracked } from '../tracking.ts';
import { isDraft } from './compile-resource.ts';
import { compileRole } from './compile-role.ts';
import { EvaluationFailure, parseData } from './data-file.ts';
import { FilePending, FileReader } from './file-reader.ts';
import type { EvaluationSubject, FilesNeeded, Outcome, PolicyFiles, RawProblem } from './messages.ts';
import { thrownProblem } from './raw-problem.ts';
import { type RoleModule, roleOf, type WrittenRole } from './sandbox.ts';
import { trackedFacts } from './tracked-facts.ts';
import type { EvaluationScope, Written } from './written.ts';

/** Evaluates, or says which files have to be read first. */
export function evaluateRole(
  role: { readonly name: string; readonly module: RoleModule },
  subject: EvaluationSubject,
  given: PolicyFiles,
): Outcome | FilesNeeded {
  const evaluation = new RoleEvaluation(role.name, subject, given);
  const result = evaluation.run(role.module);
  if (evaluation.factsMissing) return { reads: evaluation.log.reads, result: { kind: 'needs-facts' } };
  if (evaluation.files.needs.size > 0) return { needs: evaluation.files.needs };
  return { reads: evaluation.log.reads, result };
}

/** The state of one evaluation. */
class RoleEvaluation implements EvaluationScope {
  readonly log = new ReadLog();
  readonly role: string;
  readonly subject: EvaluationSubject;
  readonly files: FileReader;
  factsMissing = false;
  /** Top-level names a template may read. */
  names: Readonly<Record<string, unknown>> = {};
  vars: object = {};

  constructor(role: string, subject: EvaluationSubject, given: PolicyFiles) {
    this.role = role;
    this.subject = subject;
    this.files = new FileReader(role, given, this.log);
    this.log.add('environment', ['name'], readValue(subject.environment.name));
  }

  run(module: RoleModule): Outcome['result'] {
    try {
      const role = roleOf(module);
      if (role === undefined) throw new TypeError('the default export is not a role');
      const context = this.#context(role);
      if (role.spec.when !== undefined && !role.spec.when(context as never)) return { kind: 'not-wanted' };
      const written = this.#write(role, context);
      return written.problems.length > 0
        ? { kind: 'failed', problems: written.problems }
        : compileRole(this, role, written);
    } catch (error) {
      if (error instanceof EvaluationFailure) return { kind: 'failed', problems: [error.problem] };
      return { kind: 'failed', problems: [thrownProblem(error, `role ${this.role}`, undefined)] };
    }
  }

  #context(role: WrittenRole): object {
    const { subject, log } = this;
    this.vars = tracked(log, 'variables', { ...role.spec.variables, ...subject.variables });
    const facts = trackedFacts(log, subject.facts, () => {
      this.factsMissing = true;
    });
    const host = tracked(log, 'host', { name: subject.host.name, groups: subject.host.groups });
    const environment = tracked(log, 'environment', { ...subject.environment });
    this.names = { vars: this.vars, facts, host, environment, role: this.role };
    return Object.freeze({ ...this.names, data: (path: string) => this.#data(path) });
  }

  #data(path: string): Json {
    const found = this.files.file('data', String(path), 'text');
    if (found === 'pending') throw new FilePending(path);
    if (found !== 'missing') return deepFrozen(parseData(found.path, found.value.text ?? ''));
    const [own, shared] = this.files.candidates('data', path);
    throw new Error(`data: neither ${own} nor ${shared} exists`);
  }

  #write(role: WrittenRole, context: object): Written & { readonly problems: readonly RawProblem[] } {
    const problems: RawProblem[] = [];
    const flat = (value: unknown, what: string): Draft[] => {
      if (value === null || value === undefined || value === false) return [];
      if (Array.isArray(value)) return value.flatMap((item) => flat(item, what));
      if (isDraft(value)) return [value];
      problems.push({
        code: 'policy.not-a-resource',
        message: `${what} of role ${this.role} returned ${described(value)}`,
        position: role.position,
      });
      return [];
    };
    const resources = flat(role.spec.resources(context as never), 'resources');
    const handlers = new Map<string, readonly Draft[]>();
    for (const [name, handler] of Object.entries(role.spec.handlers ?? {})) {
      handlers.set(name, flat(handler(context as never), `handler ${JSON.stringify(name)}`));
    }
    return { resources, handlers, problems };
  }
}

function described(value: unknown): string {
  if (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  ) {
    return 'a promise; role functions are not async';
  }
  return `a ${typeof value}, which is no resource`;
}
