/**
 * Adds to the lock file what npm leaves out when a registry carries no builds for other platforms: `npm ci` refuses a lock
 * that does not name every optional dependency.
 * Invariant: an entry that npm wrote is never touched; what is added never matches a platform we run on.
 * Run it after every `npm install`: `npm run lock`.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

/** Optional dependencies that some package names and the lock file has no entry for: name → entry to add. */
export function missingEntries({ packages }: LockFile): ReadonlyMap<string, LockEntry> {
  const missing = new Map<string, LockEntry>();
  for (const { optionalDependencies = {}, dev } of Object.values(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const path = `node_modules/${name}`;
      if (packages[path] === undefined)
        missing.set(path, { version, ...(dev && { dev }), ...platformOf(name) });
    }
  }
  return missing;
}

/** Such packages are named `…-<os>-<cpu>[-<libc>]`. */
function platformOf(name: string): object {
  const [os = '', cpu = '', libc = ''] = name.replace(/^.*\/[^-]*-/, '').split('-');
  const kind = libc.startsWith('musl')
    ? { libc: ['musl'] }
    : libc.startsWith('gnu')
      ? { libc: ['glibc'] }
      : {};
  return { cpu: [cpu], ...(os === 'linux' && cpu !== 'arm' && kind), optional: true, os: [os] };
}

if (import.meta.main) {
  const file = resolve(import.meta.dirname, '../package-lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8')) as LockFile;
  const entries = Object.entries({ ...lock.packages, ...Object.fromEntries(missingEntries(lock)) });
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`);
}
