/**
 * A template file and the names it may read → text, or a program for the host when it needs registered results.
 * Invariant: only names the template mentions are read; facts are data and never rendered themselves.
 * Problems name file, line and column in the template.
 */

import { hash } from 'node:crypto';
import nunjucks from 'nunjucks';
import { EvaluationFailure } from './data-file.ts';
import { deferredProgram } from './deferred-program.ts';
import type { FileReader } from './file-reader.ts';
import type { PolicyFile } from './messages.ts';
import { didYouMean } from './nearest-name.ts';
import { type CompiledTemplate, renderProgram } from './render-program.ts';
import { analyseTemplate, syntaxOptions, type TemplateAnalysis } from './template-analysis.ts';

/** Gives the value of a name, and whether there is one. */
export interface NameScope {
  has(name: string): boolean;
  get(name: string): unknown;
}

interface LoadedTemplate extends CompiledTemplate {
  readonly code: string;
  readonly path: string;
  readonly analysis: TemplateAnalysis;
}

export type Rendered =
  | { readonly text: string }
  | { readonly program: string; readonly context: Record<string, unknown>; readonly source: string };

const compiler = (
  nunjucks as unknown as {
    compiler: { compile(...values: unknown[]): string };
  }
).compiler;
const engine = nunjucks as unknown as Parameters<typeof renderProgram>[0];
/** Compiled templates by path and content; bounded, since a watch session edits for hours. */
const compiledTemplates = new Map<string, LoadedTemplate>();
const compiledLimit = 500;

/** Renders; undefined while an included template is not at hand. Throws EvaluationFailure. */
export function renderTemplate(
  path: string,
  file: PolicyFile,
  options: {
    readonly files: FileReader;
    readonly scope: NameScope;
    readonly registered: ReadonlySet<string>;
  },
): Rendered | undefined {
  const closure = loadClosure(path, file, options.files);
  if (closure === undefined) return undefined;
  const names = mentioned(closure, options.scope);
  if (names.has('results')) {
    checkResults(closure, options.registered);
    return deferred(path, closure, names, options.scope);
  }
  const context: Record<string, unknown> = {};
  for (const name of names) if (options.scope.has(name)) context[name] = options.scope.get(name);
  const rendered = renderProgram(engine, Object.fromEntries(closure), path, context);
  if ('text' in rendered) return rendered;
  const { template, line, column, message } = rendered.failure;
  const place = { file: closure.get(template)?.path ?? template, line, column };
  throw new EvaluationFailure({
    code: 'policy.template-failed',
    message: `${place.file}: ${message}`,
    place,
  });
}

/** The template and all it includes, under the names they are asked for by. */
function loadClosure(
  path: string,
  file: PolicyFile,
  files: FileReader,
): Map<string, LoadedTemplate> | undefined {
  const closure = new Map([[path, load(path, file)]]);
  let pending = false;
  for (const template of closure.values()) {
    for (const name of template.analysis.includes) {
      if (name === undefined)
        throw badInclude(template.path, 'the name of an included template must be a literal');
      if (closure.has(name)) continue;
      const found = files.file('templates', name, 'text');
      if (found === 'missing') throw badInclude(template.path, `it includes ${name}, which does not exist`);
      if (found === 'pending') pending = true;
      else closure.set(name, load(found.path, found.value));
    }
  }
  return pending ? undefined : closure;
}

function badInclude(file: string, message: string): EvaluationFailure {
  return new EvaluationFailure({
    code: 'policy.template-syntax',
    message: `${file}: ${message}`,
    place: { file },
  });
}

function load(path: string, file: PolicyFile): LoadedTemplate {
  const key = `${path}\0${file.sha256}`;
  let template = compiledTemplates.get(key);
  if (template === undefined) {
    if (compiledTemplates.size >= compiledLimit) compiledTemplates.clear();
    template = compile(path, file.text ?? '');
    compiledTemplates.set(key, template);
  }
  return template;
}

function compile(path: string, text: string): LoadedTemplate {
  try {
    const analysis = analyseTemplate(text);
    const code = compiler.compile(text, [], [], path, syntaxOptions);
    const program = new Function(code)() as CompiledTemplate['program'];
    return { path, analysis, code, program, outputs: analysis.outputs };
  } catch (error) {
    const { message, lineno, colno } = error as { message: string; lineno?: number; colno?: number };
    const at =
      lineno === undefined ? {} : { line: lineno, ...(colno === undefined ? {} : { column: colno }) };
    throw new EvaluationFailure({
      code: 'policy.template-syntax',
      message: `${path}: ${message.split('\n').at(-1)?.trim()}`,
      place: { file: path, ...at },
    });
  }
}

/** All names of the closure; throws for one that nothing can give a value. */
function mentioned(closure: ReadonlyMap<string, LoadedTemplate>, scope: NameScope): Set<string> {
  const templates = [...closure.values()];
  const known = (name: string): boolean =>
    name === 'results' ||
    templates.some(({ analysis }) => analysis.bound.has(name) || analysis.optional.has(name)) ||
    scope.has(name);
  const names = new Set<string>();
  for (const { analysis, path } of templates) {
    for (const [name, at] of analysis.names) {
      if (!known(name)) {
        throw new EvaluationFailure({
          code: 'policy.template-undefined',
          message: `${path}: ${name} is not defined`,
          place: { file: path, ...at },
        });
      }
      names.add(name);
    }
  }
  return names;
}

/** A result that nothing registers would only fail on the host. */
function checkResults(closure: ReadonlyMap<string, LoadedTemplate>, registered: ReadonlySet<string>): void {
  for (const { analysis, path } of closure.values()) {
    for (const [root, name] of analysis.paths) {
      if (root !== 'results' || name === undefined || registered.has(name)) continue;
      throw new EvaluationFailure({
        code: 'policy.unknown-result',
        message: `${path}: nothing in this role registers results.${name}${didYouMean(name, registered)}`,
        place: { file: path, ...analysis.names.get('results') },
      });
    }
  }
}

function deferred(
  path: string,
  closure: ReadonlyMap<string, LoadedTemplate>,
  names: ReadonlySet<string>,
  scope: NameScope,
): Rendered {
  const context: Record<string, unknown> = {};
  for (const { analysis } of closure.values()) {
    for (const [name = '', ...steps] of analysis.paths) {
      if (name !== 'results' && names.has(name) && scope.has(name))
        copyPath(context, scope.get(name), [name, ...steps]);
    }
  }
  return { program: programOf(path, closure), context, source: path };
}

const programs = new Map<string, string>();

function programOf(path: string, closure: ReadonlyMap<string, LoadedTemplate>): string {
  const key = hash('sha256', [...closure].map(([name, { code }]) => `${name}\0${code}`).join('\0'));
  let program = programs.get(key);
  if (program === undefined) {
    if (programs.size >= compiledLimit) programs.clear();
    program = deferredProgram(path, closure);
    programs.set(key, program);
  }
  return program;
}

/** Copies the value at a path into the context, making the objects on the way. */
function copyPath(
  context: Record<string, unknown>,
  value: unknown,
  [name = '', ...steps]: readonly string[],
): void {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject || steps.length === 0) {
    if (value !== undefined) context[name] = JSON.parse(JSON.stringify(value));
    return;
  }
  context[name] ??= {};
  const inner = context[name] as Record<string, unknown>;
  const step = steps[0] as string;
  copyPath(inner, (value as Record<string, unknown>)[step], steps);
}
