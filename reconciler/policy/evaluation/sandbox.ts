/**
 * Where role code runs: a context with the language and the authoring API, and nothing of the machine.
 * Invariant: every evaluation gets fresh instances of the role's modules; the clock and randomness are refused.
 * A guard for determinism and against accidents, not a wall against a hostile author.
 */

import vm from 'node:vm';
import { type RawPosition, RoleDraft, roleScriptPrefix } from '../authoring/draft.ts';
import * as authoring from '../authoring/index.ts';
import type { RoleSpec } from '../authoring/role.ts';

/** Role code asked for what differs from one evaluation to the next. */
export class NotDeterministic extends Error {
  constructor(what: string) {
    super(`${what} differs from one evaluation to the next`);
  }
}

const prepare = `
  for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry', 'console'])
    delete globalThis[name];
  const refused = (name) => new Proxy(function () {}, {
    get: () => refuse(name), apply: () => refuse(name), construct: () => refuse(name),
  });
  globalThis.Date = refused('Date');
  delete Intl.DateTimeFormat;
  Math.random = () => refuse('Math.random()');
`;

/** Code of a role, ready to be instantiated. */
export type RoleModule = () => unknown;

export interface Sandbox {
  /** Compiles a bundle once; each call of the result gives its default export anew. */
  compile(name: string, code: string): RoleModule;
}

export function createSandbox(): Sandbox {
  const context = vm.createContext(Object.create(null), {
    codeGeneration: { strings: false, wasm: false },
  });
  const refuse = (what: string): never => {
    throw new NotDeterministic(what);
  };
  vm.compileFunction(prepare, ['refuse'], { parsingContext: context })(refuse);
  return {
    compile: (name, code) => {
      const body = vm.compileFunction(code, ['module', 'exports', 'require'], {
        filename: `${roleScriptPrefix}${name}`,
        parsingContext: context,
      });
      return () => {
        const module: { exports: { default?: unknown } } = { exports: {} };
        body(module, module.exports, () => authoring);
        return module.exports.default;
      };
    },
  };
}

/** A role as its file wrote it; not checked yet. */
export interface WrittenRole {
  readonly spec: RoleSpec;
  readonly position: RawPosition | undefined;
}

/** The role a module exports, if it does. */
export function roleOf(module: RoleModule): WrittenRole | undefined {
  const exported = module();
  return exported instanceof RoleDraft ? (exported as unknown as WrittenRole) : undefined;
}
