/**
 * Opens the state for reading, does something with it, closes it.
 * Invariant: needs no lock, so it works beside a running reconciler.
 * Never writes.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { openStore } from '../state/open-store.ts';
import type { Store } from '../state/store.ts';
import { type ExitStatus, exitStatus, type Invocation } from './command.ts';
import { stateDirectory } from './location.ts';
import { createOutput, type Output } from './output.ts';
import { refuse } from './refuse.ts';

/** Runs `show`; what it returns, if anything, are problems. */
export async function readState(
  invocation: Invocation,
  show: (store: Store, output: Output) => Promise<readonly Problem[]>,
): Promise<ExitStatus> {
  const { options, surroundings } = invocation;
  const opened = await openStore(stateDirectory(options, surroundings), { mode: 'read' });
  if (!opened.ok) return refuse(invocation, [opened.problem]);
  try {
    const problems = await show(opened.value, createOutput(surroundings, options));
    return problems.length === 0 ? exitStatus.done : refuse(invocation, problems);
  } finally {
    await opened.value.close();
  }
}
