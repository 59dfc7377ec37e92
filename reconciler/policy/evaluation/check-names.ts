/**
 * Names that resources of a role use of one another: ids, requirements, handlers, registered results.
 * Invariant: whatever is left out by `when: false` still counts as declared.
 * Pure: adds to the problems it is given.
 */

import type { Draft } from '../authoring/draft.ts';
import type { Condition, MetaParameters } from '../authoring/resource.ts';
import { namesIn, parseExpression } from '../expression-parser.ts';
import { requirementsOf } from './compile-resource.ts';
import type { RawProblem } from './messages.ts';
import { didYouMean } from './nearest-name.ts';
import { resourceProblem } from './raw-problem.ts';
import type { Written } from './written.ts';

/** Checks a whole role. */
export function checkNames(written: Written, problems: RawProblem[]): void {
  const registered = new Set<string>();
  checkList(written.resources, written, registered, problems);
  for (const drafts of written.handlers.values()) checkList(drafts, written, registered, problems);
}

function checkList(
  drafts: readonly Draft[],
  { handlers }: Written,
  registered: Set<string>,
  problems: RawProblem[],
): void {
  const ids = new Map<string, Draft>();
  const all = new Set(drafts.map((draft) => draft.id));
  for (const draft of drafts) {
    const meta = draft.parameters as MetaParameters;
    const say = (code: RawProblem['code'], message: string): void => {
      problems.push(resourceProblem(draft, code, message));
    };
    if (ids.has(draft.id)) say('policy.duplicate-resource', 'is declared twice in this role');
    ids.set(draft.id, draft);
    for (const id of requirementsOf(meta)) {
      if (!all.has(id))
        say('policy.unknown-requirement', `requires ${id}, which is not in this role${didYouMean(id, all)}`);
    }
    for (const name of [meta.notify ?? []].flat()) {
      if (!handlers.has(name))
        say('policy.unknown-handler', `notifies ${JSON.stringify(name)}${didYouMean(name, handlers.keys())}`);
    }
    if (typeof meta.register === 'string') registered.add(meta.register);
    for (const [parameter, name] of namesRead(meta)) {
      const own = name === 'result' && parameter !== 'when';
      if (!own && !registered.has(name)) {
        say(
          'policy.unknown-result',
          `${parameter} reads ${name}, which nothing before it registers${didYouMean(name, registered)}`,
        );
      }
    }
  }
}

function namesRead(meta: MetaParameters): [string, string][] {
  const conditions: [string, Condition | undefined][] = [
    ['when', meta.when],
    ['changedWhen', meta.changedWhen],
    ['failedWhen', meta.failedWhen],
  ];
  return conditions.flatMap(([parameter, text]) =>
    names(text).map((name): [string, string] => [parameter, name]),
  );
}

/** Text that does not parse has its own problem already. */
function names(text: Condition | undefined): string[] {
  if (typeof text !== 'string') return [];
  try {
    return namesIn(parseExpression(text));
  } catch {
    return [];
  }
}
