import { expect } from 'vitest';
import type { Checked, Problem } from '../../agent/protocol/problem.ts';
import { loadInventory } from '../../inventory/load.ts';
import type { Inventory } from '../../inventory/model.ts';

/** Loads texts that must be good, as one.toml, two.toml … */
export function loaded(...texts: string[]): Inventory {
  const result = load(...texts);
  expect(result).toMatchObject({ ok: true });
  if (!result.ok) throw new Error('not loaded');
  return result.value;
}

/** What is wrong with a text, one line a problem: `file:line:column code message`. */
export function problemsOf(...texts: string[]): string[] {
  const result = load(...texts);
  return result.ok ? [] : result.problems.map(line);
}

export function line({ code, message, where }: Problem): string {
  return `${where?.file}:${where?.line}:${where?.column} ${code} ${message}`;
}

function load(...texts: string[]): Checked<Inventory> {
  const names = ['one.toml', 'two.toml', 'three.toml'];
  return loadInventory(texts.map((text, index) => ({ path: names[index] ?? 'more.toml', text })));
}
