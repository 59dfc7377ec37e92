/**
 * Runs the host's account programs: useradd, usermod, groupadd, chpasswd and their kin.
 * Invariant: a refusal is account.failed with the program's last lines; the remembered lists are dropped in any case.
 * Never puts a password or its hash into argv.
 */

import { refusal } from '../protocol/problem-codes.ts';
import { accountsKey, groupsKey } from '../system/accounts.ts';
import { howEnded, lastLines } from '../system/program-end.ts';
import type { System } from '../system/system.ts';

/** Throws account.conflict when the id that somebody is to have is another's. */
export function refuseTaken(
  holder: { readonly name: string } | undefined,
  who: string,
  id: number | undefined,
): void {
  if (holder) throw refusal('account.conflict', `${who} cannot have the id ${id}: ${holder.name} has it`);
}

/** Runs one account program to a good end. */
export async function runAccountTool(system: System, argv: readonly string[], stdin?: string): Promise<void> {
  try {
    const result = await system.run(argv, { stdin, env: { LC_ALL: 'C.UTF-8' } });
    if (result.status === 0) return;
    const lines = lastLines(`${result.stdout}\n${result.stderr}`);
    throw refusal('account.failed', `${argv[0]} ${howEnded(result)}`, { lines });
  } finally {
    system.forget(accountsKey);
    system.forget(groupsKey);
  }
}
