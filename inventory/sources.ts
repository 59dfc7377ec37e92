/**
 * Reads variables and hosts tables out of checked TOML: what is written becomes Sources.
 * Invariant: every name, range and magic value has been checked; a range's hosts share one Source.
 * Never merges, never shows a value of a secret.
 */

import type { Json, JsonObject } from '../agent/protocol/json.ts';
import type { Problem } from '../agent/protocol/problem.ts';
import { parseHostString } from './host-string.ts';
import { checkMagic, isMagic, type MagicName, magicNamed } from './magic.ts';
import { expandRanges, isName } from './names.ts';
import { type InventoryProblemCode, inventoryProblem } from './problem-codes.ts';
import { isTable } from './schema.ts';
import { pathText } from './schema-problems.ts';
import type { TomlDocument } from './toml.ts';
import type { TomlPath } from './toml-positions.ts';
import type { MagicEntry, Source } from './variables.ts';

/** One entry of a hosts table: the hosts it names and what it says of them. */
export interface HostEntry {
  readonly names: readonly string[];
  readonly sources: readonly Source[];
}

/** Reads places of one file, collecting the problems it meets. */
export class SourceReader {
  private readonly document: TomlDocument;
  private readonly problems: Problem[];

  constructor(document: TomlDocument, problems: Problem[]) {
    this.document = document;
    this.problems = problems;
  }

  /** A table of variables as a Source. */
  variables(path: TomlPath, table: JsonObject): Source {
    return this.source(
      path,
      Object.entries(table).map(([name, value]) => ({ name, value, text: value })),
      false,
    );
  }

  /** A hosts table, or a list of names, entry by entry. */
  hosts(path: TomlPath, hosts: unknown): readonly HostEntry[] {
    if (hosts === undefined) return [];
    if (Array.isArray(hosts)) return hosts.flatMap((name, index) => this.listed([...path, index], name));
    if (isTable(hosts)) {
      return Object.entries(hosts).flatMap(([key, value]) => this.entry([...path, key], key, value));
    }
    const wanted = 'must be a table of hosts or a list of host names';
    return this.refuse('inventory.bad-type', path, `${pathText(path)} ${wanted}`);
  }

  private listed(path: TomlPath, name: unknown): readonly HostEntry[] {
    if (typeof name !== 'string') {
      return this.refuse('inventory.bad-type', path, `${pathText(path)} must be the name of a host`);
    }
    return this.named(path, name, () => []);
  }

  private entry(path: TomlPath, key: string, value: Json): readonly HostEntry[] {
    if (typeof value === 'string') return this.unlessDotted(path, key, () => this.fromString(path, value));
    if (isTable(value)) return this.unlessDotted(path, key, () => this.fromTable(path, value), value);
    const wanted = 'must be a table of variables or a string such as "a=1 b=2"';
    return this.refuse('inventory.bad-type', path, `${pathText(path)} ${wanted}`);
  }

  private unlessDotted(
    path: TomlPath,
    key: string,
    read: () => readonly Source[],
    table: JsonObject = {},
  ): readonly HostEntry[] {
    const written = this.document.written(path);
    const below = Object.keys(table).filter((name) => name !== 'vars');
    if (written === 'dotted' || (written === 'header-only' && below.length > 0)) {
      const whole = pathText([...path.slice(-1), Object.keys(table)[0] ?? '']);
      const message = `${whole}: an unquoted dot makes this variables of a host "${key}", not a host`;
      return this.refuse('inventory.unquoted-dot', path, message);
    }
    return this.named(path, key, read);
  }

  private named(path: TomlPath, key: string, read: () => readonly Source[]): readonly HostEntry[] {
    const expansion = expandRanges(key);
    if (!expansion.ok) {
      return this.refuse('inventory.bad-range', path, `host "${key}": ${expansion.reason}`);
    }
    const wrong = expansion.names.find((name) => !isName(name));
    if (wrong !== undefined) {
      return this.refuse('inventory.bad-name', path, `${JSON.stringify(wrong)} is not a possible host name`);
    }
    return [{ names: expansion.names, sources: read() }];
  }

  private fromString(path: TomlPath, text: string): readonly Source[] {
    const parsed = parseHostString(text);
    if (parsed.ok) return [this.source(path, parsed.assignments, true)];
    return this.refuse('inventory.bad-host-string', path, `host "${path.at(-1)}": ${parsed.reason}`);
  }

  private fromTable(path: TomlPath, table: JsonObject): readonly Source[] {
    const { vars, ...own } = table;
    if (vars === undefined) return [this.variables(path, own)];
    const inner = [...path, 'vars'];
    if (!isTable(vars)) {
      const message = `${pathText(inner)} must be a table of variables: "vars" is no variable's name`;
      return this.refuse('inventory.bad-type', inner, message);
    }
    return [this.variables(path, own), this.variables(inner, vars)];
  }

  private source(
    path: TomlPath,
    written: readonly { readonly name: string; readonly value: Json; readonly text: Json }[],
    single: boolean,
  ): Source {
    const plain: Record<string, Json> = {};
    const magic = new Map<MagicName, MagicEntry>();
    for (const { name, value, text } of written) {
      if (!isMagic(name)) plain[name] = value;
      else this.magic(single ? path : [...path, name], name, text, magic);
    }
    return { document: this.document, path, single, plain, magic };
  }

  private magic(path: TomlPath, name: string, value: Json, magic: Map<MagicName, MagicEntry>): void {
    const named = magicNamed(name);
    if ('unknown' in named) {
      this.refuse('inventory.unknown-magic', path, `there is no setting "${name}"${named.unknown}`);
      return;
    }
    if (named.name === undefined) return;
    const earlier = magic.get(named.name);
    if (earlier !== undefined) {
      this.refuse('inventory.magic-twice', path, `"${name}" is the same setting as "${earlier.written}"`);
      return;
    }
    const checked = checkMagic(named.name, value);
    if (checked.kind === 'value') magic.set(named.name, { value: checked.value, written: name });
    else this.refuse('inventory.bad-magic', path, `${name} must be ${checked.wanted}`);
  }

  private refuse(code: InventoryProblemCode, path: TomlPath, message: string): readonly [] {
    this.problems.push(inventoryProblem(code, message, { where: this.document.place(path) }));
    return [];
  }
}
