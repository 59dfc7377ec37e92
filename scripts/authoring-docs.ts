/**
 * Reads what the authoring API says of itself: interfaces with their members, helpers with their sentences.
 * Invariant: what cannot be read is an error, so that nothing is silently missing from the reference.
 * Never holds text of its own about a kind.
 */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { declaredFiles } from '../reconciler/policy/declarations.ts';

export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly text: string;
}

export interface Interface {
  readonly name: string;
  readonly bases: readonly string[];
  readonly text: string;
  readonly parameters: readonly Parameter[];
}

export interface Helper {
  readonly name: string;
  /** The interface of its parameters. */
  readonly takes: string;
  readonly text: string;
}

export interface AuthoringDocs {
  readonly interfaces: ReadonlyMap<string, Interface>;
  /** In the order of the declarations. */
  readonly helpers: readonly Helper[];
}

const authoring = resolve(import.meta.dirname, '../reconciler/policy/authoring');
const comment = String.raw`/\*\*((?:(?!\*/)[\s\S])*)\*/\n`;
const interfaces = new RegExp(
  `${comment}export interface (\\w+Parameters)(?: extends ([\\w, ]+))? \\{\\n([\\s\\S]*?)\\n\\}\\n`,
  'g',
);
const helpers = new RegExp(`${comment}export function (\\w+)\\([^)]*?parameters\\??: (\\w+)`, 'g');
const aliases = /^export type (\w+) = ([^;]+);$/gm;
const members = new RegExp(`(?: {2}${comment})? {2}(\\w+)(\\??): ([^;]+);\\n?`, 'gy');

/** Everything that the helpers for resources say. */
export function authoringDocs(): AuthoringDocs {
  const texts = declaredFiles
    .filter((file) => file !== 'facts.ts' && file !== 'role.ts')
    .map((file) => readFileSync(resolve(authoring, file), 'utf8'));
  const named = new Map(
    texts.flatMap((text) => [...text.matchAll(aliases)].map(([, name = '', type = '']) => [name, type])),
  );
  const found = texts.flatMap((text) =>
    [...text.matchAll(interfaces)].map(([, about = '', name = '', bases = '', body = '']) => ({
      name,
      bases: bases === '' ? [] : bases.split(', '),
      text: sentence(about),
      parameters: readMembers(name, body).map((each) => ({ ...each, type: inFull(each.type, named) })),
    })),
  );
  const declared = texts.flatMap((text) =>
    [...text.matchAll(helpers)].map(([, about = '', name = '', takes = '']) => ({
      name,
      takes,
      text: sentence(about),
    })),
  );
  return { interfaces: new Map(found.map((each) => [each.name, each])), helpers: declared };
}

function readMembers(owner: string, body: string): Parameter[] {
  const text = `${body}\n`.replaceAll(/ {2}readonly /g, '  ');
  const read = [...text.matchAll(members)];
  const end = read.at(-1);
  if (end === undefined || end.index + end[0].length !== text.length) {
    throw new Error(`${owner}: a member cannot be read after ${end?.[2] ?? 'the beginning'}`);
  }
  return read.map(([, about, name = '', optional, type = '']) => {
    if (about === undefined) throw new Error(`${owner}.${name} has no sentence about it`);
    return {
      name,
      type: type.replace(/ \| undefined$/, '').replaceAll(/readonly /g, ''),
      required: optional === '',
      text: sentence(about),
    };
  });
}

/** A type with the names that stand for choices written out. */
function inFull(type: string, named: ReadonlyMap<string, string>): string {
  return type.replaceAll(/\b(\w+)(\[\])?/g, (found, name: string, list: string | undefined) => {
    const meant = named.get(name);
    if (meant === undefined) return found;
    return list === undefined ? meant : `(${meant})[]`;
  });
}

/** A comment as one line of text. */
function sentence(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .join(' ')
    .trim();
}
