/**
 * What compiling one resource may use of its evaluation.
 * Invariant: everything a build reports or stores goes through here, tied to the resource.
 * Never touches the machine.
 */

import { hash } from 'node:crypto';
import type { Content } from '../../../agent/protocol/blob.ts';
import type { Expression } from '../../../agent/protocol/expression.ts';
import type { FileShape } from '../../../agent/protocol/shapes/file.ts';
import type { Draft } from '../authoring/draft.ts';
import { ExpressionError, parseExpression } from '../expression-parser.ts';
import type { FileReader, Found } from './file-reader.ts';
import type { PolicyFile, PolicyTree, RawProblem } from './messages.ts';
import { resourceProblem } from './raw-problem.ts';

/** What one evaluation collects besides its plan. */
export interface Collected {
  readonly problems: RawProblem[];
  readonly contents: Map<string, string>;
  readonly sources: Map<string, string>;
  /** Names that some resource of the role registers. */
  readonly registered: ReadonlySet<string>;
}

export type RenderTemplate = (
  path: string,
  file: PolicyFile,
  vars: Readonly<Record<string, unknown>>,
) => Pick<FileShape, 'content' | 'deferred'> | undefined;

export class Tools {
  readonly draft: Draft;
  readonly #collected: Collected;
  readonly #files: FileReader;
  readonly #render: RenderTemplate;

  constructor(draft: Draft, collected: Collected, files: FileReader, render: RenderTemplate) {
    this.draft = draft;
    this.#collected = collected;
    this.#files = files;
    this.#render = render;
  }

  problem(code: RawProblem['code'], message: string): undefined {
    this.#collected.problems.push(resourceProblem(this.draft, code, message));
  }

  /** Text made here, as content. */
  text(text: string): Content {
    return storeText(this.#collected, text);
  }

  /** A file of the policy, as content. */
  file(name: string): Content | undefined {
    const found = this.#found(this.#files.file('files', name, 'content'), 'files', name);
    return found === undefined ? undefined : this.#source(found.path, found.value);
  }

  /** A folder of the policy, as tree. */
  tree(name: string): { path: string; content: Content; mode: string }[] | undefined {
    const found = this.#found<PolicyTree>(this.#files.tree('files', name), 'files', name);
    if (found === undefined) return undefined;
    return [...found.value.files].map(([path, file]) => ({
      path,
      content: this.#source(`${found.path}/${path}`, file),
      mode: file.executable ? '0755' : '0644',
    }));
  }

  template(name: string, vars: Readonly<Record<string, unknown>>): ReturnType<RenderTemplate> {
    const found = this.#found(this.#files.file('templates', name, 'text'), 'templates', name);
    return found === undefined ? undefined : this.#render(found.path, found.value, vars);
  }

  /** A condition: a boolean as it is, a text parsed. */
  condition(parameter: string, value: unknown): Expression | undefined {
    if (typeof value === 'boolean') return { op: 'value', value };
    if (typeof value !== 'string') {
      return this.problem('policy.bad-parameter', `${parameter} must be a boolean or a text`);
    }
    try {
      return parseExpression(value);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const place = `line ${error.line}, column ${error.column}`;
      return this.problem(
        'policy.bad-expression',
        `${parameter}: ${error.message} at ${place} of ${JSON.stringify(value)}`,
      );
    }
  }

  #source(path: string, file: PolicyFile): Content {
    this.#collected.sources.set(file.sha256, path);
    return { sha256: file.sha256, size: file.size };
  }

  #found<T>(
    found: Found<T>,
    folder: 'files' | 'templates',
    name: string,
  ): Exclude<Found<T>, string> | undefined {
    if (found === 'pending') return undefined;
    if (found !== 'missing') return found;
    const [own, shared] = this.#files.candidates(folder, name);
    return this.problem('policy.file-missing', `from: neither ${own} nor ${shared} exists`);
  }
}

/** Keeps text made by an evaluation and gives its reference. */
export function storeText(collected: Collected, text: string): Content {
  const sha256 = hash('sha256', text);
  collected.contents.set(sha256, text);
  return { sha256, size: Buffer.byteLength(text) };
}
