/**
 * Binds declarations to the branches that exist, and finds hosts that two environments claim.
 * Invariant: names of environments are unique; what is wrong with one never stops the others.
 * Pure; branches and claims are arguments.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { didYouMean } from '../../inventory/suggest.ts';
import { settingsProblem } from '../base/problem-codes/policy-settings.ts';
import type { Environment, EnvironmentDeclaration } from './environment.ts';

/** The good ones, and beside them what is wrong with others. */
export interface BoundEnvironments {
  readonly environments: readonly Environment[];
  readonly problems: readonly Problem[];
}

/** An environment wants a host. */
export interface Claim {
  readonly environment: string;
  readonly host: string;
}

/** One environment for a fixed branch, one for each branch that a pattern matches, in the order declared. */
export function bindEnvironments(
  declarations: readonly EnvironmentDeclaration[],
  branches: readonly string[],
): BoundEnvironments {
  const sorted = [...new Set(branches)].sort();
  const bound = declarations.flatMap((declaration) => bind(declaration, sorted));
  const missing = declarations.filter((one) => !one.branch.includes('*') && !sorted.includes(one.branch));
  const unique = new Map<string, Environment>();
  const problems = missing.map((declaration) => missingBranch(declaration, sorted));
  for (const environment of bound) {
    const earlier = unique.get(environment.name);
    if (earlier === undefined) unique.set(environment.name, environment);
    else problems.push(nameClash(environment, earlier));
  }
  return { environments: [...unique.values()], problems };
}

/** A problem for each set of environments that claim the same hosts; it names them all, and the first few hosts. */
export function conflictingClaims(claims: readonly Claim[]): readonly Problem[] {
  return sharedHosts(claims).map(({ environments, hosts }) => {
    const listed = hosts.slice(0, 5).join(', ');
    const more = hosts.length > 5 ? ` and ${hosts.length - 5} more` : '';
    const who = environments.map((name) => `"${name}"`).join(' and ');
    const what = hosts.length === 1 ? `host ${listed} is` : `hosts ${listed}${more} are`;
    const where = { environment: environments[0] ?? '', host: hosts[0] ?? '' };
    return settingsProblem('settings.host-claimed-twice', `${what} claimed by the environments ${who}`, {
      where,
    });
  });
}

/** Hosts that several environments claim, by who claims them; everything sorted. */
export interface SharedHosts {
  readonly environments: readonly string[];
  readonly hosts: readonly string[];
}

/** Groups claimed-twice hosts by the set of environments that claim them. */
export function sharedHosts(claims: readonly Claim[]): readonly SharedHosts[] {
  const claimants = Map.groupBy(claims, (claim) => claim.host);
  const shared = [...claimants]
    .map(([host, by]) => ({ host, environments: [...new Set(by.map((claim) => claim.environment))].sort() }))
    .filter(({ environments }) => environments.length > 1);
  const bySet = Map.groupBy(shared, ({ environments }) => JSON.stringify(environments));
  return [...bySet]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, same]) => ({
      environments: same[0]?.environments ?? [],
      hosts: same.map(({ host }) => host).sort(),
    }));
}

function bind(declaration: EnvironmentDeclaration, branches: readonly string[]): readonly Environment[] {
  const { name, branch: pattern } = declaration;
  const star = pattern.indexOf('*');
  if (star < 0) return branches.includes(pattern) ? [declaration] : [];
  const before = pattern.slice(0, star);
  const after = pattern.slice(star + 1);
  return branches
    .filter((branch) => branch.startsWith(before) && branch.endsWith(after))
    .filter((branch) => branch.length > before.length + after.length)
    .map((branch) => {
      const part = branch.slice(star, branch.length - after.length);
      return Object.freeze({ ...declaration, name: `${name}/${part}`, branch });
    });
}

function missingBranch(declaration: EnvironmentDeclaration, branches: readonly string[]): Problem {
  const { name, branch, place } = declaration;
  const message = `environment "${name}": there is no branch "${branch}"${didYouMean(branch, branches)}`;
  return settingsProblem('settings.missing-branch', message, { where: { ...place, environment: name } });
}

function nameClash(environment: Environment, earlier: Environment): Problem {
  const { name, branch, place } = environment;
  const message = `branches "${earlier.branch}" and "${branch}" would both be the environment "${name}"`;
  return settingsProblem('settings.name-clash', message, { where: { ...place, environment: name } });
}
