/**
 * Where each key of a TOML text stands: one scan over text that smol-toml has already accepted.
 * Invariant: the text at a key's position is that key as written; an array item's position is its value's start.
 * Never judges the text: the parser has done so.
 */

import { parse } from 'smol-toml';

/** Keys and array indexes from the top of a document. */
export type TomlPath = readonly (string | number)[];

/** A key or array item of the document. */
export interface PositionNode {
  /** Offset of its first mention, in UTF-16 units. */
  readonly offset: number;
  /** It is the last part of a header or of an assignment, not only a step on the way to something deeper. */
  defined: boolean;
  /** It is a step in a dotted assignment, such as `a` in `a.b = 1`. */
  dotted: boolean;
  children: Map<string, PositionNode> | undefined;
  items: PositionNode[] | undefined;
}

interface Segment {
  readonly name: string;
  readonly offset: number;
}

const space = /[ \t]*/y;
const voids = /(?:[ \t\r\n]+|#[^\n]*)*/y;
const bareKey = /[A-Za-z0-9_-]+/y;
const basicString = /"(?:[^"\\\n]|\\.)*"/y;
const literalString = /'[^'\n]*'/y;
const longBasic = /"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}/y;
const longLiteral = /'''(?:[^']|'(?!''))*'{3,5}/y;
const plainValue = /[^,\]}\n#]*/y;

/** Indexes a valid document. The root node stands for the document itself. */
export function indexPositions(text: string): PositionNode {
  return new Scanner(text).document();
}

/** The node at a path; undefined when the text does not mention it. */
export function findNode(root: PositionNode, path: TomlPath): PositionNode | undefined {
  let node: PositionNode | undefined = root;
  for (const step of path) {
    node = typeof step === 'number' ? node?.items?.[step] : node?.children?.get(step);
    if (node === undefined) return undefined;
  }
  return node;
}

function newNode(offset: number): PositionNode {
  return { offset, defined: false, dotted: false, children: undefined, items: undefined };
}

function childOf(parent: PositionNode, { name, offset }: Segment): PositionNode {
  parent.children ??= new Map();
  let child = parent.children.get(name);
  if (child === undefined) {
    child = newNode(offset);
    parent.children.set(name, child);
  }
  return child;
}

class Scanner {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  document(): PositionNode {
    const root = newNode(0);
    let table = root;
    this.take(voids);
    while (this.at < this.text.length) {
      const before = this.at;
      if (this.text[this.at] === '[') table = this.header(root);
      else this.assignment(table);
      this.take(voids);
      if (this.at === before) break;
    }
    return root;
  }

  private header(root: PositionNode): PositionNode {
    const array = this.text.startsWith('[[', this.at);
    this.at += array ? 2 : 1;
    const path = this.keyPath();
    this.at += array ? 2 : 1;
    let node = root;
    for (const [index, segment] of path.entries()) {
      const child = childOf(node, segment);
      const last = index === path.length - 1;
      if (last) child.defined = true;
      if (last && array) {
        child.items ??= [];
        child.items.push(newNode(segment.offset));
      }
      node = child.items?.at(-1) ?? child;
    }
    return node;
  }

  private assignment(table: PositionNode): void {
    const path = this.keyPath();
    let node = table;
    for (const [index, segment] of path.entries()) {
      node = childOf(node, segment);
      if (index === path.length - 1) node.defined = true;
      else node.dotted = true;
    }
    this.at += 1;
    this.take(space);
    this.value(node);
  }

  private keyPath(): Segment[] {
    const path: Segment[] = [];
    for (;;) {
      this.take(space);
      path.push(this.key());
      this.take(space);
      if (this.text[this.at] !== '.') return path;
      this.at += 1;
    }
  }

  private key(): Segment {
    const offset = this.at;
    const quote = this.text[offset];
    if (quote === "'") return { name: this.take(literalString).slice(1, -1), offset };
    if (quote !== '"') return { name: this.take(bareKey), offset };
    const raw = this.take(basicString);
    if (!raw.includes('\\')) return { name: raw.slice(1, -1), offset };
    return { name: String(parse(`key = ${raw}`).key), offset };
  }

  private value(node: PositionNode): void {
    const first = this.text[this.at];
    if (first === '[') this.array(node);
    else if (first === '{') this.inlineTable(node);
    else if (this.text.startsWith('"""', this.at)) this.take(longBasic);
    else if (this.text.startsWith("'''", this.at)) this.take(longLiteral);
    else if (first === '"') this.take(basicString);
    else if (first === "'") this.take(literalString);
    else this.take(plainValue);
  }

  private array(node: PositionNode): void {
    node.items = [];
    this.separated(']', () => {
      const item = newNode(this.at);
      item.defined = true;
      node.items?.push(item);
      this.value(item);
    });
  }

  private inlineTable(node: PositionNode): void {
    this.separated('}', () => this.assignment(node));
  }

  private separated(end: string, element: () => void): void {
    this.at += 1;
    for (;;) {
      this.take(voids);
      if (this.at >= this.text.length) return;
      if (this.text[this.at] === end) break;
      const before = this.at;
      element();
      this.take(voids);
      if (this.text[this.at] === ',') this.at += 1;
      if (this.at === before) return;
    }
    this.at += 1;
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }
}
