/**
 * Packages with apt: looks in dpkg's database, acts in one apt-get transaction for all neighbours.
 * Invariant: apt may install what wanted packages need; it removes nothing unless a resource asked for a removal.
 * Never prompts; never waits longer for dpkg's lock than apt is told to.
 */

import { type Change, makeChange } from '../../protocol/change.ts';
import { refusal } from '../../protocol/problem-codes.ts';
import type { PackageShape } from '../../protocol/shapes/package.ts';
import type { SystemReader } from '../../system/system.ts';
import { mayCome, mayRunCommand, mayWrite } from '../pending.ts';
import type { CheckContext } from '../resource.ts';
import { type AptPolicy, aptPolicyOf } from './apt-policy.ts';
import { refreshLists, runTransaction } from './apt-transaction.ts';
import { type DpkgPackage, dpkgDatabase, findPackage, findProvider, isInstalled } from './dpkg-database.ts';
import type { PackageManager } from './manager.ts';

/** The family of Debian, Ubuntu and their kin. */
export const aptManager: PackageManager = {
  async refresh(system, wanted) {
    const { refreshAfter, state } = wanted;
    if (refreshAfter === undefined || state === 'absent') return;
    if (state === 'latest' || !(await isSatisfied(system, wanted))) await refreshLists(system, refreshAfter);
  },

  async check(system, wanted, context) {
    if (wanted.package.endsWith('-')) {
      throw refusal(
        'package.unknown',
        `${wanted.package} is not a package name: apt reads its last character as "remove"`,
      );
    }
    if (wanted.state === 'absent') return removals(wanted, await find(system, wanted));
    if (await isSatisfied(system, wanted)) return wanted.state === 'latest' ? upgrade(system, wanted) : [];
    const policy = await aptPolicyOf(system, wanted.package);
    const missing = whatIsMissing(wanted, policy);
    if (missing !== undefined && wanted.refreshAfter === undefined) {
      if (mayAddRepository(context)) return mayCome(`a source for ${missing}`);
      throw refusal('package.unknown', `no package source of this host has ${missing}`);
    }
    return [arrival(wanted, await find(system, wanted), policy)];
  },

  applyTogether: runTransaction,

  async observe(system, wanted) {
    const found = await find(system, wanted);
    return { version: found && isInstalled(found) ? found.version : null };
  },
};

async function find(system: SystemReader, wanted: PackageShape): Promise<DpkgPackage | undefined> {
  return findPackage(await dpkgDatabase(system), wanted.package);
}

/** Whether it is installed, itself or by a package that provides it, in the wanted version. */
async function isSatisfied(system: SystemReader, wanted: PackageShape): Promise<boolean> {
  const database = await dpkgDatabase(system);
  const found = findPackage(database, wanted.package);
  const { version } = wanted;
  if (found && isInstalled(found)) return version === undefined || found.version === version;
  return findProvider(database, wanted.package, version) !== undefined;
}

function removals(wanted: PackageShape, found: DpkgPackage | undefined): readonly Change[] {
  if (!found || found.status === 'not-installed') return [];
  if (found.status !== 'config-files') return [makeChange('remove', 'package', found.version)];
  return wanted.purge ? [makeChange('remove', 'configuration')] : [];
}

async function upgrade(system: SystemReader, wanted: PackageShape): Promise<readonly Change[]> {
  const found = await find(system, wanted);
  const candidate = (await aptPolicyOf(system, wanted.package))?.candidate;
  if (!found || candidate === undefined || candidate === found.version) return [];
  return [makeChange('update', 'version', found.version, candidate)];
}

function arrival(
  wanted: PackageShape,
  found: DpkgPackage | undefined,
  policy: AptPolicy | undefined,
): Change {
  const to = wanted.version ?? policy?.candidate;
  return found && isInstalled(found)
    ? makeChange('update', 'version', found.version, to)
    : makeChange('create', 'package', undefined, to);
}

/** What apt surely cannot get, as text for people; undefined when it can, or may. */
function whatIsMissing(wanted: PackageShape, policy: AptPolicy | undefined): string | undefined {
  if (!policy) return `the package ${wanted.package}`;
  const { version } = wanted;
  const isThere = version === undefined || policy.versions.length === 0 || policy.versions.includes(version);
  return isThere
    ? undefined
    : `version ${version} of ${wanted.package} (it has ${policy.versions.join(', ')})`;
}

function mayAddRepository({ pending }: CheckContext): boolean {
  if (mayRunCommand(pending) || mayWrite(pending, (path) => path.startsWith('/etc/apt'))) return true;
  return pending.some(
    (each) => each.kind === 'package' && /release|repo|apt|keyring/.test(each.wanted.package),
  );
}
