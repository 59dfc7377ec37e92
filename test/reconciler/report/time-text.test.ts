import { describe, expect, it } from 'vitest';
import { OutputLines } from '../../../reconciler/report/output-lines.ts';
import { durationText, momentText, relativeTime } from '../../../reconciler/report/time-text.ts';

describe('durationText', () => {
  it('is as precise as a person cares for', () => {
    const texts = [
      -3, 12.4, 999, 1400, 9949, 9960, 59_400, 60_000, 200_000, 3_600_000, 7_500_000, 90_000_000,
    ];
    expect(texts.map(durationText)).toEqual([
      '0 ms',
      '12 ms',
      '999 ms',
      '1.4 s',
      '9.9 s',
      '10 s',
      '59 s',
      '1 min',
      '3 min 20 s',
      '1 h',
      '2 h 5 min',
      '1 d 1 h',
    ]);
  });
});

describe('relativeTime', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');

  it('says how long ago or how long until', () => {
    const at = (seconds: number): string => relativeTime(new Date(now - seconds * 1000).toISOString(), now);
    expect([0, 40, 200, 20_000, 200_000, -200].map(at)).toEqual([
      'just now',
      '40 s ago',
      '3 min ago',
      '5 h ago',
      '2 d ago',
      'in 3 min',
    ]);
  });

  it('gives back what it cannot read', () => {
    expect(relativeTime('soon', now)).toBe('soon');
    expect(momentText('soon')).toBe('soon');
    expect(momentText('2026-11-21T12:00:00.123Z')).toBe('2026-11-21 12:00:00Z');
  });
});

describe('OutputLines', () => {
  it('puts pieces together to lines and keeps the last ones', () => {
    const lines = new OutputLines();
    expect(lines.push('a\r\nb')).toEqual(['a']);
    expect(lines.last).toEqual(['a', 'b']);
    expect(lines.flush()).toEqual(['b']);
    expect(lines.flush()).toEqual([]);
    lines.push(Array.from({ length: 30 }, (_, index) => `${index}\n`).join(''));
    expect(lines.last).toHaveLength(12);
    expect(lines.last.at(-1)).toBe('29');
  });

  it('does not collect a line without end', () => {
    const lines = new OutputLines();
    const said = lines.push('x'.repeat(10_000));
    expect(said.map(({ length }) => length)).toEqual([4096]);
    expect(lines.flush()).toEqual([]);
  });
});
