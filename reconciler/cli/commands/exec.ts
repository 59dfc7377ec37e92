/**
 * `towline exec PATTERN -- CMD`: one program on many hosts, output live.
 * Invariant: argv as given, never a shell; output of a host is prefixed with its name and escaped.
 * Not part of the policy: nothing of it is recorded as applied.
 */

import { connectionFor } from '../../../inventory/connection.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { limited } from '../../base/limited.ts';
import { cliProblem } from '../../base/problem-codes/cli.ts';
import type { SessionPool } from '../../connection/session.ts';
import { padToWidth } from '../../report/display-width.ts';
import { escapeText } from '../../report/escape.ts';
import { runtimeSentence } from '../../report/runtime-text.ts';
import { type Command, type ExitStatus, exitStatus, type Invocation } from '../command.ts';
import { type Fleet, readFleet } from '../fleet.ts';
import { jsonLine } from '../output.ts';
import { refuse } from '../refuse.ts';
import { type Workspace, withWorkspace } from '../workspace.ts';

export const exec: Command = {
  name: 'exec',
  args: '<PATTERN> <CMD...>',
  summary: 'run a program on hosts, without a shell',
  options: ['timeout', 'worktree', 'cache'],
  examples: [
    ['towline exec "web-*" -- uptime', 'on hosts by name'],
    ['towline exec @db -- systemctl status postgresql', 'on a group'],
    ["towline exec web-1 -- sh -c 'df -h | tail -1'", 'who wants a shell names it'],
  ],
  async run(invocation) {
    const { options, args } = invocation;
    const [pattern = '', ...argv] = args;
    const about = { state: 'read' as const, worktree: options.worktree };
    const ended = await withWorkspace(invocation, about, async (workspace) => {
      const seconds = Number(options.timeout ?? 60);
      if (!(seconds > 0))
        return refuse(invocation, [
          cliProblem('cli.bad-option', `--timeout ${options.timeout}: give seconds`),
        ]);
      const fleet = await readFleet(workspace, options, pattern);
      if (!fleet.ok) return refuse(invocation, fleet.problems);
      return runEverywhere(workspace, invocation, { fleet: fleet.value, argv, seconds });
    });
    return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
  },
};

/** Characters after which a line is shown although it has not ended: a host may never end it. */
const longestLine = 65_536;

interface Work {
  readonly fleet: Fleet;
  readonly argv: readonly string[];
  readonly seconds: number;
}

async function runEverywhere(workspace: Workspace, invocation: Invocation, work: Work): Promise<ExitStatus> {
  const { hosts, environment } = work.fleet;
  const width = Math.max(...hosts.map(({ name }) => name.length));
  const ends = await limited(
    hosts,
    { most: environment.parallel, signal: invocation.surroundings.interrupted },
    ({ name }) => runOn(workspace, invocation, { ...work, host: name, prefix: padToWidth(name, width) }),
  );
  if (invocation.surroundings.interrupted.aborted) return exitStatus.interrupted;
  return ends.every((end) => end === true) ? exitStatus.done : exitStatus.failure;
}

/** A program may change the host as it likes, so a host without a Node gets one for it. */
async function openShipping(
  { services, output }: Workspace,
  spec: ConnectionSpec,
  signal: AbortSignal,
): ReturnType<SessionPool['open']> {
  const stop = services.shipping?.permit(spec, (progress) => {
    const said = runtimeSentence(progress);
    if (said !== undefined) output.remark(`${progress.host}: ${escapeText(said)}`);
  });
  const opened = await services.pool.open(spec, signal);
  stop?.();
  return opened;
}

async function runOn(
  workspace: Workspace,
  invocation: Invocation,
  { fleet, argv, seconds, host, prefix }: Work & { readonly host: string; readonly prefix: string },
): Promise<boolean> {
  const { interrupted, stdout, stderr } = invocation.surroundings;
  const say = (stream: 'stdout' | 'stderr', line: string): void => {
    if (invocation.options.json) stdout.write(jsonLine({ host, stream, line }));
    else (stream === 'stdout' ? stdout : stderr).write(`${prefix}  ${escapeText(line)}\n`);
  };
  const spec = connectionFor(fleet.inventory, host, {}, workspace.services.defaults);
  const session = spec.ok ? await openShipping(workspace, spec.value, interrupted) : spec;
  if (!session.ok) {
    workspace.output.problems([session.problem]);
    return false;
  }
  const rest = { stdout: '', stderr: '' };
  const ended = await session.value.exec(
    {
      argv,
      timeout: seconds,
      onOutput: (stream, text) => {
        const lines = (rest[stream] + text).split('\n');
        if ((lines.at(-1) as string).length > longestLine) lines.push('');
        rest[stream] = lines.pop() as string;
        for (const line of lines) say(stream, line);
      },
    },
    interrupted,
  );
  for (const stream of ['stdout', 'stderr'] as const) if (rest[stream] !== '') say(stream, rest[stream]);
  if (!ended.ok) workspace.output.problems([ended.problem]);
  else if (invocation.options.json) stdout.write(jsonLine({ host, ...ended.value }));
  else if (ended.value.status !== 0)
    say('stderr', `ended with ${ended.value.signal ?? `status ${ended.value.status}`}`);
  return ended.ok && ended.value.status === 0;
}
