/**
 * The table of commands, in the order the help shows them.
 * Invariant: a command that is not here does not exist.
 * Nothing else belongs in this file.
 */

import type { Command as Commander } from 'commander';
import type { Command } from './command.ts';
import { apply } from './commands/apply.ts';
import { check } from './commands/check.ts';
import { completion } from './commands/completion.ts';
import { demo } from './commands/demo.ts';
import { drift } from './commands/drift.ts';
import { exec } from './commands/exec.ts';
import { explain } from './commands/explain.ts';
import { facts } from './commands/facts.ts';
import { history } from './commands/history.ts';
import { hosts } from './commands/hosts.ts';
import { init } from './commands/init.ts';
import { inventory } from './commands/inventory.ts';
import { ping } from './commands/ping.ts';
import { plan } from './commands/plan.ts';
import { run } from './commands/run.ts';
import { show } from './commands/show.ts';
import { status } from './commands/status.ts';
import { types } from './commands/types.ts';
import { validate } from './commands/validate.ts';
import { watch } from './commands/watch.ts';

/** Every command. */
export function commands(program: () => Commander): readonly Command[] {
  return [
    demo,
    init,
    validate,
    plan,
    check,
    apply,
    watch,
    run,
    drift,
    status,
    history,
    show,
    explain,
    inventory,
    facts,
    ping,
    hosts,
    exec,
    types,
    completion(program),
  ];
}
