/**
 * `towline show RUN`: one run as it happened.
 * Invariant: what is shown is what was recorded; an unambiguous beginning of the run's id is enough.
 * Writes nothing.
 */

import { cliProblem } from '../../base/problem-codes/cli.ts';
import type { Command } from '../command.ts';
import { readState } from '../read-state.ts';
import { showView } from '../view/show.ts';

export const show: Command = {
  name: 'show',
  args: '[RUN]',
  summary: 'one run: hosts, changes, problems; the last one unless named',
  examples: [
    ['towline show', 'the last run'],
    ['towline show 20261121-0915 -v', 'a run with whole differences'],
  ],
  run(invocation) {
    const { args, options, surroundings } = invocation;
    return readState(invocation, async (store, output) => {
      const last = (await store.history.runs({ environment: options.env, limit: 1 }))[0]?.run;
      const id = args[0] ?? last;
      const found = id === undefined ? undefined : await store.history.run(id);
      if (found === undefined) return [cliProblem('cli.unknown-run', `there is no run ${id ?? 'yet'}`)];
      const { record, events } = found;
      const data = {
        run: record.run,
        startedAt: record.startedAt,
        events,
        now: surroundings.clock.now(),
        verbosity: options.verbose,
      };
      output.document(found, (style, width) => showView(data, style, width));
      return [];
    });
  },
};
