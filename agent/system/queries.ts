/**
 * The closed vocabulary of questions: builds each query's argv, and refuses whatever is not one of them.
 * Invariant: no argv that passes `verifyQuery` changes a host; names never stand where an option is read.
 * Pure.
 */

import { refusal } from '../protocol/problem-codes.ts';
import type { Query } from './system.ts';

/** What is asked: the first word of the arguments. */
const verbs: Readonly<Record<Query['program'], readonly string[]>> = {
  'apt-cache': ['policy'],
  systemctl: ['show'],
  getent: ['passwd', 'group'],
};
/** Options after it: those of unitProperties. */
const allowedOption = /^--(no-pager|property=[A-Za-z,]+)$/;

/** Throws agent.internal when a query is not one of those a check may ask. */
export function verifyQuery({ program, args }: Query): void {
  const isKnown = verbs[program]?.includes(args[0] ?? '') === true;
  if (isKnown && optionsOf(args).every((arg) => program === 'systemctl' && allowedOption.test(arg))) return;
  throw refusal('agent.internal', `a check may not run ${program} ${args.join(' ').slice(0, 200)}`);
}

/** What a program would read as an option: all that begins with a dash, up to `--`. */
function optionsOf(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).filter((arg) => arg.startsWith('-'));
}

/** Installed and candidate versions by apt's view. */
export function aptPolicy(...names: readonly string[]): Query {
  return { program: 'apt-cache', args: ['policy', ...named(names)] };
}

/** Properties of one unit as `Name=value` lines. */
export function unitProperties(unit: string, ...properties: readonly string[]): Query {
  return {
    program: 'systemctl',
    args: ['show', '--no-pager', `--property=${properties.join(',')}`, ...named([unit])],
  };
}

/** Entries of a name service database: all, or those of the keys. */
export function nameService(database: 'passwd' | 'group', ...keys: readonly string[]): Query {
  return { program: 'getent', args: [database, ...named(keys)] };
}

function named(names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : ['--', ...names];
}
