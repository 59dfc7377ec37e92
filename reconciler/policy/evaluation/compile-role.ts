/**
 * What the functions of a role wrote → a plan, or every problem in it.
 * Invariant: ids are unique, requirements and handlers exist, and the order satisfies `requires`.
 * Never stops at the first problem.
 */

import type { PlannedHandler, PlannedResource, RolePlan } from '../../../agent/protocol/plan.ts';
import { planDigest } from '../../plan/digest.ts';
import { orderResources } from '../../plan/resource-order.ts';
import type { Draft, RawPosition } from '../authoring/draft.ts';
import type { MetaParameters } from '../authoring/resource.ts';
import { checkNames } from './check-names.ts';
import { compileResource, requirementsOf } from './compile-resource.ts';
import { EvaluationFailure } from './data-file.ts';
import type { Outcome, PolicyFile, RawProblem } from './messages.ts';
import { resourceProblem } from './raw-problem.ts';
import { type NameScope, renderTemplate } from './render-template.ts';
import type { WrittenRole } from './sandbox.ts';
import { type Collected, type RenderTemplate, storeText, Tools } from './tools.ts';
import type { EvaluationScope, Written } from './written.ts';

/** Compiles all resources and handlers of a role. */
export function compileRole(
  evaluation: EvaluationScope,
  role: WrittenRole,
  written: Written,
): Outcome['result'] {
  const registered = registeredNames(written);
  const collected: Collected = { problems: [], contents: new Map(), sources: new Map(), registered };
  const compile = (drafts: readonly Draft[]): PlannedResource[] =>
    compileList(evaluation, collected, drafts, role.spec.tags ?? []);
  const resources = compile(written.resources);
  const handlers: PlannedHandler[] = [...written.handlers].map(([name, drafts]) => ({
    name,
    resources: compile(drafts),
  }));
  checkNames(written, collected.problems);
  if (collected.problems.length > 0) return { kind: 'failed', problems: collected.problems };
  const plan: RolePlan = {
    environment: evaluation.subject.environment.name,
    host: evaluation.subject.host.name,
    role: evaluation.role,
    resources,
    handlers,
  };
  const { contents, sources } = collected;
  return { kind: 'plan', plan, digest: planDigest(plan), positions: positionsOf(written), contents, sources };
}

function compileList(
  evaluation: EvaluationScope,
  collected: Collected,
  drafts: readonly Draft[],
  tags: readonly string[],
): PlannedResource[] {
  const planned = new Map<string, PlannedResource>();
  for (const draft of drafts) {
    const tools = new Tools(draft, collected, evaluation.files, rendererFor(draft, evaluation, collected));
    const resource = compileResource(tools, tags);
    if (resource !== undefined) planned.set(resource.id, resource);
  }
  const ordered = orderResources(
    drafts.map((draft) => ({ id: draft.id, requires: requirementsOf(draft.parameters as MetaParameters) })),
  );
  if (!ordered.ok) {
    const first = drafts.find((draft) => draft.id === ordered.circle[0]) as Draft;
    const circle = [...ordered.circle, ordered.circle[0]].join(' → ');
    collected.problems.push(resourceProblem(first, 'policy.requires-cycle', `requires itself: ${circle}`));
    return [];
  }
  // A requirement whose `when` was false is settled: the agent must not look for it.
  return ordered.ids.flatMap((id) => withoutSettled(planned.get(id), planned));
}

function withoutSettled(
  resource: PlannedResource | undefined,
  planned: ReadonlyMap<string, PlannedResource>,
): PlannedResource[] {
  if (resource === undefined) return [];
  const requires = resource.meta.requires?.filter((id) => planned.has(id));
  if (requires === undefined || requires.length === resource.meta.requires?.length) return [resource];
  const { requires: _, ...meta } = resource.meta;
  return [{ ...resource, meta: requires.length > 0 ? { ...meta, requires } : meta }];
}

function rendererFor(draft: Draft, evaluation: EvaluationScope, collected: Collected): RenderTemplate {
  return (path: string, file: PolicyFile, vars) => {
    try {
      const rendered = renderTemplate(path, file, {
        files: evaluation.files,
        scope: scopeOf(vars, evaluation),
        registered: collected.registered,
      });
      if (rendered === undefined) return undefined;
      if ('text' in rendered) return { content: storeText(collected, rendered.text) };
      const { program, context, source } = rendered;
      return { deferred: { program: storeText(collected, program), context: context as never, source } };
    } catch (error) {
      if (!(error instanceof EvaluationFailure)) throw error;
      collected.problems.push({ ...error.problem, resource: draft.id } satisfies RawProblem);
      return undefined;
    }
  };
}

/** Template variables first, then facts, host, environment, vars and role, then the role's variables. */
function scopeOf(vars: Readonly<Record<string, unknown>>, evaluation: EvaluationScope): NameScope {
  const { names, vars: variables } = evaluation;
  return {
    has: (name) => Object.hasOwn(vars, name) || Object.hasOwn(names, name) || name in variables,
    get: (name) => {
      if (Object.hasOwn(vars, name)) return vars[name];
      return Object.hasOwn(names, name) ? names[name] : (variables as Record<string, unknown>)[name];
    },
  };
}

function registeredNames(written: Written): Set<string> {
  const all = [...written.resources, ...[...written.handlers.values()].flat()];
  const names = all.map((draft) => (draft.parameters as MetaParameters | null)?.register);
  return new Set(names.filter((name) => typeof name === 'string'));
}

function positionsOf(written: Written): Map<string, RawPosition> {
  const positions = new Map<string, RawPosition>();
  for (const draft of [...written.resources, ...[...written.handlers.values()].flat()]) {
    const { position } = draft;
    if (position !== undefined && !positions.has(draft.id)) positions.set(draft.id, position);
  }
  return positions;
}
