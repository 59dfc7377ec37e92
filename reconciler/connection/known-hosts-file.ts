/**
 * known_hosts files on disk: read whole, added to under a lock, by one process at a time.
 * Invariant: a file that exists but cannot be read is an error, never an empty one; a line is whole or not there.
 * Never removes or changes a line.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { judgeKey, type KnownHostLine, keyType, parseKnownHosts } from './known-hosts.ts';

/** The lines of files, in their order; a file that is missing has none. */
export async function readKnownHosts(files: readonly string[]): Promise<readonly KnownHostLine[]> {
  const lines: KnownHostLine[] = [];
  for (const file of files) lines.push(...parseKnownHosts(file, await readText(file)));
  return lines;
}

export interface NewKeys {
  /** As known_hosts names the host. */
  readonly name: string;
  readonly keys: readonly Buffer[];
  /** The name is written as a hash. */
  readonly hashed: boolean;
}

/**
 * Adds keys under a lock, and syncs the file. Keys for which `fits` finds the lines of that moment unfit are left out;
 * gives those lines and the keys that were added.
 */
export async function addKeys(
  file: string,
  { name, keys, hashed }: NewKeys,
  fits: (lines: readonly KnownHostLine[], key: Buffer) => boolean = isUnknown(name),
): Promise<{ readonly before: readonly KnownHostLine[]; readonly added: readonly Buffer[] }> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const lock = await takeLock(`${file}.towline-lock`);
  try {
    const text = await readText(file);
    const before = parseKnownHosts(file, text);
    const added = keys.filter((key) => fits(before, key));
    if (added.length === 0) return { before, added };
    const gap = text === '' || text.endsWith('\n') ? '' : '\n';
    const lines = added.map((key) => `${hashed ? hashedName(name) : name} ${lineOf(key)}\n`);
    await append(file, gap + lines.join(''));
    return { before, added };
  } finally {
    await lock.close();
    await rm(`${file}.towline-lock`, { force: true });
  }
}

function isUnknown(name: string) {
  return (lines: readonly KnownHostLine[], key: Buffer): boolean =>
    judgeKey(lines, name, key).name === 'unknown';
}

function lineOf(key: Buffer): string {
  const base64 = key.toString('base64');
  return `${keyType(base64)} ${base64}`;
}

function hashedName(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

async function append(file: string, text: string): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
  try {
    await handle.write(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const lockTries = 100;
const staleLockMilliseconds = 10_000;

async function takeLock(path: string): Promise<FileHandle> {
  for (let attempt = 0; attempt < lockTries; attempt += 1) {
    try {
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const held = await stat(path).catch(() => undefined);
    const now = performance.timeOrigin + performance.now();
    if (held !== undefined && now - held.mtimeMs > staleLockMilliseconds) await rm(path, { force: true });
    await pause(20);
  }
  throw new Error(`${path} is held by another process`);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
