/**
 * Holds the pages to the tree: what they link to and what they name is there.
 * Invariant: pages are found by folder, so a new page is held without being listed.
 * Never judges prose.
 */

import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { steps } from '../../reconciler/reconcile.ts';
import { root } from './source-files.ts';

const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root }).sort()].map((path) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}));

/** Headings as the anchors that renderers make of them. */
function anchors(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the pages', () => {
  it('link to what is there', () => {
    const broken = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => {
          const [file = '', anchor] = target.split('#');
          const there = file === '' ? path : join(dirname(path), file);
          if (!existsSync(join(root, there))) return true;
          return anchor !== undefined && !anchors(there).includes(anchor);
        })
        .map((target) => `${path} links to ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name files that exist', () => {
    const known = /`((?:agent|inventory|reconciler|scripts|test|docs|bin|repo-template)\/[\w./-]*)`/g;
    const missing = pages.flatMap(({ path, text }) =>
      [...text.matchAll(known)]
        .map(([, file = '']) => file)
        .filter((file) => !existsSync(join(root, file)) && !path.startsWith('docs/guides/'))
        .map((file) => `${path} names ${file}`),
    );
    expect(missing).toEqual([]);
  });

  it('are all reached from the README or from a page it links to', () => {
    const linked = new Set(
      pages.flatMap(({ path, text }) =>
        [...text.matchAll(/\]\(([^)#\s]+)/g)].map(([, target = '']) => join(dirname(path), target)),
      ),
    );
    const lost = pages.filter(
      ({ path }) => path !== 'README.md' && !linked.has(path) && !linked.has(`${dirname(path)}/`),
    );
    expect(lost.map(({ path }) => path)).toEqual([]);
  });

  it('tell every step of a run, in order', () => {
    const named = steps.map(({ name }) => name);
    const architecture = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const told = [...architecture.matchAll(/^ +\d\. `reconciler\/steps\/([\w-]+)\.ts`/gm)].map(
      ([, one]) => one,
    );
    expect(told).toEqual(named);
    const states = readFileSync(join(root, 'docs/states.md'), 'utf8');
    expect(states).toContain(named.join(' ─► '));
  });

  it('have the whole house on the map', () => {
    const architecture = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const folders = readdirSync(join(root, 'reconciler'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `reconciler/${entry.name}/`);
    expect(folders.filter((folder) => !architecture.includes(`| \`${folder}\` |`))).toEqual([]);
  });

  it('number decisions without a gap', () => {
    const numbers = readdirSync(join(root, 'docs/decisions'))
      .sort()
      .map((name) => Number(name.slice(0, 4)));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});
