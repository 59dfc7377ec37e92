/**
 * Fact `hardware`: processors and memory.
 * Invariant: processors are those online; memory is what the kernel manages, in bytes.
 * Pure.
 */

import type { Fact, FactExample } from './fact.ts';

const online = '/sys/devices/system/cpu/online';
const memory = '/proc/meminfo';

export const hardware: Fact<'hardware'> = {
  files: [online, memory],
  parse({ files }) {
    return {
      processors: countRanges(files[online] ?? '0'),
      memoryBytes: kibibytes(files[memory], 'MemTotal') * 1024,
      swapBytes: kibibytes(files[memory], 'SwapTotal') * 1024,
    };
  },
};

export const hardwareExample: FactExample<'hardware'> = {
  observed: {
    files: {
      '/sys/devices/system/cpu/online': '0-3,6\n',
      '/proc/meminfo': 'MemTotal:        2048 kB\nMemFree: 12 kB\nSwapTotal:       0 kB\n',
    },
  },
  value: { processors: 5, memoryBytes: 2_097_152, swapBytes: 0 },
};

/** How many numbers a list such as `0-3,6` names. */
function countRanges(text: string): number {
  return text
    .trim()
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}

function kibibytes(text: string | undefined, name: string): number {
  const [, value] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text ?? '') ?? [];
  if (value === undefined) throw new Error(`${memory} does not say ${name}`);
  return Number(value);
}
