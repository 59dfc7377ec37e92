/**
 * A directory for one test file, gone afterwards.
 * Invariant: removed even when a test fails.
 * Never shared between files.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Gives a function that makes fresh directories, all removed after the file's tests. */
export function temporaryDirectories(): () => string {
  const root = mkdtempSync(join(tmpdir(), 'towline-test-'));
  let count = 0;
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return () => {
    count += 1;
    return mkdtempSync(join(root, `${count}-`));
  };
}
