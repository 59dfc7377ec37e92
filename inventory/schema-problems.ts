/**
 * Turns what zod found wrong in a TOML document into problems with file:line:column of the offending key.
 * Invariant: every unknown key is a problem of its own, with a suggestion where one is near.
 * Never shows a value.
 */

import type { z } from 'zod';
import type { Place, Problem } from '../agent/protocol/problem.ts';
import { didYouMean } from './suggest.ts';
import type { TomlDocument } from './toml.ts';
import type { TomlPath } from './toml-positions.ts';

/** How the caller's area words a finding. */
export interface SchemaWords {
  /** The keys that a table may have. */
  known(path: TomlPath): readonly string[];
  unknownKey(message: string, where: Place): Problem;
  badValue(message: string, where: Place): Problem;
}

/** One problem for each finding; a schema's own `error` texts continue the sentence "KEY …". */
export function schemaProblems(error: z.ZodError, document: TomlDocument, words: SchemaWords): Problem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path as TomlPath;
    if (issue.code !== 'unrecognized_keys') {
      const missing = valueAt(document, path) === undefined;
      const message = `${pathText(path)} ${missing ? 'is missing' : issue.message}`;
      return [words.badValue(message, document.place(path))];
    }
    return issue.keys.map((key) => {
      const tail = didYouMean(key, words.known(path));
      const place = path.length === 0 ? 'at the top' : `in ${pathText(path)}`;
      return words.unknownKey(`unknown key "${key}" ${place}${tail}`, document.place([...path, key]));
    });
  });
}

/** A path as it would be written: keys that are not bare in quotes. */
export function pathText(path: TomlPath): string {
  return path
    .map((step) => (/^[A-Za-z0-9_-]+$/.test(String(step)) ? String(step) : JSON.stringify(step)))
    .join('.');
}

function valueAt(document: TomlDocument, path: TomlPath): unknown {
  let value: unknown = document.value;
  for (const step of path) value = (value as Readonly<Record<string, unknown>> | undefined)?.[step];
  return value;
}
