/**
 * The closed vocabulary of questions: builds each query's argv, and refuses whatever is not one of them.
 * Invariant: no argv that passes `verifyQuery` changes a host; names never stand where an option is read.
 * Pure.
 */

import { ProblemError } from '../protocol/problem.ts';
import { agentProblem } from '../protocol/problem-codes.ts';
import type { Query } from './system.ts';

/** First word of the arguments: what is asked. Empty: the program has no verbs. */
const verbs: Readonly<Record<Query['program'], readonly string[]>> = {
  'dpkg-query': ['-W', '-s', '-l', '-S'],
  'apt-cache': ['policy', 'show', 'madison'],
  systemctl: [
    'show',
    'is-enabled',
    'is-active',
    'is-failed',
    'is-system-running',
    'list-unit-files',
    'list-units',
  ],
  getent: ['passwd', 'group', 'shadow', 'hosts'],
  id: [],
};

/** Options after the verb. */
const options: Readonly<Record<Query['program'], RegExp>> = {
  'dpkg-query': /^(-f=[^\0]*|--showformat=[^\0]*)$/,
  'apt-cache': /^$/,
  systemctl: /^(-p|--property=[A-Za-z,]+|--value|--no-pager|--no-legend|--plain|--all|--type=[a-z,]+)$/,
  getent: /^$/,
  id: /^(-u|-g|-G|-n|-un|-gn|-Gn)$/,
};

/** Throws agent.internal when a query is not one of those a check may ask. */
export function verifyQuery(query: Query): void {
  const { program, args } = query;
  const known = verbs[program];
  const asks = known !== undefined && (known.length === 0 || known.includes(args[0] ?? ''));
  if (
    asks &&
    optionsOf(known.length === 0 ? args : args.slice(1)).every((arg) => options[program].test(arg))
  ) {
    return;
  }
  throw new ProblemError(
    agentProblem('agent.internal', `a check may not run ${program} ${args.join(' ').slice(0, 200)}`),
  );
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
export function nameService(database: 'passwd' | 'group' | 'shadow', ...keys: readonly string[]): Query {
  return { program: 'getent', args: [database, ...named(keys)] };
}

function named(names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : ['--', ...names];
}
