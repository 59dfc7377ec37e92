/**
 * System on a POSIX host: the reader's eyes plus hands.
 * Invariant: every method fails with a ProblemError only; what is half made when it fails is taken back.
 * Never follows a link at the path it changes; never runs a shell.
 */

import { inlineLimit } from '../protocol/blob.ts';
import { refusal } from '../protocol/problem-codes.ts';
import { resolveIds } from './accounts.ts';
import { discardDirectory } from './discard.ts';
import { errnoOf, guarded } from './errors.ts';
import { runProgram } from './exec.ts';
import { pinned, syncName } from './pinned-path.ts';
import { chmod, chown, dirname, lstat, mkdir, rmdir, symlink, unlink } from './platform.ts';
import { howEnded, lastLines } from './program-end.ts';
import { groundKey, PosixReader, stampOf } from './reader.ts';
import { removeTree } from './remove-tree.ts';
import { putInPlace, type Replacement, removeLeftovers, replaceFileSafely } from './replace-file.ts';
import type { NewContent, Ownership, ReplaceOptions, RunOptions, RunResult, System } from './system.ts';

/** Seconds a validate command may take. */
const validateTimeout = 300;

export class PosixSystem extends PosixReader implements System {
  async replaceFile(path: string, content: NewContent, options: ReplaceOptions): Promise<void> {
    await this.#change(`write ${path}`, async () => {
      const ids = await resolveIds(this, options);
      const directory = dirname(path);
      await this.once(`leftovers ${directory}`, () => removeLeftovers(directory).catch(() => {}));
      const { source, expected } = await this.#source(content);
      const replacement = {
        ...ids,
        source,
        expected,
        mode: modeOf(options.mode),
        validate: async (temporary: string) => {
          // A large one is not read again only to be looked at: its bytes were hashed on their way.
          if (expected && expected.size > inlineLimit)
            await this.once(stampOf(await lstat(temporary, { bigint: true })), async () => expected.sha256);
          if (options.validate) await this.#validate(path, temporary, options.validate);
          this.#refuseAborted(`write ${path}`);
        },
        backup: options.backup ? `${path}.${compactTime(new Date())}` : undefined,
      };
      await replaceFileSafely(path, replacement, await this.files(path));
    });
  }

  async makeDirectory(path: string, ownership: Ownership): Promise<void> {
    await this.#change(`make the directory ${path}`, async () => {
      await resolveIds(this, ownership);
      await mkdir(path, 0o700);
      try {
        await this.setOwnership(path, { ...ownership, mode: ownership.mode ?? '0755' });
      } catch (error) {
        await discardDirectory(path);
        throw error;
      }
      await syncName(path, await this.files(path));
    });
  }

  async makeLink(path: string, target: string): Promise<void> {
    // A directory may have been here, and what is below may now be anywhere.
    this.forget(groundKey);
    await this.#change(`make the link ${path}`, async () =>
      putInPlace(path, (temporary) => symlink(target, temporary), await this.files(path)),
    );
  }

  async remove(path: string, options: { readonly recursive?: boolean } = {}): Promise<void> {
    await this.#change(`remove ${path}`, async () => {
      try {
        if (!(await lstat(path)).isDirectory()) await unlink(path);
        else if (options.recursive) await removeTree(path);
        else await rmdir(path);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return;
        throw error;
      }
      await syncName(path, await this.files(path));
    });
  }

  async setOwnership(path: string, ownership: Ownership): Promise<void> {
    await this.#change(`change owner or mode of ${path}`, async () => {
      const ids = await resolveIds(this, ownership);
      await pinned(path, async ({ path: pin, stats }) => {
        if (stats.isSymbolicLink()) {
          throw refusal('file.wrong-type', `${path} is a symbolic link`);
        }
        const { uid, gid } = stats;
        const moves = (ids.uid ?? uid) !== uid || (ids.gid ?? gid) !== gid;
        if (moves) await chown(pin, ids.uid ?? -1, ids.gid ?? -1);
        // A change of owner clears the set-id bits: put back what was there unless told otherwise.
        const mode = modeOf(ownership.mode) ?? (moves ? stats.mode & 0o7777 : undefined);
        if (mode !== undefined) await chmod(pin, mode);
      });
    });
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    try {
      return await runProgram(argv, { ...options, base: this.options.base, signal: this.options.signal });
    } finally {
      this.forget(groundKey);
    }
  }

  forget(key: string): void {
    this.options.memory.delete(key);
  }

  /** A run that was ended makes no further change, even when its resource is still in the middle of several. */
  #change<T>(act: string, run: () => Promise<T>): Promise<T> {
    return guarded('write', act, async () => {
      this.#refuseAborted(act);
      return run();
    });
  }

  #refuseAborted(act: string): void {
    if (!this.options.signal?.aborted) return;
    throw refusal('agent.cancelled', `did not ${act}: the resource was ended`);
  }

  async #source(content: NewContent): Promise<Pick<Replacement, 'source' | 'expected'>> {
    if ('text' in content) return { source: [Buffer.from(content.text)] };
    if ('bytes' in content) return { source: [content.bytes] };
    return { source: await this.options.contents.open(content.content), expected: content.content };
  }

  async #validate(path: string, temporary: string, validate: readonly string[]): Promise<void> {
    const argv = validate.map((arg) => arg.split('%s').join(temporary));
    const result = await this.run(argv, { timeout: validateTimeout });
    if (result.status === 0) return;
    const how = result.timedOut ? `took over ${validateTimeout} seconds` : howEnded(result);
    const said = `${result.stdout}\n${result.stderr}`.split(temporary).join(path);
    throw refusal('file.invalid', `${validate[0]} refused the new content of ${path}: it ${how}`, {
      lines: lastLines(said),
    });
  }
}

function modeOf(mode: string | undefined): number | undefined {
  return mode === undefined ? undefined : Number.parseInt(mode, 8);
}

/** UTC time as 20261121T085853Z. */
function compactTime(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}
