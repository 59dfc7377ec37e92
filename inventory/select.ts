/**
 * Chooses hosts by fnmatch patterns on their names and groups.
 * Invariant: answers are in inventory order; `*` and `?` match any character, also dots.
 * Pure; patterns are parsed once a call.
 */

import picomatch from 'picomatch';
import type { Problem } from '../agent/protocol/problem.ts';
import type { Host, Inventory } from './model.ts';
import { inventoryProblem } from './problem-codes.ts';
import { didYouMean } from './suggest.ts';

/** What a role is for: hosts in a matching group, or with a matching name; without either, every host. */
export interface HostTargets {
  readonly groups?: readonly string[] | undefined;
  readonly hosts?: readonly string[] | undefined;
}

type Matches = (name: string) => boolean;

/** The hosts a role is for, in inventory order. An empty list matches nothing; leaving both out means all. */
export function selectHosts(inventory: Inventory, targets: HostTargets): readonly Host[] {
  const all = [...inventory.hosts.values()];
  if (targets.groups === undefined && targets.hosts === undefined) return all;
  const inGroup = anyOf(targets.groups ?? []);
  const named = anyOf(targets.hosts ?? []);
  const groups = new Set([...inventory.groups.keys()].filter(inGroup));
  return all.filter((host) => named(host.name) || host.groups.some((group) => groups.has(group)));
}

/** A problem for each pattern of a role's targets that matches no group, or no host. */
export function unmatchedTargets(inventory: Inventory, targets: HostTargets): readonly Problem[] {
  return [
    ...unmatched('group', targets.groups ?? [], inventory.groups),
    ...unmatched('host', targets.hosts ?? [], inventory.hosts),
  ];
}

/** Narrows hosts to those asked for; a host must match both lists where both are given. */
export function limitHosts(hosts: readonly Host[], limits: HostTargets): readonly Host[] {
  const { hosts: names, groups } = limits;
  const named = names === undefined ? () => true : anyOf(splitPatterns(names));
  const inGroup = groups === undefined ? () => true : anyOf(splitPatterns(groups));
  return hosts.filter((host) => named(host.name) && (groups === undefined || host.groups.some(inGroup)));
}

/** Splits `a,b*` into patterns; blanks around them do not count. */
export function splitPatterns(texts: readonly string[]): readonly string[] {
  return texts
    .flatMap((text) => text.split(','))
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '');
}

/** An fnmatch pattern as a predicate: `*`, `?`, `[abc]`, `[a-c]`, `[!abc]`; everything else is itself. */
export function matcher(pattern: string): Matches {
  if (!/[*?[]/.test(pattern)) return (name) => name === pattern;
  // Two backslashes in a row make picomatch's parser loop for ever; no name has one, nor a blank.
  const plain = pattern.replaceAll('\\', ' ').replaceAll('[!', '[^');
  const literal = plain.replace(/[(){}|+@^$]/g, (special, at: number) =>
    insideBrackets(plain, at) ? special : `\\${special}`,
  );
  const isMatch = picomatch(literal, {
    bash: true,
    dot: true,
    nobrace: true,
    noext: true,
    nonegate: true,
    posix: false,
  });
  return (name) => isMatch(name);
}

function anyOf(patterns: readonly string[]): Matches {
  const literal = new Set(patterns.filter((pattern) => !/[*?[]/.test(pattern)));
  const wild = patterns.filter((pattern) => !literal.has(pattern)).map(matcher);
  return (name) => literal.has(name) || wild.some((matches) => matches(name));
}

function insideBrackets(pattern: string, at: number): boolean {
  return pattern.lastIndexOf('[', at) > pattern.lastIndexOf(']', at) && pattern.indexOf(']', at) > at;
}

function unmatched(
  what: 'group' | 'host',
  patterns: readonly string[],
  known: ReadonlyMap<string, unknown>,
): readonly Problem[] {
  const names = [...known.keys()];
  return patterns
    .filter((pattern) => !names.some(matcher(pattern)))
    .map((pattern) => {
      const message = `no ${what} matches "${pattern}"${didYouMean(pattern, names)}`;
      return inventoryProblem('inventory.no-match', message);
    });
}
