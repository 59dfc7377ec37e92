/**
 * A line of OpenSSH that stays open: what programs over it cost is the floor.
 * Invariant: one connection, made before anything is measured, ended by `close`.
 * Never reads this account's known hosts.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, run } from '../../fleet/run.ts';
import { timed } from '../bench.ts';
import type { Target } from './ansible.ts';

export class WarmSsh {
  readonly #folder: string;
  readonly #argv: readonly string[];

  private constructor(folder: string, argv: readonly string[]) {
    this.#folder = folder;
    this.#argv = argv;
  }

  static async open(
    target: Target,
    options: { readonly user: string; readonly keyFile: string },
  ): Promise<WarmSsh> {
    const folder = mkdtempSync(join(tmpdir(), 'tlb-'));
    const argv = [
      ...['-q', '-p', String(target.port), '-i', options.keyFile, '-o', 'BatchMode=yes'],
      ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
      ...['-o', `ControlPath=${join(folder, 's')}`, `${options.user}@${target.address}`],
    ];
    await must('ssh', ['-o', 'ControlMaster=yes', '-o', 'ControlPersist=yes', ...argv, 'true']);
    return new WarmSsh(folder, argv);
  }

  /** Runs a command line on the host; milliseconds of the whole process. */
  run(line: string, input?: string | Buffer): Promise<number> {
    const options = { timeoutMs: 120_000, ...(input !== undefined && { input }) };
    return timed(() => must('ssh', [...this.#argv, line], options));
  }

  async close(): Promise<void> {
    await run('ssh', ['-O', 'exit', ...this.#argv]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
