import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { missingEntries } from '../../scripts/complete-lock.ts';

describe('the lock file', () => {
  it('names every optional dependency, so that npm ci takes it', () => {
    const lock = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package-lock.json'), 'utf8'));
    expect([...missingEntries(lock).keys()]).toEqual([]);
  });

  it('gets entries for other platforms that never match the one they are added on', () => {
    const packages = {
      'node_modules/tool': { dev: true, optionalDependencies: { '@tool/cli-linux-x64-musl': '1.2.3' } },
    };
    expect([...missingEntries({ packages })]).toEqual([
      [
        'node_modules/@tool/cli-linux-x64-musl',
        { version: '1.2.3', dev: true, cpu: ['x64'], libc: ['musl'], optional: true, os: ['linux'] },
      ],
    ]);
  });
});
