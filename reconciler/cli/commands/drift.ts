/**
 * `towline drift`: looks at every host, compares with what was applied, reports.
 * Invariant: corrects nothing; differences end with 2.
 * Never takes a newer revision than the one in force.
 */

import type { Command } from '../command.ts';
import { oneRun } from '../one-run.ts';

export const drift: Command = {
  name: 'drift',
  summary: 'check all hosts against what was applied to them',
  examples: [
    ['towline drift', 'report drift of every host'],
    ['towline drift --limit-groups web --json', 'one group, for a program'],
  ],
  run: (invocation) =>
    oneRun(invocation, { mode: 'drift-report', offline: false, records: false, live: true }),
};
