/**
 * Holds registries of problem codes, their page and their use together.
 * Invariant: a code exists once, is documented, and its hint belongs to it alone.
 * Never lists a code.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dispositions } from '../../agent/protocol/problem.ts';
import { problemRegistries, problemsPage } from '../../scripts/problem-registries.ts';
import { root, sourceFiles } from './source-files.ts';

const registries = await problemRegistries();
const all = registries.flatMap(({ file, codes }) =>
  [...codes].map(([code, kind]) => ({ file, code, ...kind })),
);
const page = readFileSync(join(root, 'docs/problems.md'), 'utf8');

function repeated(values: readonly string[]): string[] {
  return values.filter((value, index) => values.indexOf(value) !== index);
}

describe('problem codes', () => {
  it('are declared once', () => {
    expect(all.length).toBeGreaterThan(40);
    expect(repeated(all.map((one) => one.code))).toEqual([]);
  });

  it('are an area and a name', () => {
    expect(all.map((one) => one.code).filter((code) => !/^[a-z]+\.[a-z0-9-]+$/.test(code))).toEqual([]);
  });

  it('have a known disposition and a hint that is a sentence', () => {
    const poor = all.filter(
      (one) => !dispositions.includes(one.disposition) || !/^\S.{12,}[.!?]$/s.test(one.hint),
    );
    expect(poor.map((one) => `${one.code}: ${one.hint}`)).toEqual([]);
  });

  it('never share a hint', () => {
    expect(repeated(all.map((one) => one.hint))).toEqual([]);
  });

  it('are all on the page, and the page has no others', () => {
    const documented = [...page.matchAll(/^\| `([a-z]+\.[^`]+)` \|/gm)].map((match) => match[1]);
    expect(documented.sort()).toEqual(all.map((one) => one.code).sort());
  });

  it('have a page that npm run docs would write the same', () => {
    expect(page).toBe(problemsPage(registries));
  });

  it('are all used somewhere', () => {
    const text = sourceFiles('agent', 'inventory', 'reconciler')
      .filter((file) => !file.path.includes('problem-codes'))
      .map((file) => file.text)
      .join('\n');
    const unused = all.filter((one) => !text.includes(`'${one.code}'`));
    expect(unused.map((one) => one.code)).toEqual([]);
  });
});
