/**
 * Watching folders: what editors and git do reaches the listener, in batches that are whole.
 */

import { EventEmitter } from 'node:events';
import { mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { isIgnoredPath } from '../../../reconciler/source/ignored-paths.ts';
import {
  type FolderWatcher,
  startWatch,
  type Watch,
  type WatchOptions,
  watchProblem,
} from '../../../reconciler/source/watch.ts';
import type { WatchNotice } from '../../../reconciler/source/watch-batch.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

let watch: Watch | undefined;
afterEach(async () => {
  await watch?.close();
  watch = undefined;
});

interface Seen {
  readonly notices: WatchNotice[];
  /** Resolves when a notice fulfils the condition. */
  until(condition: (notice: WatchNotice) => boolean): Promise<void>;
}

async function watching(root: string, change: Partial<WatchOptions> = {}): Promise<Seen> {
  const notices: WatchNotice[] = [];
  const ignored = (path: string): boolean => isIgnoredPath(path.slice(root.length + 1));
  watch = await startWatch({ roots: [root], ignored, ...change }, (notice) => notices.push(notice));
  const until = async (condition: (notice: WatchNotice) => boolean): Promise<void> => {
    for (let wait = 0; wait < 1000; wait += 1) {
      if (notices.some(condition)) return;
      await delay(5);
    }
    throw new Error(`not seen; seen was ${JSON.stringify(notices)}`);
  };
  return { notices, until };
}

function names(path: string): (notice: WatchNotice) => boolean {
  return (notice) => notice.type === 'dirty' && (notice.paths === 'all' || notice.paths.has(path));
}

function isFullLook(notice: WatchNotice): boolean {
  return notice.type === 'dirty' && notice.paths === 'all';
}

describe('a watch', () => {
  it('names a file that is written, replaced by rename, or saved the way editors do, every time', async () => {
    const root = fresh();
    const file = join(root, 'role.ts');
    writeFileSync(file, '0');
    const seen = await watching(root);
    const saves: readonly (() => void)[] = [
      () => writeFileSync(file, 'plain'),
      () => {
        writeFileSync(`${file}.new`, 'atomic');
        renameSync(`${file}.new`, file);
      },
      () => {
        renameSync(file, `${file}~`);
        writeFileSync(file, 'editor');
        unlinkSync(`${file}~`);
      },
      () => unlinkSync(file),
    ];
    for (const save of [...saves, ...saves, ...saves]) {
      seen.notices.length = 0;
      save();
      await seen.until(names(file));
    }
  });

  it('sees files in new nested folders', async () => {
    const root = fresh();
    const seen = await watching(root);
    mkdirSync(join(root, 'roles/new/files'), { recursive: true });
    writeFileSync(join(root, 'roles/new/files/a'), 'x');
    await seen.until(
      (notice) =>
        notice.type === 'dirty' &&
        (notice.paths === 'all' || [...notice.paths].some((path) => path.startsWith(join(root, 'roles')))),
    );
    await delay(60);
    seen.notices.length = 0;
    writeFileSync(join(root, 'roles/new/files/a'), 'y');
    await seen.until(names(join(root, 'roles/new/files/a')));
  });

  it('gives one batch for several writes in a row and no word on ignored paths', async () => {
    const root = fresh();
    mkdirSync(join(root, '.git'));
    const seen = await watching(root, { quietMilliseconds: 60, longestMilliseconds: 2000 });
    for (const name of ['a', 'b', 'c']) writeFileSync(join(root, name), 'x');
    writeFileSync(join(root, '.git/index'), 'x');
    writeFileSync(join(root, '.a.swp'), 'x');
    await seen.until(names(join(root, 'a')));
    expect(seen.notices).toHaveLength(1);
    const [notice] = seen.notices;
    const paths = notice?.type === 'dirty' && notice.paths !== 'all' ? [...notice.paths].sort() : [];
    expect(paths).toEqual(['a', 'b', 'c'].map((name) => join(root, name)));
  });

  it('asks for a full look after a storm', async () => {
    const root = fresh();
    const seen = await watching(root);
    for (let index = 0; index < 200; index += 1) writeFileSync(join(root, `f${index}`), 'x');
    await seen.until(isFullLook);
  });

  it('says nothing while it is held and asks for a full look afterwards', async () => {
    const root = fresh();
    let reason: string | undefined = 'git is busy';
    const seen = await watching(root, { hold: () => reason });
    writeFileSync(join(root, 'a'), 'x');
    await delay(120);
    expect(seen.notices).toEqual([]);
    reason = undefined;
    await seen.until(isFullLook);
  });

  it('asks for a full look now and then, whether or not it saw anything', async () => {
    const seen = await watching(fresh(), { rescanMilliseconds: 20 });
    await seen.until(isFullLook);
  });

  it('polls, and says so, when the kernel gives no more watches', async () => {
    const fake = new EventEmitter() as EventEmitter & { close: () => Promise<void> };
    fake.close = async () => undefined;
    const open = (): FolderWatcher => {
      setImmediate(() => {
        fake.emit('error', Object.assign(new Error('no space'), { code: 'ENOSPC' }));
        fake.emit('error', Object.assign(new Error('no space'), { code: 'ENOSPC' }));
      });
      return fake;
    };
    const seen = await watching(fresh(), { open, pollMilliseconds: 15 });
    await seen.until(isFullLook);
    const problems = seen.notices.filter((notice) => notice.type === 'problem');
    expect(problems).toHaveLength(1);
    expect(problems[0]?.type === 'problem' ? problems[0].problem : undefined).toMatchObject({
      code: 'source.watch-limit',
      hint: expect.stringContaining('sysctl fs.inotify.max_user_watches'),
    });
  });

  it('polls a folder that is not there', async () => {
    const seen = await watching(join(fresh(), 'missing'), { pollMilliseconds: 15 });
    await seen.until(isFullLook);
    expect(seen.notices[0]).toMatchObject({ type: 'problem', problem: { code: 'source.watch-failed' } });
  });

  it('tells people of a hold that lasts', async () => {
    const root = fresh();
    const seen = await watching(root, { hold: () => 'a merge is in progress', holdMilliseconds: 1 });
    writeFileSync(join(root, 'a'), 'x');
    await seen.until((notice) => notice.type === 'problem');
    expect(seen.notices).toMatchObject([{ type: 'problem', problem: { code: 'source.repository-busy' } }]);
  });

  it('is silent after it is closed', async () => {
    const root = fresh();
    const seen = await watching(root);
    writeFileSync(join(root, 'a'), 'x');
    await watch?.close();
    seen.notices.length = 0;
    rmSync(join(root, 'a'));
    await delay(60);
    expect(seen.notices).toEqual([]);
  });
});

describe('watchProblem', () => {
  it('tells a limit from another failure', () => {
    expect(watchProblem(Object.assign(new Error('x'), { code: 'EMFILE' }), ['/a']).code).toBe(
      'source.watch-limit',
    );
    expect(watchProblem(Object.assign(new Error('x'), { code: 'EACCES' }), ['/a']).code).toBe(
      'source.watch-failed',
    );
    expect(watchProblem('odd', ['/a', '/b']).message).toBe('watching /a, /b: odd');
  });
});
