/**
 * The few words every view of a run uses: its mode, its revision, why hosts are in it, counts.
 * Invariant: one meaning has one wording everywhere.
 * Pure.
 */

import type { Outcome, OutcomeCounts } from '../../agent/protocol/outcome.ts';
import type { Affected, Reason, RevisionInfo, RunMode, Trigger } from '../base/event.ts';
import { counted } from './host-list.ts';
import { type Line, type Span, toned } from './line.ts';
import type { Tone } from './style.ts';

export const triggerWords: Readonly<Record<Trigger, string>> = {
  commit: 'new commit',
  edit: 'files saved',
  drift: 'drift schedule',
  manual: 'asked for',
  start: 'start',
  retry: 'trying again',
  'host-back': 'host is back',
};

export const modeWords: Readonly<Record<RunMode, string>> = {
  apply: 'apply',
  check: 'dry run',
  'drift-report': 'drift report',
  'drift-correct': 'drift correction',
};

export const reasonWords: Readonly<Record<Reason, string>> = {
  'never-applied': 'never applied here',
  'policy-changed': 'policy changed',
  'variables-changed': 'variables changed',
  'facts-changed': 'facts changed',
  'failed-before': 'failed before',
  'drift-check': 'drift check',
  forced: 'asked for',
};

/** Whether nothing on a host is touched in this mode. */
export function isDry(mode: RunMode): boolean {
  return mode === 'check' || mode === 'drift-report';
}

/** A revision's short id: twelve characters are enough for people. */
export function shortRevision(id: string): string {
  const digits = id.replace(/^worktree:/, '');
  return /^[0-9a-f]{12,}$/.test(digits) ? digits.slice(0, 12) : id;
}

/** Environment and revision: `production 9f3c2ab1d2e4 Raise the worker count · Anna`. */
export function runTitle(environment: string, revision: RevisionInfo | undefined): Line {
  if (revision === undefined) return [toned('strong', environment)];
  const subject = revision.subject === '' ? 'working tree' : revision.subject;
  const author = revision.author === '' ? '' : ` · ${revision.author}`;
  return [
    toned('strong', environment),
    ' ',
    toned('accent', shortRevision(revision.id)),
    ` ${subject}`,
    toned('dim', author),
  ];
}

/** Why pairs are in a plan, each reason once: `policy changed: roles/web/role.ts; never applied here`. */
export function whyText(affected: readonly Affected[]): string {
  const words = new Set(
    affected.map(({ reason, detail }) =>
      detail === undefined ? reasonWords[reason] : `${reasonWords[reason]}: ${detail}`,
    ),
  );
  const all = [...words];
  return all.length <= 2
    ? all.join('; ')
    : `${all.slice(0, 2).join('; ')}; and ${all.length - 2} more reasons`;
}

const outcomeTones: readonly (readonly [Outcome, Tone])[] = [
  ['changed', 'change'],
  ['failed', 'bad'],
  ['unknown', 'unknown'],
  ['skipped', 'dim'],
  ['unchanged', 'dim'],
];

/** Counts with their colours, zeros left out, one item each. */
export function countItems(counts: OutcomeCounts, dry: boolean): Line[] {
  return outcomeTones
    .filter(([outcome]) => counts[outcome] > 0)
    .map(([outcome, tone]) => {
      const word = dry && outcome === 'changed' ? 'would change' : outcome;
      return [toned(tone, `${counts[outcome]} ${word}`)];
    });
}

/** The same on one line: `3 changed · 1 failed · 12 unchanged`. */
export function countSpans(counts: OutcomeCounts, dry: boolean): Span[] {
  return countItems(counts, dry).flatMap((item, index) =>
    index === 0 ? item : [toned('dim', ' · '), ...item],
  );
}

/** `3 changed files`, or nothing to say. */
export function filesText(files: readonly string[] | undefined): string {
  if (files === undefined || files.length === 0) return '';
  return files.length === 1 ? (files[0] ?? '') : counted(files.length, 'changed file');
}
