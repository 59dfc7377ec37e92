/**
 * What dpkg has on this host, read once per run.
 * Invariant: the status file with dpkg's not yet merged updates over it, so an interrupted dpkg is seen as it is.
 * Reads files only: a list of all packages is longer than what a query may answer.
 */

import { readText } from '../../system/read-text.ts';
import type { SystemReader } from '../../system/system.ts';

/** Key under which `once` remembers the database: forget it after a transaction. */
export const dpkgKey = 'dpkg';

const directory = '/var/lib/dpkg';
const statusLimit = 128 * 1024 * 1024;

/** One package of one architecture. */
export interface DpkgPackage {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
  /** dpkg's third status word: installed, config-files, half-configured … */
  readonly status: string;
  /** Names it stands in for, with the version it claims (empty: none). */
  readonly provides: readonly { readonly name: string; readonly version: string }[];
}

export interface DpkgDatabase {
  /** Every package and architecture with any trace on the host, by name. */
  readonly named: ReadonlyMap<string, readonly DpkgPackage[]>;
  /** Installed packages by the names they provide. */
  readonly providing: ReadonlyMap<string, readonly DpkgPackage[]>;
}

/** The database, remembered for the run. */
export function dpkgDatabase(system: SystemReader): Promise<DpkgDatabase> {
  return system.once(dpkgKey, async () => {
    const updates = (await system.list(`${directory}/updates`)).filter((name) => /^\d+$/.test(name));
    const texts: string[] = [];
    for (const name of ['status', ...updates.map((update) => `updates/${update}`)]) {
      texts.push(await readText(system, `${directory}/${name}`, statusLimit));
    }
    return parseDpkg(texts);
  });
}

/** Merges the stanzas of several texts; later ones win. */
export function parseDpkg(texts: readonly string[]): DpkgDatabase {
  const packages = new Map<string, DpkgPackage>();
  for (const stanza of texts.flatMap((text) => text.split(/\n{2,}/))) {
    const entry = parseStanza(stanza);
    if (entry) packages.set(`${entry.name}:${entry.architecture}`, entry);
  }
  const named = new Map<string, DpkgPackage[]>();
  const providing = new Map<string, DpkgPackage[]>();
  for (const entry of packages.values()) {
    add(named, entry.name, entry);
    if (isInstalled(entry)) for (const { name } of entry.provides) add(providing, name, entry);
  }
  return { named, providing };
}

/** Unpacked, configured, at most waiting for a trigger of another package. */
export function isInstalled({ status }: DpkgPackage): boolean {
  return status === 'installed' || status.startsWith('triggers-');
}

/**
 * The package a name means: `name` is dpkg's own architecture or all, `name:arch` that one, `name:any` any.
 * An installed one before a trace of one.
 */
export function findPackage(database: DpkgDatabase, wanted: string): DpkgPackage | undefined {
  const [name = '', architecture] = wanted.split(':');
  const fitting = (database.named.get(name) ?? []).filter(fits(database, architecture));
  return fitting.find(isInstalled) ?? fitting[0];
}

/** The installed package that provides a name, in that version if one is given. */
export function findProvider(
  database: DpkgDatabase,
  wanted: string,
  version?: string,
): DpkgPackage | undefined {
  const [name = '', architecture] = wanted.split(':');
  return (database.providing.get(name) ?? [])
    .filter(fits(database, architecture))
    .find(({ provides }) =>
      provides.some((each) => each.name === name && (version === undefined || each.version === version)),
    );
}

function fits(database: DpkgDatabase, architecture: string | undefined): (entry: DpkgPackage) => boolean {
  const native = database.named.get('dpkg')?.[0]?.architecture;
  const asked = architecture === undefined || architecture === 'native' ? native : architecture;
  return (entry) =>
    asked === undefined || asked === 'any' || entry.architecture === asked || entry.architecture === 'all';
}

function parseStanza(stanza: string): DpkgPackage | undefined {
  const field = (name: string): string =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(stanza)?.[1]?.trim() ?? '';
  const name = field('Package');
  if (name === '') return undefined;
  const provides = field('Provides')
    .split(',')
    .flatMap((text) => {
      const match = /^\s*([^\s(:]+)[^(]*(?:\(=\s*([^)]*)\))?/.exec(text);
      return match?.[1] === undefined ? [] : [{ name: match[1], version: match[2]?.trim() ?? '' }];
    });
  const status = field('Status').split(' ')[2] ?? '';
  return { name, architecture: field('Architecture'), version: field('Version'), status, provides };
}

function add<T>(index: Map<string, T[]>, key: string, value: T): void {
  const list = index.get(key) ?? [];
  list.push(value);
  index.set(key, list);
}
