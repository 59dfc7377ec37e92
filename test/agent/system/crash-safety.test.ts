import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { testHost } from '../test-host.ts';

/** Fixed odd delays stand for random points: each ends the child somewhere else in its loop. */
const delays = [0, 1, 2, 3, 4, 5, 7, 9, 11, 13, 17, 21, 26, 32];

it('leaves the old or the new content, whole, wherever it is killed', { timeout: 60_000 }, async () => {
  const host = testHost();
  const path = host.path('f');
  await host.system.replaceFile(path, { text: 'A'.repeat(300_000) }, { mode: '0640' });
  for (const delay of delays) {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('./crash-child.ts', import.meta.url)), path],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, delay));
    child.kill('SIGKILL');
    await once(child, 'close');
    const text = readFileSync(path, 'utf8');
    expect(text.length).toBe(300_000);
    expect(text === 'A'.repeat(300_000) || text === 'B'.repeat(300_000)).toBe(true);
    expect(statSync(path).mode & 0o7777).toBe(0o640);
  }
  host.system.forget(`leftovers ${host.root}`);
  await host.system.replaceFile(path, { text: 'after' }, {});
  expect(readdirSync(host.root)).toEqual(['f']);
  host.remove();
});
