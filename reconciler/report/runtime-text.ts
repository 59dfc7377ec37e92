/**
 * What a person reads of a Node on its way to a host.
 * Invariant: before the first byte it says what is sent, how much, where to and why.
 * Pure.
 */

import type { RuntimeProgress } from '../base/event.ts';

/** A sentence for the steps that are worth a line of their own; undefined for those between. */
export function runtimeSentence(progress: RuntimeProgress): string | undefined {
  const { stage, place, keep, why } = progress;
  switch (stage) {
    case 'prepares':
      return `prepares a Node to send: ${why}`;
    case 'begins':
      return `sends ${nodeName(progress)}, ${megabytes(progress.size)}, to ${place}${keep ? '' : ' for this time only'}: ${why}`;
    case 'done':
      return `has ${nodeName(progress)} now`;
    case 'sends':
      return undefined;
    default:
      return stage satisfies never;
  }
}

const cells = 10;

/** For a line that is drawn again and again: `Node 24.21.0 ███░░░░░░░ 34 % of 36 MB`. */
export function runtimeBar(progress: RuntimeProgress): string {
  const { stage, size, sent } = progress;
  if (stage === 'prepares') return 'prepares a Node to send';
  if (stage === 'done') return 'starts the agent';
  const part = Math.min(1, sent / Math.max(1, size));
  const full = Math.floor(part * cells);
  const bar = '█'.repeat(full) + '░'.repeat(cells - full);
  return `Node ${progress.version} ${bar} ${Math.floor(part * 100)} % of ${megabytes(size)}`;
}

function nodeName({ version, platform }: RuntimeProgress): string {
  return `Node ${version} (${platform})`;
}

function megabytes(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}
