/**
 * JSON values and places of the inventory for people.
 * Invariant: short values on one line as JSON; magic variables that hold passwords are never spelled out.
 * Pure.
 */

import type { Json } from '../../../agent/protocol/json.ts';
import type { Provenance } from '../../../inventory/model.ts';
import { type Span, toned } from '../../report/line.ts';

/** A value on one line; plain words without quotes. */
export function valueText(value: Json): string {
  if (typeof value === 'string')
    return /^[\p{L}\p{N}][\p{L}\p{N} ./:@_+-]*$/u.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

/** A variable's value; what is called a password, secret or token is masked. */
export function variableText(name: string, value: Json): string {
  return /pass(word|phrase)?|secret|token|private_?key/i.test(name) ? '«secret»' : valueText(value);
}

/** Where a value comes from: `group web  inventory/production.toml:12:3`. */
export function provenanceSpan(from: Provenance | undefined): Span {
  if (from === undefined) return '';
  const layer = from.layer === 'host' || from.layer === 'all' ? from.layer : `group ${from.layer}`;
  return toned('dim', `${layer}  ${from.file}:${from.line}:${from.column}`);
}

export interface VariableRow {
  readonly name: string;
  readonly value: Json;
  readonly from?: Provenance | undefined;
}

/** A variable as cells: name, value, provenance. */
export function variableCells({ name, value, from }: VariableRow): Span[] {
  return [toned('accent', name), variableText(name, value), provenanceSpan(from)];
}
