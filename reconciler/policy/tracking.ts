/**
 * Data that remembers what was read of it.
 * Invariant: two evaluations that read equal values at the recorded paths, in this order, cannot differ.
 * Lists are one value; objects are read member by member, and that a member is an object is itself a read.
 */

import type { Json } from '../../agent/protocol/json.ts';

/** Stands for "there is an object here" among values read. */
export const objectMark = '{}';

/** What was read: a root's name and the steps below it; `keys` when the names of the members were. */
export interface Read {
  readonly root: Root;
  readonly steps: readonly string[];
  readonly keys: boolean;
  readonly value: ReadValue;
}

export const roots = ['variables', 'facts', 'host', 'environment', 'file', 'tree'] as const;
export type Root = (typeof roots)[number];

/** A primitive as it is; text of a list, of an object's keys, or the object mark, each told apart by `form`. */
export type ReadValue =
  | { readonly form: 'plain'; readonly value: null | boolean | number | string | undefined }
  | { readonly form: 'list' | 'keys'; readonly value: string }
  | { readonly form: 'object'; readonly value: typeof objectMark };

/** What a value is to a comparison of reads. */
export function readValue(value: Json | undefined): ReadValue {
  if (value === null || typeof value !== 'object') return { form: 'plain', value };
  if (Array.isArray(value)) return { form: 'list', value: listText(value) };
  return { form: 'object', value: objectMark };
}

const listTexts = new WeakMap<object, string>();

/** Text of a list, kept as long as the list lives; sensitive to order, as code that reads it is. */
export function listText(list: readonly Json[]): string {
  let text = listTexts.get(list);
  if (text === undefined) {
    text = JSON.stringify(list);
    listTexts.set(list, text);
  }
  return text;
}

/** The names of an object's members, as they are shown to role code: sorted. */
export function keysText(value: object): string {
  return JSON.stringify(Object.keys(value).sort());
}

/** Collects reads, each path once, in the order of their first time. */
export class ReadLog {
  readonly reads: Read[] = [];
  readonly #seen = new Set<string>();

  /** Records one read. */
  add(root: Root, steps: readonly string[], value: ReadValue): void {
    const keys = value.form === 'keys';
    const key = `${root}\0${steps.join('\0')}${keys ? '\0\0' : ''}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.reads.push({ root, steps, keys, value });
  }
}

type Members = Readonly<Record<string, Json>>;

/** An object as role code may see it: reading is recorded, writing is refused. */
export function tracked(log: ReadLog, root: Root, value: Members, steps: readonly string[] = []): object {
  const children = new Map<string, object>();
  const read = (key: string): unknown => {
    const member = Object.hasOwn(value, key) ? value[key] : undefined;
    const path = [...steps, key];
    log.add(root, path, readValue(member));
    if (member === null || typeof member !== 'object') return member;
    if (Array.isArray(member)) return deepFrozen(member);
    let child = children.get(key);
    if (child === undefined) {
      child = tracked(log, root, member as Members, path);
      children.set(key, child);
    }
    return child;
  };
  return new Proxy(Object.create(null) as object, {
    get: (_, key) => (typeof key === 'symbol' ? undefined : read(key)),
    has: (_, key) => typeof key === 'string' && read(key) !== undefined,
    ownKeys: () => {
      log.add(root, steps, { form: 'keys', value: keysText(value) });
      return Object.keys(value).sort();
    },
    getOwnPropertyDescriptor: (_, key) => {
      if (typeof key === 'symbol') return undefined;
      const member = read(key);
      return member === undefined ? undefined : { value: member, enumerable: true, configurable: true };
    },
    set: (_, key) => refuse(root, key),
    defineProperty: (_, key) => refuse(root, key),
    deleteProperty: (_, key) => refuse(root, key),
  });
}

function refuse(root: Root, key: string | symbol): never {
  throw new TypeError(`${root} are read-only: ${String(key)} cannot be set`);
}

/** Freezes plain data all the way down. */
export function deepFrozen<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFrozen(member);
  return Object.freeze(value);
}

/** A read as `inputs` of an evaluation names it. */
export function readName(read: Read): string {
  if (read.root === 'file' || read.root === 'tree') return `${read.root}:${read.steps.join('/')}`;
  const path = [read.root, ...read.steps].join('.');
  return read.keys ? `${path}{}` : path;
}
