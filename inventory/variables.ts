/**
 * Variables in layers, and which layer a value in force comes from.
 * Invariant: layers go all → parent groups → child groups → host, a later one replaces a value whole; sources of one layer likewise.
 * Never merges tables into each other, never looks a place up before it is asked for.
 *
 *   [groups.all.vars]  port = 80        → layer `all`
 *   [groups.web.vars]  port = 8080      → layer `web`
 *   [hosts.web1]       port = 8081      → layer `host`: in force on web1, provenance { layer: 'host', file, line, column }
 */

import type { Json } from '../agent/protocol/json.ts';
import type { MagicName } from './magic.ts';
import type { Provenance } from './model.ts';
import type { TomlDocument } from './toml.ts';
import type { TomlPath } from './toml-positions.ts';

/** Variables that stand together in one place of one file. */
export interface Source {
  readonly document: TomlDocument;
  readonly path: TomlPath;
  /** Written as one string: every variable's place is that of `path`. */
  readonly single: boolean;
  readonly plain: Readonly<Record<string, Json>>;
  readonly magic: ReadonlyMap<MagicName, MagicEntry>;
}

export interface MagicEntry {
  readonly value: Json;
  /** The name it is written with: its own or OpsMop's. */
  readonly written: string;
}

/** One step of the precedence; sources in rising precedence. */
export interface Layer {
  readonly name: string;
  readonly sources: readonly Source[];
}

export interface Merged {
  readonly plain: Readonly<Record<string, Json>>;
  readonly magic: ReadonlyMap<MagicName, Json>;
}

export const nothingMerged: Merged = { plain: Object.freeze({}), magic: new Map() };

/** What is in force after laying sources over what was there. Gives `base` itself when they add nothing. */
export function mergeOver(base: Merged, sources: readonly Source[]): Merged {
  let { plain, magic } = base;
  for (const source of sources) {
    if (Object.keys(source.plain).length > 0) plain = { ...plain, ...source.plain };
    if (source.magic.size > 0) {
      magic = new Map([...magic, ...[...source.magic].map(([name, { value }]) => [name, value] as const)]);
    }
  }
  if (plain === base.plain && magic === base.magic) return base;
  return { plain: Object.freeze(plain), magic };
}

/** Where the value in force of a variable comes from; layers in rising precedence. */
export function provenanceIn(layers: readonly Layer[], variable: string): Provenance | undefined {
  for (const layer of layers.toReversed()) {
    const source = layer.sources.findLast((candidate) => writtenName(candidate, variable) !== undefined);
    if (source !== undefined) return { layer: layer.name, ...placeOf(source, variable) };
  }
  return undefined;
}

/** Where a source has a variable. */
export function placeOf(source: Source, variable: string): ReturnType<TomlDocument['place']> {
  const name = writtenName(source, variable) ?? variable;
  return source.document.place(source.single ? source.path : [...source.path, name]);
}

function writtenName(source: Source, variable: string): string | undefined {
  const magic = source.magic.get(variable as MagicName);
  if (magic !== undefined) return magic.written;
  return Object.hasOwn(source.plain, variable) ? variable : undefined;
}
