import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textDiff } from '../../../agent/resources/text-diff.ts';

const diff = (before: string, after: string) => textDiff(Buffer.from(before), Buffer.from(after));
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}\n`);

describe('textDiff', () => {
  it('shows three lines around each change and parts distant ones into hunks', () => {
    const before = numbered(30);
    const after = [...before];
    after[4] = 'changed\n';
    after.splice(20, 0, 'added\n');
    expect(diff(before.join(''), after.join(''))).toBe(
      [
        '@@ -2,7 +2,7 @@',
        ...[' line 1', ' line 2', ' line 3', '-line 4', '+changed', ' line 5', ' line 6', ' line 7'],
        '@@ -18,6 +18,7 @@',
        ...[' line 17', ' line 18', ' line 19', '+added', ' line 20', ' line 21', ' line 22'],
      ].join('\n'),
    );
  });

  it('marks a missing final newline', () => {
    expect(diff('a\n', 'a')).toBe('@@ -1,1 +1,1 @@\n-a\n+a\n\\ No newline at end of file');
  });

  it('shows new and emptied files with a zero range', () => {
    expect(diff('', 'a\n')).toBe('@@ -0,0 +1,1 @@\n+a');
    expect(diff('a\n', '')).toBe('@@ -1,1 +0,0 @@\n-a');
  });

  it('counts lines where a diff would be too long, too large or too much work', () => {
    expect(diff('', numbered(120).join(''))).toBe('content replaced, 0 to 120 lines');
    expect(diff('x\n', 'y'.repeat(70_000))).toBe('content replaced, 1 to 1 lines');
    const many = (mark: string) => Array.from({ length: 2000 }, (_, index) => `${mark}${index}\n`).join('');
    expect(diff(many('a'), many('b'))).toBe('content replaced, 2000 to 2000 lines');
  });

  it('does not print binary content', () => {
    expect(diff('a\0b', 'text')).toBe('binary content replaced, 3 to 4 bytes');
  });

  it('turns the old text into the new when it is applied', () => {
    const text = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', '\n'), { maxLength: 25 });
    fc.assert(
      fc.property(text, text, (before, after) => {
        const result = patched(before, diff(before.join(''), after.join('')));
        expect(result).toEqual(after);
      }),
      { numRuns: 300 },
    );
  });
});

function patched(before: readonly string[], text: string): string[] {
  const result: string[] = [];
  let next = 0;
  for (const line of text.split('\n').filter((_, index, all) => all.length > 1 || all[index] !== '')) {
    const [, start, count] = /^@@ -(\d+),(\d+)/.exec(line) ?? [];
    if (start !== undefined) {
      const first = Number(count) === 0 ? Number(start) : Number(start) - 1;
      result.push(...before.slice(next, first));
      next = first;
    } else if (line.startsWith('+')) result.push(`${line.slice(1)}\n`);
    else {
      expect(before[next]).toBe(`${line.slice(1)}\n`);
      if (line.startsWith(' ')) result.push(`${line.slice(1)}\n`);
      next += 1;
    }
  }
  return [...result, ...before.slice(next)];
}
