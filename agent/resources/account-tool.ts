/**
 * Runs the host's account programs: useradd, usermod, groupadd, chpasswd and their kin.
 * Invariant: a refusal is account.failed with the program's last lines; the remembered lists are dropped in any case.
 * Never puts a password or its hash into argv.
 */

import { accountsKey, groupsKey } from '../system/accounts.ts';
import type { System } from '../system/system.ts';
import { lastLines } from './last-lines.ts';
import { refusal } from './refusal.ts';

/** Runs one account program to a good end. */
export async function runAccountTool(system: System, argv: readonly string[], stdin?: string): Promise<void> {
  try {
    const { status, signal, stdout, stderr } = await system.run(argv, { stdin, env: { LC_ALL: 'C.UTF-8' } });
    if (status === 0) return;
    const end = status === null ? `was ended by ${signal}` : `ended with status ${status}`;
    throw refusal('account.failed', `${argv[0]} ${end}`, { lines: lastLines(`${stdout}\n${stderr}`) });
  } finally {
    system.forget(accountsKey);
    system.forget(groupsKey);
  }
}
