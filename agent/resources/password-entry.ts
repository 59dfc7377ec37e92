/**
 * The password field of an account in /etc/shadow: what it is and what it must become.
 * Invariant: a hash is compared and handed on, never shown; a locked password keeps its hash.
 * Pure, but for reading the one file.
 */

import { ProblemError } from '../protocol/problem.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { UserShape } from '../protocol/shapes/account.ts';
import { readText } from '../system/read-text.ts';
import type { SystemReader } from '../system/system.ts';

const shadow = '/etc/shadow';

/** Whether the wish says anything about the password. */
export function concernsPassword({ passwordHash, locked }: UserShape): boolean {
  return (passwordHash ?? locked) !== undefined;
}

/** The account's field; undefined when it has none. Throws account.failed when the file cannot be read. */
export async function readPasswordField(system: SystemReader, user: string): Promise<string | undefined> {
  const text = await readText(system, shadow).catch((error: unknown) => {
    if (!(error instanceof ProblemError)) throw error;
    throw refusal(
      'account.no-shadow',
      `the password of ${user} cannot be compared: ${shadow} cannot be read`,
      {
        cause: error.problem,
      },
    );
  });
  const line = text.split('\n').find((entry) => entry.startsWith(`${user}:`));
  return line?.split(':')[1];
}

/** What differs, and the field that would be right. `field` is what is there now. */
export function comparePassword(
  wanted: UserShape,
  field: string,
): { readonly password: boolean; readonly locked: boolean; readonly target: string } {
  const { passwordHash } = wanted;
  if (passwordHash !== undefined && /[:\s]/.test(passwordHash)) {
    throw refusal('account.bad-hash', `the passwordHash of ${wanted.user} is not a crypt(3) hash`);
  }
  const hash = bare(passwordHash ?? field);
  const isLocked = field.startsWith('!');
  const hasPassword = !['', '*'].includes(bare(field));
  const wish = wanted.locked ?? (passwordHash?.startsWith('!') === true ? true : undefined);
  const keepsLock = isLocked && (hasPassword || passwordHash === undefined);
  const locks = wish ?? keepsLock;
  if (!locks && hash === '' && isLocked) {
    throw refusal('account.no-password', `${wanted.user} has no password that could be unlocked`);
  }
  return {
    password: passwordHash !== undefined && hash !== bare(field),
    locked: wish !== undefined && locks !== isLocked,
    target: locks ? `!${hash}` : hash,
  };
}

function bare(field: string): string {
  return field.replace(/^!+/, '');
}
