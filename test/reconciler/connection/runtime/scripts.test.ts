import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { oneLine } from '../../../../reconciler/connection/runtime/one-line.ts';
import { places } from '../../../../reconciler/connection/runtime/places.ts';
import { compressions, probeScript } from '../../../../reconciler/connection/runtime/probe.ts';
import { shipScript } from '../../../../reconciler/connection/runtime/ship-script.ts';
import { systemProgram } from '../../../fleet/available.ts';

const shells = [
  ['dash', []],
  ['bash', ['--posix']],
  ['busybox', ['sh']],
] as const;

const scripts = [
  probeScript({ space: 1, symbols: ['A_1', 'B_2'] }),
  ...places.flatMap((place) =>
    compressions.flatMap((compression) =>
      [true, false].map((keep) =>
        shipScript({ place, compression, keep, size: 1, sha256: 'a'.repeat(64), word: 'w' }),
      ),
    ),
  ),
];

describe('a script on one line', () => {
  it('does what it did on several', () => {
    const script = `
      # said to nobody
      twice() {
        for word in "$@"; do
          case "$word" in
            a*) echo "$word" |
              tr a b;;
            *) if [ "$word" = x ]
              then
                echo x
              else
                echo other &&
                  echo end
              fi;;
          esac
        done
      }
      twice ab x q
    `;
    const run = (text: string): string => spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8' }).stdout;
    expect(oneLine(script)).not.toContain('\n');
    expect(run(oneLine(script))).toBe('bb\nx\nother\nend\n');
    expect(run(oneLine(script))).toBe(run(script));
  });

  it('that goes to a host is short enough for one argument, and has no line break', () => {
    for (const script of scripts) {
      expect(script.length).toBeLessThan(8000);
      expect(script).not.toMatch(/[\n\r\0]/);
    }
  });

  for (const [shell, words] of shells) {
    const path = systemProgram(shell);
    it.skipIf(path === undefined || !existsSync(path))(
      `that goes to a host is understood by ${shell}`,
      () => {
        for (const script of scripts) {
          const { status, stderr } = spawnSync(path ?? '', [...words, '-n', '-c', script], {
            encoding: 'utf8',
          });
          expect([status, stderr], script).toEqual([0, '']);
        }
      },
    );
  }
});
