/**
 * Renders a template on the host, for those that need registered results.
 * Invariant: the program sees JSON and JavaScript's builtins only, and ends within its time; it is text in, text out.
 * Never gives it require, process or an object of this realm.
 */

import { createContext, Script } from 'node:vm';
import { refusal } from '../protocol/problem-codes.ts';
import type { FileShape } from '../protocol/shapes/file.ts';
import type { SystemReader } from '../system/system.ts';
import { Unforeseen } from './pending.ts';
import type { CheckContext } from './resource.ts';

const milliseconds = 2000;

type Deferred = NonNullable<FileShape['deferred']>;

interface Rendered {
  readonly text?: string;
  /** Name of a registered result it asked for that a dry run cannot know. */
  readonly needed?: string;
  readonly failed?: string;
  readonly line?: number;
  readonly column?: number;
}

/** The text. Throws Unforeseen where a dry run cannot know it, template.failed naming the source. */
export function renderDeferred(system: SystemReader, deferred: Deferred, context: CheckContext): string {
  const program = system.held(deferred.program);
  if (!program) throw new Unforeseen(`the program of ${deferred.source} is not on the host`);
  const rendered = run(program.toString(), deferred, context);
  if (rendered.needed !== undefined)
    throw new Unforeseen(`it needs the result ${rendered.needed}, which is not known yet`);
  if (rendered.text !== undefined) return rendered.text;
  const { line, column } = rendered;
  const where = { file: deferred.source, ...(line && { line }), ...(column && { column }) };
  throw refusal('template.failed', `${deferred.source}: ${rendered.failed ?? 'it gave no text'}`, { where });
}

function run(program: string, deferred: Deferred, context: CheckContext): Rendered {
  const input = JSON.stringify({
    context: deferred.context,
    results: context.results,
    unknown: [...context.unknown],
  });
  const realm = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
  try {
    const script = new Script(wrap(program, input), { filename: deferred.source });
    return JSON.parse(String(script.runInContext(realm, { timeout: milliseconds }))) as Rendered;
  } catch (error) {
    return { failed: String((error as Error)?.message ?? error).slice(0, 500) };
  }
}

/** The program as a module, called with its input; the answer is JSON text, so no object leaves the realm. */
function wrap(program: string, input: string): string {
  return `(() => {
const module = { exports: {} };
const { context, results, unknown } = JSON.parse(${JSON.stringify(input)});
let needed;
for (const name of unknown) Object.defineProperty(results, name, {
  enumerable: true, get() { needed ??= name; throw new Error('not known yet: ' + name); },
});
let answer;
try {
(function (module, exports) {${program}
})(module, module.exports);
answer = { text: String(module.exports.render({ ...context, results })) };
} catch (error) {
answer = { failed: String(error && error.message || error).slice(0, 500), line: error && error.lineno, column: error && error.colno };
}
return JSON.stringify(needed === undefined ? answer : { needed });
})()`;
}
