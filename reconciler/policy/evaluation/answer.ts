/**
 * Requests to replies, with the compiled roles that are at hand.
 * Invariant: a role is compiled once per source digest; at most `compiledLimit` are kept.
 * Knows nothing of processes, so that tests drive it directly.
 */

import { readDefinition } from './define-role.ts';
import { evaluateRole } from './evaluate-role.ts';
import type { Reply, Request, RoleCode } from './messages.ts';
import { createSandbox, type RoleModule } from './sandbox.ts';

const compiledLimit = 1000;

/** Answers requests, one reply after the other; each is worked out when it is taken. */
export function createAnswerer(): (request: Request) => Generator<Reply, void> {
  const sandbox = createSandbox();
  const compiled = new Map<string, RoleModule>();
  const moduleOf = (role: RoleCode): RoleModule => {
    let module = compiled.get(role.sourceDigest);
    if (module === undefined) {
      if (compiled.size >= compiledLimit) compiled.clear();
      module = sandbox.compile(role.name, role.code);
      compiled.set(role.sourceDigest, module);
    }
    return module;
  };
  return function* answer(request) {
    const module = moduleOf(request.role);
    if (request.type === 'define') {
      yield { type: 'defined', defined: readDefinition(request.role.name, module) };
      return;
    }
    const role = { name: request.role.name, module };
    for (const [index, subject] of request.subjects.entries())
      yield { type: 'evaluated', index, outcome: evaluateRole(role, subject, request.files) };
  };
}
