/**
 * A writer killed at random points: what it was told is committed is there, nothing is there in halves.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../reconciler/state/open-store.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();
const kills = 6;

function writerProgram(directory: string): string {
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  return `
    import { writeSync } from 'node:fs';
    import { openStore } from ${at('../../../reconciler/state/open-store.ts')};
    const opened = await openStore(${JSON.stringify(directory)}, { mode: 'write' });
    if (!opened.ok) throw new Error(opened.problem.message);
    const { ledger } = opened.value;
    const first = await ledger.count('e');
    for (let index = first; ; index += 1) {
      const host = 'h' + index;
      const plan = { environment: 'e', host, role: 'r', resources: [], handlers: [], note: 'x'.repeat(index % 3000) };
      const problem = { code: 'c', disposition: 'retry', message: 'm', hint: 'h' };
      const common = { host, role: 'r', digest: 'd' + index, run: 'run' };
      await ledger.recordFailed('e', { ...common, at: 't', problem });
      await ledger.recordApplied('e', { ...common, revision: 'v', appliedAt: 't', inputs: { host }, plan });
      writeSync(1, index + '\\n');
    }`;
}

/** Runs a writer, kills it a few milliseconds after its first commits, and gives the last one it told of. */
async function killedWriter(directory: string, afterMilliseconds: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', writerProgram(directory)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = -1;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (last === -1) setTimeout(() => child.kill('SIGKILL'), afterMilliseconds);
    last = Number(line);
  });
  await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  return last;
}

describe('a killed writer', () => {
  it('loses nothing it was told is committed and leaves nothing in halves', async () => {
    const directory = fresh();
    for (let kill = 0; kill < kills; kill += 1) {
      const last = await killedWriter(directory, 3 + kill * 7);
      const opened = await openStore(directory, { mode: 'write' });
      if (!opened.ok) throw new Error(opened.problem.message);
      const { ledger } = opened.value;
      const digests = (await ledger.digests('e')).get('r') ?? new Map();
      expect(digests.size).toBeGreaterThanOrEqual(last + 1);
      expect(digests.size).toBeLessThanOrEqual(last + 2);
      for (let index = 0; index < digests.size; index += 1) {
        const entry = await ledger.entry('e', `h${index}`, 'r');
        expect(entry?.inputs).toEqual({ host: `h${index}` });
        expect(digests.get(`h${index}`)).toBe(`d${index}`);
      }
      const failed = await ledger.failed('e');
      expect(failed.filter((attempt) => digests.has(attempt.host))).toEqual([]);
      await opened.value.close();
    }
  }, 60_000);
});
