/**
 * Events for tests: a stamp for hand-written ones, and generated ones of every type with any text in every free field.
 * Invariant: what is generated has the types the run itself would send.
 * Never random outside fast-check.
 */

import fc from 'fast-check';
import type { Change } from '../../../agent/protocol/change.ts';
import type { AgentEvent, ConvergeResult } from '../../../agent/protocol/message.ts';
import { countOutcomes, outcomes, type ResourceReport } from '../../../agent/protocol/outcome.ts';
import type { Problem } from '../../../agent/protocol/problem.ts';
import {
  type RunEvent,
  reasons,
  runModes,
  runOutcomes,
  runtimeStages,
  triggers,
} from '../../../reconciler/base/event.ts';

type Bare<E> = E extends RunEvent ? Omit<E, 'run' | 'at' | 'environment'> & Partial<E> : never;
export type BareEvent = Bare<RunEvent>;

/** An event with run, moment and environment filled in. */
export function stamped(event: BareEvent): RunEvent {
  return { run: 'r1', at: '2026-11-21T09:00:00.000Z', environment: 'production', ...event } as RunEvent;
}

const small = (text: fc.Arbitrary<string>) => fc.array(text, { maxLength: 3 });

function problems(text: fc.Arbitrary<string>): fc.Arbitrary<Problem> {
  const place = fc.record(
    { file: text, line: fc.nat(), host: text, role: text, resource: text },
    { requiredKeys: [] },
  );
  const flat = { code: text, disposition: fc.constant('retry' as const), message: text, hint: text };
  const cause = fc.record({ ...flat, lines: small(text), where: place });
  return fc.record(
    { ...flat, lines: small(text), where: place, cause },
    { requiredKeys: ['code', 'disposition', 'message', 'hint'] },
  );
}

function reports(text: fc.Arbitrary<string>): fc.Arbitrary<ResourceReport> {
  const change: fc.Arbitrary<Change> = fc.record(
    {
      action: fc.constantFrom('create', 'update', 'remove', 'run'),
      property: text,
      from: text,
      to: text,
      diff: text,
    },
    { requiredKeys: ['action', 'property'] },
  );
  return fc.record(
    {
      resource: text,
      outcome: fc.constantFrom(...outcomes),
      changes: fc.array(change, { maxLength: 3 }),
      milliseconds: fc.nat(),
      handler: text,
      reason: text,
      ignored: fc.boolean(),
      problem: problems(text),
    },
    { requiredKeys: ['resource', 'outcome', 'changes', 'milliseconds'] },
  );
}

function agentEvents(text: fc.Arbitrary<string>): fc.Arbitrary<AgentEvent> {
  return fc.oneof(
    fc.record({ event: fc.constant('started' as const), resource: text }),
    fc.record({
      event: fc.constant('output' as const),
      resource: text,
      stream: fc.constantFrom('stdout', 'stderr'),
      text,
    }),
    fc.record({
      event: fc.constant('retrying' as const),
      resource: text,
      attempt: fc.nat(),
      problem: problems(text),
    }),
    fc.record({ event: fc.constant('finished' as const), report: reports(text) }),
    fc.record({ event: fc.constant('waiting' as const), reason: text }),
  ) as fc.Arbitrary<AgentEvent>;
}

function results(text: fc.Arbitrary<string>): fc.Arbitrary<ConvergeResult> {
  const parts = fc.tuple(fc.array(reports(text), { maxLength: 4 }), fc.boolean(), fc.option(problems(text)));
  return parts.map(([list, ok, problem]) => ({
    key: 'production/web',
    digest: 'd',
    run: 'r1',
    mode: 'apply' as const,
    complete: ok,
    ok,
    outcomes: countOutcomes(list),
    reports: list,
    milliseconds: 5,
    ...(problem === null ? {} : { problem }),
  }));
}

/** Events between the start and the end of a run, with `text` in every free field. */
export function middleEvents(text: fc.Arbitrary<string>): fc.Arbitrary<RunEvent> {
  const host = text;
  const role = text;
  const pair = fc.record({ host, role, reason: fc.constantFrom(...reasons), detail: text });
  const revision = fc.record({ id: text, subject: text, author: text, branch: text });
  return fc
    .oneof(
      fc.record({ type: fc.constant('revision'), revision, changedFiles: small(text) }),
      fc.record({ type: fc.constant('problem'), problem: problems(text) }),
      fc.record({
        type: fc.constant('planned'),
        affected: fc.array(pair, { maxLength: 4 }),
        current: fc.nat(),
        hosts: fc.nat(),
        milliseconds: fc.nat(),
      }),
      fc.record({
        type: fc.constant('role-started'),
        role,
        hosts: small(host),
        wave: fc.nat(),
        waves: fc.nat(),
      }),
      fc.record({ type: fc.constant('host-connecting'), host }),
      fc.record({
        type: fc.constant('host-runtime'),
        host,
        stage: fc.constantFrom(...runtimeStages),
        version: text,
        platform: text,
        why: text,
        place: text,
        keep: fc.boolean(),
        size: fc.nat(),
        sent: fc.nat(),
      }),
      fc.record({ type: fc.constant('host-connected'), host, milliseconds: fc.nat() }),
      fc.record({ type: fc.constant('host-failed'), host, role, problem: problems(text) }),
      fc.record({ type: fc.constant('host-event'), host, role, event: agentEvents(text) }),
      fc.record({
        type: fc.constant('host-finished'),
        host,
        role,
        mode: fc.constantFrom('apply', 'check'),
        drift: fc.boolean(),
        result: results(text),
      }),
      fc.record({ type: fc.constant('released'), host, role, resources: small(text) }),
    )
    .map((event) => stamped(event as BareEvent));
}

/** Whole runs: started, anything, finished. */
export function wholeRuns(text: fc.Arbitrary<string>): fc.Arbitrary<RunEvent[]> {
  const hosts = fc.record({
    changed: small(text),
    unchanged: small(text),
    failed: small(text),
    unreachable: small(text),
    waiting: small(text),
  });
  const start = fc.record({
    type: fc.constant('run-started'),
    trigger: fc.constantFrom(...triggers),
    mode: fc.constantFrom(...runModes),
  });
  const end = fc.record({
    type: fc.constant('run-finished'),
    summary: fc.record({
      outcome: fc.constantFrom(...runOutcomes),
      resources: fc.constant(countOutcomes([])),
      hosts,
      milliseconds: fc.nat(),
      problem: problems(text),
    }),
  });
  return fc
    .tuple(start, fc.array(middleEvents(text), { maxLength: 12 }), end)
    .map(([first, middle, last]) => [stamped(first as BareEvent), ...middle, stamped(last as BareEvent)]);
}

/** Text as a hostile host would choose it. */
export const nastyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\x1b[2J',
        '\x1b]0;title\x07',
        '\x9b31m',
        '\u202e',
        '\u2066',
        '\r\n',
        '\n',
        '\t',
        '\0',
        '\x7f',
        '\ud800',
        '\ufeff',
        '界',
        '👩‍👩‍👧',
        'é',
        'a\u0301\u0301\u0301\u0301\u0301\u0301',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.string({ maxLength: 30 }),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));
