/**
 * Sees whether a System was used to act: what apply did must not be less than what check announced.
 * Invariant: changes nothing about what a System does; counts only calls that can change the host.
 * Never keeps a System beyond its resource.
 */

import type { System } from './system/system.ts';

const acting = new Set<PropertyKey>([
  'replaceFile',
  'makeDirectory',
  'makeLink',
  'remove',
  'setOwnership',
  'run',
]);

/** The same system, and how many acts were asked of it so far. */
export function witnessed(system: System): { readonly system: System; readonly acts: () => number } {
  let count = 0;
  const watched = new Proxy(system, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (acting.has(name)) count += 1;
        return Reflect.apply(member, target, args);
      };
    },
  });
  return { system: watched, acts: () => count };
}
