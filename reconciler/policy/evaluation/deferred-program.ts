/**
 * A template that needs registered results, as one self-contained program for the host.
 * Invariant: equal templates give equal text; the program runs in a bare node:vm context, Node 18 or newer.
 * Never contains values; those travel beside it.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { renderProgram } from './render-program.ts';

let engine: string | undefined;

/** nunjucks without its compiler. */
function slimEngine(): string {
  engine ??= readFileSync(
    createRequire(import.meta.url).resolve('nunjucks/browser/nunjucks-slim.min.js'),
    'utf8',
  );
  return engine.replace(/\n?\/\/# sourceMappingURL.*/u, '');
}

export interface TemplateCode {
  readonly code: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** A CommonJS module that exports `render(context)`. */
export function deferredProgram(entry: string, templates: ReadonlyMap<string, TemplateCode>): string {
  const compiled = [...templates]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { code, outputs }]) => {
      return `${JSON.stringify(name)}:{program:(function(){${code}\n})(),outputs:${JSON.stringify(outputs)}}`;
    });
  return `'use strict';
const engine=(function(){const module={exports:{}},exports=module.exports,self={},global=self,window=self;
(function(){${slimEngine()}
}).call(self);return module.exports})();
const templates={${compiled.join(',\n')}};
const renderProgram=${renderProgram.toString()};
exports.render=function(context){
const result=renderProgram(engine,templates,${JSON.stringify(entry)},context);
if(result.failure)throw new Error(result.failure.template+':'+result.failure.line+':'+result.failure.column+': '+result.failure.message);
return result.text};
`;
}
