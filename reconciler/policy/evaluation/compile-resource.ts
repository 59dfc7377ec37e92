/**
 * One resource as written → one planned resource, or problems.
 * Invariant: what comes out satisfies the shape of its kind and the schema of meta parameters.
 * Never decides order or uniqueness; that is for the whole role.
 */

import { type Meta, metaSchema, type PlannedResource } from '../../../agent/protocol/plan.ts';
import { shapes } from '../../../agent/protocol/shapes/index.ts';
import { Draft } from '../authoring/draft.ts';
import type { MetaParameters } from '../authoring/resource.ts';
import { kindBuilders, type Values } from './kind-builders.ts';
import { didYouMean } from './nearest-name.ts';
import type { Tools } from './tools.ts';

const metaNames: Readonly<Record<keyof MetaParameters, true>> = {
  ...{ when: true, notify: true, register: true, changedWhen: true, failedWhen: true, ignoreErrors: true },
  ...{ retries: true, delay: true, timeout: true, tags: true, requires: true, sensitive: true },
};
const identifier = /^[A-Za-z_]\w*$/;

/** The planned form of a draft; undefined when it is left out or has problems (which went to the tools). */
export function compileResource(tools: Tools, roleTags: readonly string[]): PlannedResource | undefined {
  const { draft } = tools;
  const given = draft.parameters as Values & MetaParameters;
  if (given === null || typeof given !== 'object')
    return tools.problem('policy.bad-parameter', 'parameters must be an object');
  if (given.when === false) return undefined;
  const own: Record<string, unknown> = {};
  const builder = kindBuilders[draft.kind];
  for (const [name, value] of Object.entries(given)) {
    if (Object.hasOwn(builder.parameters, name) && value !== undefined) own[name] = value;
    else if (!Object.hasOwn(metaNames, name) && !Object.hasOwn(builder.parameters, name)) {
      const known = [...Object.keys(builder.parameters), ...Object.keys(metaNames)];
      tools.problem(
        'policy.unknown-parameter',
        `${draft.kind} has no parameter ${name}${didYouMean(name, known)}`,
      );
    }
  }
  if (typeof own.mode === 'string' && /^[0-7]{3}$/.test(own.mode)) own.mode = `0${own.mode}`;
  const wanted = withoutUndefined(builder.build(draft.name, own, tools));
  const meta = compileMeta(given, tools, roleTags);
  checkAgainst(shapes[draft.kind].safeParse(wanted), tools, draft.kind);
  checkAgainst(metaSchema.safeParse(meta), tools, draft.kind);
  return {
    id: draft.id,
    kind: draft.kind,
    wanted: plain(wanted),
    meta: plain(meta),
  } as unknown as PlannedResource;
}

/** The ids a draft requires. */
export function requirementsOf(given: MetaParameters): string[] {
  return [given.requires ?? []]
    .flat()
    .map((reference) => (typeof reference === 'string' ? reference : String(reference?.id)));
}

function compileMeta(given: MetaParameters, tools: Tools, roleTags: readonly string[]): Meta {
  const { when, notify, changedWhen, failedWhen, register, requires: _, tags, ...rest } = given;
  const condition = (name: string, value: unknown): Meta['when'] =>
    value === undefined ? undefined : tools.condition(name, value);
  if (register !== undefined && !identifier.test(String(register))) {
    tools.problem(
      'policy.bad-parameter',
      `register must be a name such as probe, not ${JSON.stringify(register)}`,
    );
  }
  const allTags = [...new Set([...roleTags, ...(tags ?? [])])];
  const requires = requirementsOf(given);
  const { ignoreErrors, retries, delay, timeout, sensitive } = rest;
  const meta: Record<string, unknown> = { register, ignoreErrors, retries, delay, timeout, sensitive };
  meta.when = when === true ? undefined : condition('when', when);
  meta.changedWhen = condition('changedWhen', changedWhen);
  meta.failedWhen = condition('failedWhen', failedWhen);
  if (notify !== undefined) meta.notify = [notify].flat();
  if (allTags.length > 0) meta.tags = allTags;
  if (requires.length > 0) meta.requires = requires;
  return withoutUndefined(meta) as Meta;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function checkAgainst(
  parsed: { readonly success: boolean; readonly error?: { readonly issues: readonly object[] } | undefined },
  tools: Tools,
  kind: string,
): void {
  for (const issue of (parsed.error?.issues ?? []) as readonly Issue[]) {
    const parameter = issue.path.map(String).join('.');
    const named = parameter === '' || !/^[a-z]/i.test(parameter) ? kind : parameter;
    tools.problem('policy.bad-parameter', `${named} ${issueText(issue)}`);
  }
}

function issueText({ message }: Issue): string {
  return message.startsWith('does not match ^\\/') ? 'must be an absolute path' : message;
}

function withoutUndefined(values: Values): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** A copy that shares nothing with role code and is plain data. */
function plain(values: Values): unknown {
  return JSON.parse(JSON.stringify(values));
}

/** Whether role code made this with a helper. */
export function isDraft(value: unknown): value is Draft {
  return value instanceof Draft;
}
