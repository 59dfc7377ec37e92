/**
 * The table of commands, in the order the help shows them; each is loaded when it is asked for.
 * Invariant: a command that is not here does not exist; its name is its key.
 * Nothing else belongs in this file.
 */

import type { Command, WholeProgram } from './command.ts';

const table: Readonly<Record<string, (program: WholeProgram) => Promise<Command>>> = {
  demo: async () => (await import('./commands/demo.ts')).demo,
  init: async () => (await import('./commands/init.ts')).init,
  validate: async () => (await import('./commands/validate.ts')).validate,
  plan: async () => (await import('./commands/plan.ts')).plan,
  check: async () => (await import('./commands/check.ts')).check,
  apply: async () => (await import('./commands/apply.ts')).apply,
  watch: async () => (await import('./commands/watch.ts')).watch,
  run: async () => (await import('./commands/run.ts')).run,
  drift: async () => (await import('./commands/drift.ts')).drift,
  status: async () => (await import('./commands/status.ts')).status,
  history: async () => (await import('./commands/history.ts')).history,
  show: async () => (await import('./commands/show.ts')).show,
  explain: async () => (await import('./commands/explain.ts')).explain,
  inventory: async () => (await import('./commands/inventory.ts')).inventory,
  facts: async () => (await import('./commands/facts.ts')).facts,
  ping: async () => (await import('./commands/ping.ts')).ping,
  hosts: async () => (await import('./commands/hosts.ts')).hosts,
  exec: async () => (await import('./commands/exec.ts')).exec,
  types: async () => (await import('./commands/types.ts')).types,
  completion: async (program) => (await import('./commands/completion.ts')).completion(program),
};

/** Every command. */
export function allCommands(program: WholeProgram): Promise<readonly Command[]> {
  return Promise.all(Object.values(table).map((load) => load(program)));
}

/** The command that is named, alone; every command where the word is none. */
export async function commandsFor(
  word: string | undefined,
  program: WholeProgram,
): Promise<readonly Command[]> {
  const load = word !== undefined && Object.hasOwn(table, word) ? table[word] : undefined;
  return load === undefined ? allCommands(program) : [await load(program)];
}
