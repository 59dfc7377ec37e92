/**
 * `user`: one account of the host.
 * Invariant: only what is given is compared; ids and names that cannot be had are refused before anything is done.
 * Never shows a password hash: it goes to chpasswd by standard input, and no change holds it.
 */

import { type Change, flip, makeChange } from '../protocol/change.ts';
import type { Registered } from '../protocol/outcome.ts';
import type { PlannedResource } from '../protocol/plan.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { UserShape } from '../protocol/shapes/account.ts';
import { findAccount } from '../system/accounts.ts';
import type { Account, System, SystemReader } from '../system/system.ts';
import { refuseTaken, runAccountTool } from './account-tool.ts';
import { comparePassword, concernsPassword, readPasswordField } from './password-entry.ts';
import type { Resource } from './resource.ts';
import { differences, useraddArgv } from './user-difference.ts';

/** An account with its properties, or none. */
export const userResource: Resource<'user'> = {
  async check(system, wanted, context) {
    const account = await findAccount(system, wanted.user);
    if (wanted.state === 'absent') return account ? [makeChange('remove', 'user')] : [];
    await refuseConflicts(system, wanted, context.pending);
    if (!account) {
      if (concernsPassword(wanted)) comparePassword(wanted, '!');
      return [makeChange('create', 'user')];
    }
    const changes = (await accountDifferences(system, wanted, account)).map(({ change }) => change);
    if (await lacksHome(system, wanted, account)) changes.push(makeChange('create', 'home'));
    return [...changes, ...(await passwordChanges(system, wanted))];
  },

  async apply(system, wanted, changes) {
    const account = await findAccount(system, wanted.user);
    if (changes.some(({ action }) => action === 'remove')) {
      await runAccountTool(system, ['userdel', ...(wanted.removeHome ? ['-r'] : []), wanted.user]);
      return undefined;
    }
    if (!account) await create(system, wanted);
    else await modify(system, wanted, account);
    await setPassword(system, wanted);
    return undefined;
  },

  async observe(system, wanted): Promise<Registered> {
    const account = await findAccount(system, wanted.user);
    if (!account) return {};
    const { uid, gid, home, shell } = account;
    return { uid, gid, home, shell };
  },
};

async function refuseConflicts(
  system: SystemReader,
  wanted: UserShape,
  pending: readonly PlannedResource[],
): Promise<void> {
  const holder = (await system.accounts()).find(
    ({ name, uid }) => uid === wanted.uid && name !== wanted.user,
  );
  refuseTaken(holder, `user ${wanted.user}`, wanted.uid);
  const known = new Set((await system.groups()).map(({ name }) => name));
  for (const each of pending) if (each.kind === 'group') known.add(each.wanted.group);
  const named = [wanted.group ?? [], wanted.groups ?? []].flat();
  const mayCome = pending.some(({ kind }) => kind === 'package' || kind === 'command' || kind === 'user');
  const missing = mayCome ? [] : named.filter((name) => !known.has(name));
  if (missing.length > 0) {
    throw refusal(
      'account.no-group',
      `user ${wanted.user} wants groups that do not exist: ${missing.join(', ')}`,
    );
  }
}

async function accountDifferences(system: SystemReader, wanted: UserShape, account: Account) {
  const movesHome =
    wanted.createHome === true &&
    wanted.home !== undefined &&
    (await system.stat(account.home)) !== undefined &&
    !(await system.stat(wanted.home));
  return differences(wanted, account, { groups: await system.groups(), movesHome });
}

/** Whether createHome still has to make the home, which nothing of usermod does. */
async function lacksHome(system: SystemReader, wanted: UserShape, account: Account): Promise<boolean> {
  if (!wanted.createHome) return false;
  const places = [account.home, wanted.home ?? account.home];
  for (const place of places) if (await system.stat(place)) return false;
  return true;
}

async function passwordChanges(system: SystemReader, wanted: UserShape): Promise<readonly Change[]> {
  const difference = await passwordDifference(system, wanted);
  return [
    ...(difference?.password ? [makeChange('update', 'password')] : []),
    ...(difference?.locked ? [flip('locked', wanted.locked === false)] : []),
  ];
}

/** Undefined when nothing is wished of the password. */
async function passwordDifference(system: SystemReader, wanted: UserShape) {
  if (!concernsPassword(wanted)) return undefined;
  return comparePassword(wanted, (await readPasswordField(system, wanted.user)) ?? '!');
}

async function create(system: System, wanted: UserShape): Promise<void> {
  const hasOwnGroup = (await system.groups()).some(({ name }) => name === wanted.user);
  await runAccountTool(system, useraddArgv(wanted, hasOwnGroup));
}

async function modify(system: System, wanted: UserShape, account: Account): Promise<void> {
  const makesHome = await lacksHome(system, wanted, account);
  const options = (await accountDifferences(system, wanted, account)).flatMap((each) => each.options);
  if (options.length > 0) await runAccountTool(system, ['usermod', ...options, wanted.user]);
  if (makesHome) await makeHome(system, wanted.user);
}

/** As useradd -m does it: the skeleton's files, handed over when all of them are there. */
async function makeHome(system: System, user: string): Promise<void> {
  const account = await findAccount(system, user);
  if (!account) return;
  const { home, uid, gid } = account;
  await system.makeDirectory(home, { mode: '0700' });
  if (await system.stat('/etc/skel')) {
    await runAccountTool(system, ['cp', '-R', '-P', '/etc/skel/.', home]);
  }
  await system.setOwnership(home, { mode: '0700' });
  await runAccountTool(system, ['chown', '-R', '-h', `${uid}:${gid}`, home]);
}

async function setPassword(system: System, wanted: UserShape): Promise<void> {
  const difference = await passwordDifference(system, wanted);
  if (!difference?.password && !difference?.locked) return;
  await runAccountTool(system, ['chpasswd', '-e'], `${wanted.user}:${difference.target}\n`);
}
