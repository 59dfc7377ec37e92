/**
 * Values that a schema accepts, with every member it has, found by asking the schema itself: what it looks for and what it complains of.
 * Invariant: each sample is accepted; every optional member is there; every variant has a sample; a kind of schema that is not known
 * here fails, so that no member is forgotten.
 * Never knows a message by name.
 */

import type { Issue, Path, Schema } from '../../agent/protocol/schema.ts';

/** What a schema wants at one place. */
type Node =
  | { readonly kind: 'unknown' }
  /** Free text of the peer. */
  | { readonly kind: 'text' }
  | { readonly kind: 'hash' }
  | { readonly kind: 'json' }
  | { readonly kind: 'fixed'; readonly value: unknown }
  | { readonly kind: 'word'; readonly words: readonly unknown[] }
  | { readonly kind: 'object'; readonly members: Map<string, Node> }
  | { readonly kind: 'record'; readonly of: Node }
  | { readonly kind: 'list'; readonly of: Node };

export interface SampleMaker {
  /** Makes the texts of a sample; called once for each place of free text, names in records among them. */
  readonly text: (place: string) => string;
  /** Chooses among the words of a closed vocabulary; the first when left out. */
  readonly word?: (words: readonly unknown[]) => unknown;
}

const nothing = Symbol('to be asked');
const recordKey = 'a key';
const mostRounds = 400;

/** Samples of a schema: one for each way its variants can be chosen. */
export function schemaSamples<T>(schema: Schema<T>, maker: SampleMaker): T[] {
  const samples: T[] = [];
  const open: Map<string, string>[] = [new Map()];
  for (let choices = open.pop(); choices !== undefined; choices = open.pop()) {
    const found = explore(schema, choices);
    if ('fork' in found) {
      for (const tag of found.tags) open.push(new Map([...choices, [found.fork, tag]]));
      continue;
    }
    const sample = build(found.node, '', maker);
    const parsed = schema.safeParse(sample);
    if (!parsed.success) throw new Error(`not a sample: ${JSON.stringify(parsed.error.issues)}`);
    samples.push(parsed.data);
  }
  return samples;
}

type Found = { readonly node: Node } | { readonly fork: string; readonly tags: readonly string[] };

/** Asks until there is nothing left to complain of. Deeper than two problems inside each other nothing new comes. */
function explore(schema: Schema<unknown>, choices: ReadonlyMap<string, string>): Found {
  let root: Node = { kind: 'unknown' };
  for (let round = 0; round < mostRounds; round += 1) {
    const asked = { changed: false };
    const parsed = schema.safeParse(probe(root, asked, (node) => (root = node), []));
    if (parsed.success && !asked.changed) return { node: root };
    const issues = parsed.success ? [] : parsed.error.issues;
    for (const issue of issues) {
      const fork = forkOf(issue);
      const place = issue.path.join('.');
      if (fork !== undefined && !choices.has(place)) return { fork: place, tags: fork };
      root = replaced(root, issue.path, wanted(issue, choices.get(place)));
    }
    if (issues.length === 0 && !asked.changed) break;
  }
  throw new Error('the schema does not come to rest');
}

/** The values of a variant's tag; undefined for every other complaint. */
function forkOf({ message }: Issue): readonly string[] | undefined {
  const words = /^expected ([a-z-]+(?:, [a-z-]+)+)$/.exec(message)?.[1];
  return words?.split(', ');
}

function wanted({ message, path }: Issue, choice: string | undefined): Node {
  if (choice !== undefined) return { kind: 'fixed', value: choice };
  if (message === 'expected text') return { kind: 'text' };
  if (message === 'expected a number') return { kind: 'fixed', value: 1 };
  if (message === 'expected true or false') return { kind: 'fixed', value: true };
  if (message === 'expected a list') return { kind: 'list', of: { kind: 'unknown' } };
  if (message === 'expected a table') return { kind: 'object', members: new Map() };
  if (message === 'is missing') return { kind: 'unknown' };
  if (message === 'does not match ^[0-9a-f]{64}$') return { kind: 'hash' };
  const words = message
    .replace(/^expected /, '')
    .split(' or ')
    .map(wordOf);
  if (!words.includes(undefined)) return { kind: 'word', words };
  throw new Error(`a complaint nobody knows how to answer, at ${path.join('.')}: ${message}`);
}

/** A word of a closed vocabulary as the complaint spells it: JSON. */
function wordOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function replaced(node: Node, path: Path, by: Node): Node {
  const [first, ...rest] = path;
  if (first === undefined) return by;
  if (node.kind === 'list' || node.kind === 'record')
    return { kind: node.kind, of: replaced(node.of, rest, by) };
  const members = node.kind === 'object' ? new Map(node.members) : new Map<string, Node>();
  members.set(String(first), replaced(members.get(String(first)) ?? { kind: 'unknown' }, rest, by));
  return { kind: 'object', members };
}

interface Asked {
  changed: boolean;
}

/** The value for one question. Objects tell which members are looked for, and whether all of them are: then it is a record. */
function probe(node: Node, asked: Asked, put: (node: Node) => void, path: readonly string[]): unknown {
  switch (node.kind) {
    case 'unknown':
      return nothing;
    case 'text':
    case 'json':
      return 'text';
    case 'hash':
      return 'a'.repeat(64);
    case 'fixed':
      return node.value;
    case 'word':
      return node.words[0];
    case 'list':
      return [probe(node.of, asked, (of) => put({ kind: 'list', of }), [...path, '0'])];
    case 'record': {
      const value = probe(node.of, asked, (of) => put({ kind: 'record', of }), [...path, recordKey]);
      return { [recordKey]: value };
    }
    case 'object':
      return probeObject(node, asked, put, path);
    default:
      return node satisfies never;
  }
}

/** A chain of the same schema inside itself, like the cause of a cause, ends after this many. */
const mostAlike = 2;

function probeObject(
  node: Extract<Node, { kind: 'object' }>,
  asked: Asked,
  put: (node: Node) => void,
  path: readonly string[],
): object {
  const target: Record<string, unknown> = {};
  for (const [name, member] of node.members) {
    target[name] = probe(member, asked, (next) => node.members.set(name, next), [...path, name]);
  }
  const look = (name: string | symbol): void => {
    if (typeof name !== 'string' || node.members.has(name)) return;
    if (path.filter((each) => each === name).length >= mostAlike) return;
    node.members.set(name, { kind: 'unknown' });
    asked.changed = true;
  };
  return new Proxy(target, {
    getOwnPropertyDescriptor(_, name) {
      look(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    ownKeys() {
      if (node.members.size === 0) {
        put({ kind: 'record', of: { kind: 'unknown' } });
        asked.changed = true;
      }
      return Reflect.ownKeys(target);
    },
  });
}

function build(node: Node, place: string, maker: SampleMaker): unknown {
  switch (node.kind) {
    case 'unknown':
    case 'json':
      return { [maker.text(`${place}.name`)]: [maker.text(`${place}.value`)] };
    case 'text':
      return maker.text(place);
    case 'hash':
      return 'a'.repeat(64);
    case 'fixed':
      return node.value;
    case 'word':
      return (maker.word ?? first)(node.words);
    case 'list':
      return [build(node.of, `${place}[]`, maker)];
    case 'record':
      return { [maker.text(`${place}{name}`)]: build(node.of, `${place}{}`, maker) };
    case 'object':
      return Object.fromEntries(
        [...node.members].map(([name, member]) => [name, build(member, `${place}.${name}`, maker)]),
      );
    default:
      return node satisfies never;
  }
}

function first(words: readonly unknown[]): unknown {
  return words[0];
}
