/**
 * What evaluations of one role gave, found again by the values they read.
 * Invariant: an evaluation is a function of its reads in order, so equal reads lead to an equal answer.
 * Never looks at a value that no evaluation has read.
 */

import type { Json } from '../../agent/protocol/json.ts';
import type { Read, ReadValue } from './tracking.ts';
import { keysText, listText, type Root } from './tracking.ts';

/** Looks up what a subject has at a path; `steps` are below the root. */
export type Look = (root: Root, steps: readonly string[]) => Json | undefined;

/** Where a look-up ended without an answer: equal places mean an evaluation would read the same next. */
export interface Miss {
  readonly node: object;
  readonly value: unknown;
}

interface Node<T> {
  read: Pick<Read, 'root' | 'steps' | 'keys'> | undefined;
  answer: T | undefined;
  /** By the value itself for primitives and by the object mark; lists and key sets by their text. */
  readonly plain: Map<unknown, Node<T>>;
  readonly texts: Map<string, Node<T>>;
}

const isObject: unique symbol = Symbol('object');

export class Memo<T> {
  #root: Node<T> = emptyNode();
  #size = 0;
  readonly #limit: number;

  /** Beyond `limit` answers it starts anew, so that a role that reads the uptime does not fill the memory. */
  constructor(limit = 50_000) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  /** The answer for a subject, or where the trace ends. */
  find(look: Look): { readonly answer: T } | Miss {
    let node = this.#root;
    for (;;) {
      if (node.answer !== undefined) return node as { readonly answer: T };
      const { read } = node;
      if (read === undefined) return { node, value: undefined };
      const value = look(read.root, read.steps);
      const next = read.keys ? node.texts.get(keysOf(value)) : step(node, value);
      if (next === undefined) return { node, value: missValue(value, read.keys) };
      node = next;
    }
  }

  /** Keeps an answer under the reads that led to it. True when everything older was let go. */
  add(reads: readonly Read[], answer: T): boolean {
    const renewed = this.#size >= this.#limit;
    if (renewed) {
      this.#root = emptyNode();
      this.#size = 0;
    }
    let node = this.#root;
    for (const read of reads) {
      node.read ??= { root: read.root, steps: read.steps, keys: read.keys };
      const text = read.value.form === 'list' || read.value.form === 'keys';
      const edges: Map<unknown, Node<T>> = text ? node.texts : node.plain;
      const key = edgeKey(read.value);
      let next = edges.get(key);
      if (next === undefined) {
        next = emptyNode();
        edges.set(key, next);
      }
      node = next;
    }
    if (node.answer === undefined) this.#size += 1;
    node.answer = answer;
    return renewed;
  }
}

function emptyNode<T>(): Node<T> {
  return { read: undefined, answer: undefined, plain: new Map(), texts: new Map() };
}

function edgeKey(value: ReadValue): unknown {
  return value.form === 'object' ? isObject : value.value;
}

function step<T>(node: Node<T>, value: Json | undefined): Node<T> | undefined {
  if (value === null || typeof value !== 'object') return node.plain.get(value);
  return Array.isArray(value) ? node.texts.get(listText(value)) : node.plain.get(isObject);
}

function keysOf(value: Json | undefined): string {
  return value !== null && typeof value === 'object' ? keysText(value) : '';
}

function missValue(value: Json | undefined, keys: boolean): unknown {
  if (keys) return keysOf(value);
  if (value === null || typeof value !== 'object') return value;
  return Array.isArray(value) ? listText(value) : isObject;
}
