/**
 * `line` and `block`: parts of a text file that others own too.
 * Invariant: the name tells apart several of them in one file: a line by what it matches, a block by its name.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { Draft } from './draft.ts';
import type { MetaParameters, OwnershipParameters, Presence, Resource } from './resource.ts';

/** What `line` and `block` share. */
export interface TextPartParameters extends MetaParameters, OwnershipParameters {
  /** `'absent'` removes it. Default `'present'`. */
  state?: Presence | undefined;
  /** Regular expression: put it after the last line that matches. */
  after?: string | undefined;
  /** Regular expression: put it before the last line that matches. */
  before?: string | undefined;
  /** Make the file when it is missing. */
  create?: boolean | undefined;
  /** Program to run on the host with `%s` as the new content's file; if it fails the old content stays. */
  validate?: readonly string[] | undefined;
  /** Keep the replaced content beside the file, as `<path>.<UTC time>~`. */
  backup?: boolean | undefined;
}

/** Parameters of `line`. */
export interface LineParameters extends TextPartParameters {
  /** The line, without its end. */
  line: string;
  /** Regular expression of the line to replace (or, with `state: 'absent'`, of the lines to remove). */
  match?: string | undefined;
}

/** Parameters of `block`. */
export interface BlockParameters extends TextPartParameters {
  /** The lines between the markers. */
  block?: string | undefined;
  /** Tells blocks of one file apart and is part of the markers. Default `towline`. */
  name?: string | undefined;
  /** What begins a comment in this file. Default `#`. */
  comment?: string | undefined;
}

/** One line of a text file: `line('/etc/hosts', { line: '10.0.0.1 db', match: ' db$' })`. */
export function line(path: string, parameters: LineParameters): Resource {
  return new Draft(line, 'line', `${path} ${parameters?.match ?? parameters?.line}`, { path, ...parameters });
}

/** Several lines between two marker lines: `block('/etc/hosts', { name: 'cluster', block: '…' })`. */
export function block(path: string, parameters: BlockParameters): Resource {
  const name = parameters?.name === undefined ? path : `${path} ${parameters.name}`;
  return new Draft(block, 'block', name, { path, ...parameters });
}
