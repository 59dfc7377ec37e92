/**
 * `file` and `template`: one regular file and its content.
 * Invariant: content comes from one place only, given here or in the policy.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { Draft } from './draft.ts';
import type { MetaParameters, OwnershipParameters, Presence, Resource } from './resource.ts';

/** What `file` and `template` share. */
export interface WrittenFileParameters extends MetaParameters, OwnershipParameters {
  /** `'absent'` removes the file. Default `'present'`. */
  state?: Presence | undefined;
  /** Write only when nothing is there; what is there is left alone. */
  createOnly?: boolean | undefined;
  /** Program to run on the host with `%s` as the new content's file; if it fails the old content stays. */
  validate?: readonly string[] | undefined;
  /** Keep the replaced content beside the file, as `<path>.<UTC time>~`. */
  backup?: boolean | undefined;
}

/** Parameters of `file`. */
export interface FileParameters extends WrittenFileParameters {
  /** The content itself. */
  content?: string | undefined;
  /** A file of the policy: looked for in `roles/<role>/files/`, then in `files/`. */
  from?: string | undefined;
}

/** Parameters of `template`. */
export interface TemplateParameters extends WrittenFileParameters {
  /** A template of the policy: looked for in `roles/<role>/templates/`, then in `templates/`. */
  from?: string | undefined;
  /** Names for this template, in front of the role's variables. */
  vars?: { readonly [name: string]: unknown } | undefined;
}

/** A regular file: `file('/etc/motd', { content: 'Welcome\n', mode: '0644' })`. */
export function file(path: string, parameters: FileParameters = {}): Resource {
  return new Draft(file, 'file', path, parameters);
}

/** A file rendered from a template: `template('/etc/app.conf', { from: 'app.conf.njk', vars: { port: 80 } })`. */
export function template(path: string, parameters: TemplateParameters): Resource {
  return new Draft(template, 'template', path, parameters);
}
