import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs } from '../../../../reconciler/connection/runtime/choose.ts';
import { pinnedBuilds, pinnedVersion } from '../../../../reconciler/connection/runtime/pinned-builds.ts';
import { pinnedBuildsSource } from '../../../../scripts/pinned-builds-source.ts';

const root = resolve(import.meta.dirname, '../../../..');
const binary = join(root, `node_modules/${pinnedBuilds['linux-x64'].packageName}/bin/node`);

describe('the pinned builds', () => {
  it('are those of package-lock.json', () => {
    const file = join(root, 'reconciler/connection/runtime/pinned-builds.ts');
    expect(readFileSync(file, 'utf8')).toBe(pinnedBuildsSource());
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const { packageName } of Object.values(pinnedBuilds))
      expect(optionalDependencies[packageName]).toBe(pinnedVersion);
  });

  it.skipIf(!existsSync(binary))('ask of a host what is written down', () => {
    const text = readFileSync(binary, 'latin1');
    const versions = (prefix: string): string[] => [
      ...new Set(
        [...text.matchAll(new RegExp(`\\0${prefix}_([0-9.]+)(?=\\0)`, 'g'))].map(([, v]) => v ?? ''),
      ),
    ];
    const newest = (all: readonly string[]): string | undefined =>
      all.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
    expect(newest(versions('GLIBC'))).toBe(needs.glibc);
    expect(needs.symbols).toEqual([
      `GLIBCXX_${newest(versions('GLIBCXX'))}`,
      `CXXABI_${newest(versions('CXXABI'))}`,
    ]);
    expect(statSync(binary).size).toBeLessThan(needs.space);
    expect(execFileSync(binary, ['-p', 'process.version'], { encoding: 'utf8' }).trim()).toBe(
      `v${pinnedVersion}`,
    );
  });
});
