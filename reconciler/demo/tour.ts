/**
 * The tour of the demo, step by step: a policy, three hosts, the first run, a commit that concerns two of them.
 * Invariant: what it claims of hosts is what the hosts themselves counted; it ends as soon as a run does not go well.
 * Never starts or stops anything but through its parts.
 */

import { type Line, toned } from '../report/line.ts';
import { durationText } from '../report/time-text.ts';
import type { DemoHost } from './demo-hosts.ts';
import { commitChange, tourCommit } from './demo-policy.ts';
import type { Narrator, Saying } from './narrator.ts';
import type { RunWatch, SeenRun } from './run-watch.ts';

export interface TourParts {
  readonly narrator: Narrator;
  readonly hosts: readonly DemoHost[];
  /** The policy repository and its first commit. */
  readonly policy: string;
  readonly commit: string;
  readonly runs: RunWatch;
  /** Starts the reconciler; called once. */
  readonly start: () => void;
  /** Ends the tour early. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export type TourEnd = 'done' | 'failed' | 'interrupted';

const runDeadline = 60_000;
/** More than a heartbeat, less than anything about a role. */
const heartbeatBytes = 64;

/** Takes the tour. */
export async function takeTour(parts: TourParts): Promise<TourEnd> {
  const { narrator } = parts;
  showPolicy(parts);
  await narrator.pause(1200);
  showHosts(parts);
  await narrator.pause(1500);
  const first = await firstRun(parts);
  if (first?.summary.outcome !== 'done') return endOf(parts);
  await narrator.pause(1800);
  const second = await oneCommit(parts);
  return second?.summary.outcome === 'done' ? 'done' : endOf(parts);
}

function endOf({ signal }: TourParts): TourEnd {
  return signal.aborted ? 'interrupted' : 'failed';
}

function nextRun({ runs, signal }: TourParts): Promise<SeenRun | undefined> {
  return runs.next(AbortSignal.any([signal, AbortSignal.timeout(runDeadline)]));
}

function showPolicy({ narrator, policy, commit }: TourParts): void {
  narrator.step('A policy repository, as towline init makes it', {
    data: { policy, commit },
    lines: [
      [toned('accent', policy), toned('dim', `  first commit ${commit.slice(0, 12)}`)],
      ['role base  for every host: a welcome text and a notice'],
      ['role web   for the group web: a site, its settings, a reload when they change'],
    ],
  });
}

function showHosts({ narrator, hosts }: TourParts): void {
  narrator.step('Three hosts: SSH servers on this machine, with nothing installed on them', {
    data: { hosts: hosts.map(({ name, group, port, root }) => ({ name, group, port, root })) },
    lines: hosts.map(
      ({ name, group, address, port }): Line => [
        toned('accent', name.padEnd(7)),
        `${address}:${port}`.padEnd(17),
        toned('dim', `group ${group}`),
      ],
    ),
  });
}

async function firstRun(parts: TourParts): Promise<SeenRun | undefined> {
  parts.narrator.step('The first run: the hosts have nothing yet, so every role goes to its hosts');
  parts.start();
  return nextRun(parts);
}

async function oneCommit(parts: TourParts): Promise<SeenRun | undefined> {
  const { narrator, hosts, now, policy } = parts;
  narrator.step('A commit that touches one file of one role', {
    data: { path: tourCommit.path, added: tourCommit.added, subject: tourCommit.subject },
    lines: [[tourCommit.path, '  ', toned('added', `+${tourCommit.added}`)]],
  });
  await narrator.pause(1500);
  const before = new Map(hosts.map(({ name, received }) => [name, received]));
  await commitChange(policy);
  const committedAt = now();
  const run = await nextRun(parts);
  if (run === undefined) return undefined;
  const received = hosts.map((host) => ({
    host,
    bytes: host.received - (before.get(host.name) ?? 0),
  }));
  narrator.say(reckoning(run, received, committedAt));
  return run;
}

interface Received {
  readonly host: DemoHost;
  readonly bytes: number;
}

/** Who was contacted, by the hosts' own count, and how long it took. */
function reckoning(run: SeenRun, received: readonly Received[], committedAt: number): Saying {
  const total = run.endedAt - committedAt;
  const noticed = Math.max(0, run.noticedAt - committedAt);
  const planned = run.plannedAt - run.noticedAt;
  return {
    data: {
      run: run.run,
      milliseconds: total,
      noticedMilliseconds: noticed,
      plannedMilliseconds: planned,
      contacted: [...run.contacted],
      received: Object.fromEntries(received.map(({ host, bytes }) => [host.name, bytes])),
    },
    lines: [
      ...received.map((each) => receivedLine(each, run.contacted)),
      [],
      [toned('strong', `${durationText(total)} from the commit to the last host done`)],
      [
        toned(
          'dim',
          `noticed after ${durationText(noticed)}, planned in ${durationText(planned)}, then one host, then the next`,
        ),
      ],
    ],
  };
}

function receivedLine({ host, bytes }: Received, contacted: ReadonlySet<string>): Line {
  const name = toned('accent', host.name.padEnd(7));
  const count = `${bytes} bytes received`.padEnd(23);
  if (contacted.has(host.name)) return [name, count, toned('change', 'brought up to date')];
  const heartbeat = bytes > 0 && bytes < heartbeatBytes ? ', a heartbeat' : '';
  return [name, count, toned('dim', `not concerned, not contacted${heartbeat}`)];
}
