/**
 * What a template mentions, learnt from its syntax tree without rendering it.
 * Invariant: every name it may read is in `names`; a name that is tested or defaulted anywhere counts as optional.
 * Pure.
 */

import nunjucks from 'nunjucks';

export interface TemplateAnalysis {
  /** Free names → first place, line and column from 1. */
  readonly names: ReadonlyMap<string, { readonly line: number; readonly column: number }>;
  /** Names the template itself binds (loops, set, macros, imports). */
  readonly bound: ReadonlySet<string>;
  /** Names under `is defined` or `default`. */
  readonly optional: ReadonlySet<string>;
  /** Names of included, extended and imported templates; undefined stands for one that is computed. */
  readonly includes: readonly (string | undefined)[];
  /** Dotted paths read, as far as their steps are literal. */
  readonly paths: readonly (readonly string[])[];
  /** `line:column` of an output, from 0, → its text, for messages. */
  readonly outputs: Readonly<Record<string, string>>;
}

interface SyntaxNode {
  readonly typename: string;
  readonly lineno: number;
  readonly colno: number;
  readonly fields: readonly string[];
  readonly children?: readonly SyntaxNode[];
  readonly value?: unknown;
  readonly [field: string]: unknown;
}

/** Names the template language brings. */
const provided = new Set(['range', 'cycler', 'joiner', 'loop', 'super', 'caller', 'self']);
const parser = (
  nunjucks as unknown as {
    parser: { parse(text: string, extensions: readonly unknown[], options: object): SyntaxNode };
  }
).parser;

/** How templates are read: block tags leave no line behind. */
export const syntaxOptions = {
  autoescape: false,
  throwOnUndefined: true,
  trimBlocks: true,
  lstripBlocks: true,
};

/** Analyses a template. Throws what the parser throws. */
export function analyseTemplate(text: string): TemplateAnalysis {
  const walk = new Walk();
  walk.node(parser.parse(text, [], syntaxOptions));
  return walk;
}

class Walk implements TemplateAnalysis {
  readonly names = new Map<string, { line: number; column: number }>();
  readonly bound = new Set<string>();
  readonly optional = new Set<string>();
  readonly includes: (string | undefined)[] = [];
  readonly paths: string[][] = [];
  readonly outputs: Record<string, string> = {};

  node(node: unknown): void {
    if (!isNode(node)) return;
    switch (node.typename) {
      case 'Symbol':
        return this.#path(node);
      case 'LookupVal':
        return this.#path(node);
      case 'Output':
        this.outputs[`${node.lineno}:${node.colno}`] = (node.children ?? []).map(sourceText).join('');
        break;
      case 'For':
      case 'AsyncEach':
      case 'AsyncAll':
        this.#bind(node.name);
        return this.#fields(node, ['arr', 'body', 'else_']);
      case 'Set':
        for (const target of node.targets as SyntaxNode[]) this.#bind(target);
        return this.#fields(node, ['value', 'body']);
      case 'Macro':
      case 'Caller':
        this.#bind(node.name);
        this.#bind(node.args);
        return this.#fields(node, ['body']);
      case 'Import':
        this.#bind(node.target);
        return this.#include(node);
      case 'FromImport':
        this.#bind(node.names);
        return this.#include(node);
      case 'Include':
      case 'Extends':
        return this.#include(node);
      case 'Filter':
        if (['default', 'd'].includes(String((node.name as SyntaxNode).value))) {
          this.#mayMiss((node.args as SyntaxNode).children?.[0]);
        }
        return this.node(node.args);
      case 'Is':
        this.#mayMiss(node.left);
        return this.node(node.left);
      case 'Pair':
        if (!isNode(node.key) || node.key.typename !== 'Symbol') this.node(node.key);
        return this.node(node.value);
      case 'Block':
        return this.node(node.body);
    }
    for (const child of node.children ?? []) this.node(child);
    this.#fields(node, node.fields);
  }

  #fields(node: SyntaxNode, fields: readonly string[]): void {
    for (const field of fields) {
      // Cases of a switch are a plain list.
      for (const child of [node[field]].flat()) if (field !== 'children') this.node(child);
    }
  }

  #path(node: SyntaxNode): void {
    const steps: string[] = [];
    let root = node;
    let below = node;
    while (root.typename === 'LookupVal') {
      below = root.val as SyntaxNode;
      if (below.typename === 'Literal') steps.unshift(String(below.value));
      else {
        this.node(below);
        steps.length = 0;
      }
      root = root.target as SyntaxNode;
    }
    if (root.typename !== 'Symbol') return this.node(root);
    const name = String(root.value);
    if (provided.has(name)) return;
    this.paths.push([name, ...steps]);
    if (!this.names.has(name)) this.names.set(name, { line: root.lineno + 1, column: root.colno + 1 });
  }

  #bind(target: unknown): void {
    if (!isNode(target)) return;
    if (target.typename === 'Symbol') this.bound.add(String(target.value));
    if (target.typename === 'Pair') {
      this.#bind(target.value);
      if (isNode(target.key)) this.bound.add(String(target.key.value));
    }
    for (const child of target.children ?? []) this.#bind(child);
  }

  #mayMiss(target: unknown): void {
    if (isNode(target) && target.typename === 'Symbol') this.optional.add(String(target.value));
  }

  #include(node: SyntaxNode): void {
    const name = node.template as SyntaxNode;
    this.includes.push(name.typename === 'Literal' ? String(name.value) : undefined);
  }
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'typename' in value;
}

function sourceText(node: SyntaxNode): string {
  if (node.typename === 'Symbol') return String(node.value);
  if (node.typename === 'LookupVal') {
    return `${sourceText(node.target as SyntaxNode)}.${sourceText(node.val as SyntaxNode)}`;
  }
  return node.typename === 'Literal' ? String(node.value) : 'this value';
}
