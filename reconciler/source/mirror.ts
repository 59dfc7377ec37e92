/**
 * Towline's bare mirror of one http(s) remote, inside the state directory.
 * Invariant: branches are published only when their commits are on the disk; one fetch at a time; one process per mirror.
 * Never fetches when a listing of the remote's branches shows nothing new.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs, { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import git, { type HttpClient } from 'isomorphic-git';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import { createHttpClient } from './git-http.ts';
import { attempt, plainText } from './git-problem.ts';
import type { Branch } from './git-store.ts';
import type { BranchKeeper } from './isomorphic.ts';
import { type TreeLimits, treeLimits } from './limits.ts';
import { type ProcessLock, takeProcessLock } from './process-lock.ts';

export interface MirrorOptions {
  readonly url: string;
  /** Folder for mirrors, inside the state directory. */
  readonly directory: string;
  readonly tokenFile?: string | undefined;
  /** Longest fetch; 60 s unless set. */
  readonly fetchMilliseconds?: number | undefined;
  readonly limits?: TreeLimits | undefined;
}

export interface Mirror extends BranchKeeper {
  readonly gitDirectory: string;
}

const defaultFetchMilliseconds = 60_000;
/** Each fetch leaves a pack; beyond this many the system's git, where there is one, joins them. */
const manyPacks = 50;
/** Processes that may have a mirror of the same remote: a reconciler and some short commands. */
const slots = 8;
const remoteRefs = 'refs/remotes/origin/';

/** Opens (or makes) the mirror of a remote; asks the network for nothing yet. */
export async function openMirror(options: MirrorOptions): Promise<Result<Mirror>> {
  const base = join(options.directory, createHash('sha256').update(options.url).digest('hex').slice(0, 16));
  return await flattened(
    attempt(`mirror of ${options.url}`, async () => {
      mkdirSync(base, { recursive: true, mode: 0o700 });
      const slot = takeSlot(base);
      if (slot === undefined) {
        const message = `${slots} processes already have a mirror of ${options.url} in ${options.directory}`;
        return failure(sourceProblem('source.mirror-in-use', message));
      }
      const published = await prepare(slot, options.url).catch((error: unknown) => {
        slot.lock.release();
        throw error;
      });
      return success(buildMirror(slot, published, options));
    }),
  );
}

interface Slot {
  readonly gitDirectory: string;
  /** There while a fetch writes: a mirror with this mark was left in halves and is made anew. */
  readonly mark: string;
  readonly lock: ProcessLock;
}

function takeSlot(base: string): Slot | undefined {
  for (let number = 0; number < slots; number += 1) {
    const path = join(base, String(number));
    const lock = takeProcessLock(`${path}.lock`);
    if (lock !== undefined) return { gitDirectory: `${path}.git`, mark: `${path}.fetching`, lock };
  }
  return undefined;
}

async function prepare({ gitDirectory, mark }: Slot, url: string): Promise<Map<string, string>> {
  if (existsSync(mark)) rmSync(gitDirectory, { recursive: true, force: true });
  rmSync(mark, { force: true });
  const common = { fs, gitdir: gitDirectory };
  if (!existsSync(join(gitDirectory, 'config'))) {
    await git.init({ ...common, bare: true, defaultBranch: 'main' });
    await git.addRemote({ ...common, remote: 'origin', url, force: true });
  }
  const names = await git.listBranches({ ...common, remote: 'origin' });
  const branches = names.filter((name) => name !== 'HEAD').sort();
  const ids = await Promise.all(
    branches.map((name) => git.resolveRef({ ...common, ref: remoteRefs + name })),
  );
  return new Map(branches.map((name, index) => [name, ids[index] as string]));
}

function buildMirror(slot: Slot, initial: Map<string, string>, options: MirrorOptions): Mirror {
  let published: ReadonlyMap<string, string> = initial;
  let running: Promise<Result<boolean>> | undefined;
  const fetchOnce = async (): Promise<Result<boolean>> => {
    const fetched = await attempt(`fetching ${options.url}`, () => fetchBranches(slot, published, options));
    if (!fetched.ok) return fetched;
    const changed = fetched.value !== published;
    published = fetched.value;
    return success(changed);
  };
  return {
    gitDirectory: slot.gitDirectory,
    fetch: () => {
      running ??= fetchOnce().finally(() => {
        running = undefined;
      });
      return running;
    },
    branches: async () => success([...published].map(([name, commit]): Branch => ({ name, commit }))),
    close: async () => {
      await running;
      slot.lock.release();
    },
  };
}

/** The remote's branches now: the same map when nothing changed. */
async function fetchBranches(
  slot: Slot,
  published: ReadonlyMap<string, string>,
  options: MirrorOptions,
): Promise<ReadonlyMap<string, string>> {
  const signal = AbortSignal.timeout(options.fetchMilliseconds ?? defaultFetchMilliseconds);
  const { url, tokenFile, limits = treeLimits } = options;
  const http = await createHttpClient({ url, tokenFile, signal, limits });
  const listed = await git.listServerRefs({ http, url, protocolVersion: 2, prefix: 'refs/heads/' });
  const wanted = new Map(
    listed
      .filter(({ ref }) => ref.startsWith('refs/heads/'))
      .map(({ ref, oid }): [string, string] => [ref.slice('refs/heads/'.length), oid])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  if (sameBranches(wanted, published)) return published;
  writeFileSync(slot.mark, '');
  const now = await replaceBranches(slot, published, { wanted, http, url });
  rmSync(slot.mark, { force: true });
  await joinPacks(slot.gitDirectory);
  return now;
}

interface Wanted {
  readonly wanted: ReadonlyMap<string, string>;
  readonly http: HttpClient;
  readonly url: string;
}

/**
 * isomorphic-git moves refs before it has the objects, so after a failure they are put back: the next poll must see
 * that something is new.
 */
async function replaceBranches(
  slot: Slot,
  published: ReadonlyMap<string, string>,
  { wanted, http, url }: Wanted,
): Promise<ReadonlyMap<string, string>> {
  const common = { fs, gitdir: slot.gitDirectory };
  const first = [...wanted.keys()][0];
  try {
    await writeRefs(slot.gitDirectory, new Map([...published].filter(([name]) => wanted.has(name))));
    if (first !== undefined) {
      const fetchOptions = { remote: 'origin', remoteRef: first, tags: false, singleBranch: false };
      await git.fetch({ ...common, http, url, ...fetchOptions, cache: {} });
    }
    const now = await readRefs(slot.gitDirectory, [...wanted.keys()]);
    for (const oid of new Set(now.values())) await git.readCommit({ ...common, oid, cache: {} });
    return now;
  } catch (error) {
    await writeRefs(slot.gitDirectory, published);
    rmSync(slot.mark, { force: true });
    throw error;
  }
}

/** The mirror's refs after a fetch: newer than the listing when somebody pushed in between. */
async function readRefs(
  gitDirectory: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const refs = new Map<string, string>();
  for (const name of names) {
    refs.set(name, await git.resolveRef({ fs, gitdir: gitDirectory, ref: remoteRefs + name }));
  }
  return refs;
}

/** Makes the mirror's refs exactly these; removal comes first, since a branch may become the folder of another. */
async function writeRefs(gitDirectory: string, refs: ReadonlyMap<string, string>): Promise<void> {
  const common = { fs, gitdir: gitDirectory };
  for (const name of await git.listBranches({ ...common, remote: 'origin' })) {
    if (!refs.has(name)) await git.deleteRef({ ...common, ref: remoteRefs + name });
  }
  for (const [name, value] of refs) {
    await git.writeRef({ ...common, ref: remoteRefs + name, value, force: true });
  }
}

function sameBranches(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, commit]) => b.get(name) === commit);
}

/** Housekeeping only: a mirror with many packs is slow, not wrong, so a machine without git goes without. */
async function joinPacks(gitDirectory: string): Promise<string> {
  const packs = readdirSync(join(gitDirectory, 'objects/pack')).filter((name) => name.endsWith('.pack'));
  if (packs.length <= manyPacks) return '';
  const argv = ['--git-dir', gitDirectory, 'repack', '-a', '-d', '-q', '--keep-unreachable'];
  return promisify(execFile)('git', argv, { timeout: defaultFetchMilliseconds }).then(
    () => '',
    (error: Error) => plainText(error.message),
  );
}

async function flattened<T>(result: Promise<Result<Result<T>>>): Promise<Result<T>> {
  const outer = await result;
  return outer.ok ? outer.value : outer;
}
