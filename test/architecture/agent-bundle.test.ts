/**
 * Holds the size of the agent as it travels, and that it brings everything it needs.
 * Invariant: the limit is bytes of the minified bundle; the number is printed on every run.
 * Never builds it otherwise than the program does.
 */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleAgent, packAgent } from '../../reconciler/connection/agent-bundle.ts';
import { root } from './source-files.ts';

const limit = 100_000;

describe('the agent bundle', () => {
  it(`has at most ${limit} bytes and needs nothing but Node`, async () => {
    const bundle = await packAgent(await bundleAgent(join(root, 'agent/main.ts')));
    process.stdout.write(`agent bundle: ${bundle.size} bytes, ${bundle.compressed.length} compressed\n`);
    expect(bundle.size).toBeGreaterThan(1000);
    expect(bundle.size).toBeLessThanOrEqual(limit);
    const required = [...bundle.code.toString().matchAll(/\brequire\("([^"]+)"\)/g)].map((match) => match[1]);
    expect(required.filter((name) => !name?.startsWith('node:'))).toEqual([]);
  });
});
