/**
 * OpenSSH's configuration files as statements: Includes followed, each with the Host and Match lines it stands under.
 * Invariant: bounded in files, depth and size; a scan knows every file, folder and pattern it came from, so that a change is noticed.
 * Never evaluates a Match: what stands under one applies perhaps.
 */

import { glob, readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { wildcardMatches } from './known-hosts.ts';

/** The files that OpenSSH would read, the user's first. */
export interface ConfigFiles {
  readonly home: string;
  readonly user: string;
  readonly system: string | undefined;
}

/** The patterns of a Host line; `match` stands for a Match that only ssh can decide. */
export type Condition = readonly string[] | 'match';

export interface Statement {
  /** In lower case. */
  readonly keyword: string;
  readonly args: readonly string[];
  readonly conditions: readonly Condition[];
}

export interface ConfigScan {
  readonly statements: readonly Statement[];
  /** Files it came from and folders in which it looked for some, as they were. */
  readonly stamps: ReadonlyMap<string, string>;
  /** What was found for patterns that no single folder answers. */
  readonly patterns: ReadonlyMap<string, readonly string[]>;
}

const wild = /[*?[]/;
/** The stamp of what changed just now: it equals none. */
const fresh = 'fresh';
const freshMilliseconds = 20;
const mostFiles = 1000;
const mostDepth = 16;
const mostBytes = 4_000_000;

/** Reads the configuration as it is now. A file that cannot be read is left out, as OpenSSH does. */
export async function scanConfig(files: ConfigFiles): Promise<ConfigScan> {
  const scanner = new Scanner(files.home);
  await scanner.read(files.user, { folder: dirname(files.user), conditions: [], depth: 0 });
  if (files.system !== undefined)
    await scanner.read(files.system, { folder: dirname(files.system), conditions: [], depth: 0 });
  return scanner;
}

/** Whether nothing that a scan came from has changed since. All looks at once: every run asks before it uses an open line. */
export async function isCurrent(scan: ConfigScan): Promise<boolean> {
  const same = await Promise.all([
    ...[...scan.stamps].map(async ([path, stamp]) => stamp !== fresh && (await look(path)).stamp === stamp),
    ...[...scan.patterns].map(
      async ([pattern, found]) => (await expandPattern(pattern)).join('\n') === found.join('\n'),
    ),
  ]);
  return same.every(Boolean);
}

/** Whether a statement applies to a host that was named so. */
export function applies(statement: Statement, name: string): 'yes' | 'no' | 'perhaps' {
  let answer: 'yes' | 'perhaps' = 'yes';
  for (const condition of statement.conditions) {
    if (condition === 'match') answer = 'perhaps';
    else if (!patternsMatch(condition, name)) return 'no';
  }
  return answer;
}

/** Whether a statement holds for every host. */
export function isUniversal(statement: Statement): boolean {
  return statement.conditions.every((condition) => condition !== 'match' && condition.join(' ') === '*');
}

function patternsMatch(patterns: readonly string[], name: string): boolean {
  const matches = (pattern: string): boolean => wildcardMatches(pattern, name);
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern));
}

interface Standing {
  /** Where relative Includes are. */
  readonly folder: string;
  readonly conditions: readonly Condition[];
  readonly depth: number;
}

class Scanner implements ConfigScan {
  readonly statements: Statement[] = [];
  readonly stamps = new Map<string, string>();
  readonly patterns = new Map<string, readonly string[]>();
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  async read(path: string, standing: Standing): Promise<void> {
    if (this.stamps.size >= mostFiles || standing.depth > mostDepth) return;
    const { stamp, isFile } = await look(path);
    this.stamps.set(path, stamp);
    if (!isFile) return;
    const text = await readFile(path, 'utf8').catch(() => '');
    let conditions = standing.conditions;
    for (const line of text.slice(0, mostBytes).split('\n')) {
      const [keyword, ...args] = words(line);
      if (keyword === undefined) continue;
      const word = keyword.toLowerCase();
      if (word === 'host') conditions = [...standing.conditions, args];
      else if (word === 'match') conditions = [...standing.conditions, ...matchCondition(args)];
      else if (word === 'include') await this.#include(args, { ...standing, conditions });
      else this.statements.push({ keyword: word, args, conditions });
    }
  }

  async #include(args: readonly string[], standing: Standing): Promise<void> {
    for (const arg of args) {
      // A path with variables is for ssh to resolve; something may stand there.
      if (/[%$]/.test(arg)) {
        this.statements.push({ keyword: 'include', args: [arg], conditions: ['match'] });
        continue;
      }
      const home = arg.startsWith('~/') ? join(this.#home, arg.slice(2)) : arg;
      const pattern = isAbsolute(home) ? home : join(standing.folder, home);
      const found = await this.#expand(pattern);
      for (const path of found) await this.read(path, { ...standing, depth: standing.depth + 1 });
    }
  }

  /** The files a pattern names. Where they are all in one folder, its stamp says whether there are others by now. */
  async #expand(pattern: string): Promise<readonly string[]> {
    if (!wild.test(pattern)) return [pattern];
    const folder = dirname(pattern);
    const isOneFolder = !wild.test(folder);
    if (isOneFolder) this.stamps.set(folder, (await look(folder)).stamp);
    const found = await expandPattern(pattern);
    if (!isOneFolder) this.patterns.set(pattern, found);
    return found;
  }
}

function matchCondition(args: readonly string[]): readonly Condition[] {
  return args.length === 1 && args[0]?.toLowerCase() === 'all' ? [] : ['match'];
}

/** A line's keyword and arguments: quotes as in ssh_config, one `=` may follow the keyword. */
function words(line: string): readonly string[] {
  const trimmed = line.trim();
  if (trimmed === '' || trimmed.startsWith('#')) return [];
  const [, keyword, rest] = /^"?([A-Za-z]+)"?\s*=?\s*(.*)$/.exec(trimmed) ?? [];
  return keyword === undefined ? [] : [keyword, ...splitArguments(rest ?? '')];
}

function splitArguments(text: string): readonly string[] {
  const found: string[] = [];
  for (const [piece] of text.matchAll(/(?:"(?:\\.|[^"])*"?|'(?:\\.|[^'])*'?|\\.|[^\s"'])+/g)) {
    if (piece.startsWith('#')) break;
    found.push(piece.replace(/\\(["'\\ ])|["']/g, '$1'));
  }
  return found;
}

async function expandPattern(pattern: string): Promise<readonly string[]> {
  const showsHidden = basename(pattern).startsWith('.');
  const found: string[] = [];
  for await (const path of glob(pattern)) {
    if (showsHidden || !basename(path).startsWith('.')) found.push(path);
    if (found.length >= mostFiles) break;
  }
  return found.sort();
}

/** The stamp tells one state of a file, or of a folder's names, from another. */
async function look(path: string): Promise<{ readonly stamp: string; readonly isFile: boolean }> {
  const seen = await stat(path).catch(() => undefined);
  if (seen === undefined) return { stamp: 'none', isFile: false };
  const { mtimeMs, size, ino } = seen;
  // Another change within a tick of the kernel's clock would look the same.
  const isFresh = Math.abs(Date.now() - mtimeMs) < freshMilliseconds;
  return { stamp: isFresh ? fresh : `${mtimeMs} ${size} ${ino}`, isFile: seen.isFile() };
}
