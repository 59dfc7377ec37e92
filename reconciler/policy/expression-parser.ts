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
  const tokens = tokensOf(text);
  let next = 0;
  let depth = 0;
  const peek = (): Token => tokens[next] as Token;
  const take = (): Token => tokens[next++] as Token;
  const fail = (token: Token, wanted: string): never => {
    const found = token.type === 'end' ? 'the end' : JSON.stringify(token.text);
    throw new ExpressionError(`expected ${wanted}, found ${found}`, text, token.offset);
  };
  const isWord = (word: string): boolean => peek().type === 'word' && peek().text === word;

  const or = (): Expression => {
    let left = and();
    while (isWord('or')) {
      take();
      left = { op: 'or', left, right: and() };
    }
    return left;
  };
  const and = (): Expression => {
    let left = not();
    while (isWord('and')) {
      take();
      left = { op: 'and', left, right: not() };
    }
    return left;
  };
  const not = (): Expression => {
    depth += 1;
    if (depth > deepest) throw new ExpressionError('nested too deeply', text, peek().offset);
    const expression = isWord('not') ? (take(), { op: 'not', of: not() } as const) : comparison();
    depth -= 1;
    return expression;
  };
  const comparison = (): Expression => {
    const left = operand();
    const negated = isWord('not') && tokens[next + 1]?.text === 'in';
    if (negated) take();
    if (!comparisons.includes(peek().text as Comparison) || peek().type === 'string') return left;
    const op = take().text as Comparison;
    const compared: Expression = { op, left, right: operand() };
    return negated ? { op: 'not', of: compared } : compared;
  };
  const operand = (): Expression => {
    const token = take();
    if (token.type === 'number') return { op: 'value', value: Number(token.text) };
    if (token.type === 'string') return { op: 'value', value: token.text };
    if (token.text === '(') return closing();
    if (token.type !== 'word') return fail(token, 'a name or a value');
    if (literals.has(token.text)) return { op: 'value', value: literals.get(token.text) ?? null };
    if (reserved.has(token.text)) return fail(token, 'a name or a value');
    return path(token);
  };
  const closing = (): Expression => {
    const inner = or();
    const end = take();
    return end.text === ')' && end.type === 'sign' ? inner : fail(end, '")"');
  };
  const path = (first: Token): Expression => {
    const steps = [first.text];
    while (peek().type === 'sign' && peek().text === '.') {
      take();
      const step = take();
      steps.push(step.type === 'word' ? step.text : fail(step, 'a name after "."'));
    }
    return { op: 'get', path: steps };
  };

  const expression = or();
  return peek().type === 'end' ? expression : fail(peek(), 'the end');
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
