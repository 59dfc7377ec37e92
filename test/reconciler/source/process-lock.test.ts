/**
 * A lock that follows a living process, not a file.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { takeProcessLock } from '../../../reconciler/source/process-lock.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

describe('takeProcessLock', () => {
  it('is taken once and free after its release, which may come twice', () => {
    const directory = fresh();
    const file = join(directory, 'lock');
    const lock = takeProcessLock(file);
    expect(lock).toBeDefined();
    expect(takeProcessLock(file)).toBeUndefined();
    lock?.release();
    lock?.release();
    expect(existsSync(file)).toBe(false);
    takeProcessLock(file)?.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('takes over what a dead process, another with its pid, or a broken write left', () => {
    for (const left of ['4194305 17\n', `${process.pid} 1\n`, '', 'nonsense', `${process.pid}`]) {
      const directory = fresh();
      const file = join(directory, 'lock');
      writeFileSync(file, left);
      const lock = takeProcessLock(file);
      expect(lock).toBeDefined();
      expect(readdirSync(directory)).toEqual(['lock']);
      lock?.release();
    }
  });

  it('respects another living process and takes over when that is killed', async () => {
    const file = join(fresh(), 'lock');
    const module = new URL('../../../reconciler/source/process-lock.ts', import.meta.url).href;
    const program = `import { takeProcessLock } from ${JSON.stringify(module)};
      console.log(takeProcessLock(${JSON.stringify(file)}) !== undefined);
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('true\n');
    expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${child.pid} \\d+\\n$`));
    expect(takeProcessLock(file)).toBeUndefined();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = takeProcessLock(file);
    expect(lock).toBeDefined();
    lock?.release();
  });
});
