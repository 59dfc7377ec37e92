/**
 * The identity of the program that evaluates roles: another one may make another plan of the same role.
 * Invariant: changes with every file that takes part in an evaluation and with the Node that runs it.
 * Reads its own program only.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** SHA-256, in hex, of the evaluating program. */
export function evaluatorFingerprint(): string {
  const digest = createHash('sha256').update(process.version);
  for (const file of programFiles()) digest.update(readFileSync(file));
  return digest.digest('hex');
}

/** In a release the worker's bundle, beside the packages it names; else every source file that may take part. */
function programFiles(): string[] {
  const here = fileURLToPath(new URL('.', import.meta.url));
  if (!import.meta.url.endsWith('.ts'))
    return [join(here, 'policy-worker.js'), join(here, '../package.json')];
  const root = join(here, '../..');
  const folders = ['reconciler/policy', 'reconciler/plan', 'agent/protocol'];
  const sources = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort()
      .map((name) => join(root, folder, name)),
  );
  return [...sources, join(root, 'package.json')];
}
