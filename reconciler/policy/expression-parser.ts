/**
 * Text of a condition to its expression: names, dots, literals, comparisons, in, not, and, or, parentheses.
 * Invariant: parsing what `printExpression` prints gives the expression back; the first error says line and column.
 * Pure; never evaluates.
 */

import { type Comparison, comparisons, type Expression } from '../../agent/protocol/expression.ts';
import type { Json } from '../../agent/protocol/json.ts';

/** What is wrong with a condition's text; line and column count from 1. */
export class ExpressionError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(message: string, text: string, offset: number) {
    super(message);
    const before = text.slice(0, offset).split('\n');
    this.line = before.length;
    this.column = (before.at(-1) ?? '').length + 1;
  }
}

interface Token {
  readonly type: 'word' | 'number' | 'string' | 'sign' | 'end';
  readonly text: string;
  readonly offset: number;
}

const tokenPattern =
  /\s*(?:(?<word>[A-Za-z_][\w-]*)|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<sign>==|!=|<=|>=|[<>().]))/suy;
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
const literals: ReadonlyMap<string, Json> = new Map([
  ['true', true],
  ['false', false],
  ['none', null],
  ['null', null],
]);
const reserved = new Set(['and', 'or', 'not', 'in', ...literals.keys()]);
/** Deeper nesting is refused, so that neither side ever runs out of stack. */
const deepest = 50;

/** The expression a text says. Throws ExpressionError. */
export function parseExpression(text: string): Expression {
  return new Parser(text).whole();
}

/** Recursive descent, one method a rule, loosest binding first. */
class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  whole(): Expression {
    const expression = this.#or();
    return this.#peek().type === 'end' ? expression : this.#fail(this.#peek(), 'the end');
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#skip('or')) left = { op: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#skip('and')) left = { op: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    this.#depth += 1;
    if (this.#depth > deepest) {
      throw new ExpressionError('nested too deeply', this.#text, this.#peek().offset);
    }
    const expression: Expression = this.#skip('not') ? { op: 'not', of: this.#not() } : this.#comparison();
    this.#depth -= 1;
    return expression;
  }

  #comparison(): Expression {
    const left = this.#operand();
    const negated = this.#peek(1).text === 'in' && this.#skip('not');
    const sign = this.#peek();
    if (sign.type === 'string' || !comparisons.includes(sign.text as Comparison)) return left;
    this.#next += 1;
    const compared: Expression = { op: sign.text as Comparison, left, right: this.#operand() };
    return negated ? { op: 'not', of: compared } : compared;
  }

  #operand(): Expression {
    const token = this.#take();
    if (token.type === 'number') return { op: 'value', value: Number(token.text) };
    if (token.type === 'string') return { op: 'value', value: token.text };
    if (token.text === '(') return this.#closing();
    if (token.type !== 'word') return this.#fail(token, 'a name or a value');
    if (literals.has(token.text)) return { op: 'value', value: literals.get(token.text) ?? null };
    if (reserved.has(token.text)) return this.#fail(token, 'a name or a value');
    return this.#path(token.text);
  }

  #closing(): Expression {
    const inner = this.#or();
    const end = this.#take();
    return end.type === 'sign' && end.text === ')' ? inner : this.#fail(end, '")"');
  }

  #path(first: string): Expression {
    const path = [first];
    while (this.#peek().type === 'sign' && this.#peek().text === '.') {
      this.#next += 1;
      const step = this.#take();
      path.push(step.type === 'word' ? step.text : this.#fail(step, 'a name after "."'));
    }
    return { op: 'get', path };
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)] as Token;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #skip(word: string): boolean {
    if (this.#peek().type !== 'word' || this.#peek().text !== word) return false;
    this.#next += 1;
    return true;
  }

  #fail(token: Token, wanted: string): never {
    const found = token.type === 'end' ? 'the end' : JSON.stringify(token.text);
    throw new ExpressionError(`expected ${wanted}, found ${found}`, this.#text, token.offset);
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  tokenPattern.lastIndex = 0;
  const end = text.trimEnd().length;
  let offset = 0;
  while (offset < end) {
    const found = tokenPattern.exec(text);
    if (found?.groups === undefined) {
      const start = offset + (/^\s*/.exec(text.slice(offset))?.[0].length ?? 0);
      throw new ExpressionError(`cannot read ${JSON.stringify(text[start])}`, text, start);
    }
    const { word, number, string, sign } = found.groups;
    const raw = word ?? number ?? string ?? sign ?? '';
    const type =
      word !== undefined
        ? 'word'
        : number !== undefined
          ? 'number'
          : string !== undefined
            ? 'string'
            : 'sign';
    tokens.push({
      type,
      text: type === 'string' ? unquoted(raw) : raw,
      offset: tokenPattern.lastIndex - raw.length,
    });
    offset = tokenPattern.lastIndex;
  }
  tokens.push({ type: 'end', text: '', offset: end });
  return tokens;
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gsu, (_, letter: string) => escapes[letter] ?? letter);
}

/** The text of an expression, with every operation in parentheses. Values that are lists or objects have no text. */
export function printExpression(expression: Expression): string {
  switch (expression.op) {
    case 'value':
      return printValue(expression.value);
    case 'get':
      return expression.path.join('.');
    case 'not':
      return `(not ${printExpression(expression.of)})`;
    default:
      return `(${printExpression(expression.left)} ${expression.op} ${printExpression(expression.right)})`;
  }
}

function printValue(value: Json): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const escaped = value
    .replace(/["\\]/gu, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

/** The first step of every path an expression reads. */
export function namesIn(expression: Expression): string[] {
  switch (expression.op) {
    case 'value':
      return [];
    case 'get':
      return [expression.path[0] ?? ''];
    case 'not':
      return namesIn(expression.of);
    default:
      return [...namesIn(expression.left), ...namesIn(expression.right)];
  }
}
