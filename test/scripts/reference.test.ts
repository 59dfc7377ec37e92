import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kinds } from '../../agent/protocol/kind.ts';
import { authoringDocs } from '../../scripts/authoring-docs.ts';
import { commandsPage, defaultsPage, resourcesPage } from '../../scripts/reference-pages.ts';

const page = (name: string): string =>
  readFileSync(resolve(import.meta.dirname, '../../docs/reference', name), 'utf8');

describe('the reference', () => {
  it('of resources is what npm run docs would write', () => {
    expect(page('resources.md')).toBe(resourcesPage());
  });

  it('of commands is what npm run docs would write', async () => {
    expect(page('commands.md')).toBe(await commandsPage());
  });

  it('of defaults is what npm run docs would write', () => {
    expect(page('defaults.md')).toBe(defaultsPage());
  });

  it('has a section for every kind there is', () => {
    const helpers = new Set(authoringDocs().helpers.map(({ name }) => (name === 'pkg' ? 'package' : name)));
    expect([...helpers].sort()).toEqual([...kinds].sort());
  });

  it('says of every parameter what it takes, in full', () => {
    const text = page('resources.md');
    expect(text).toContain("| `state` | `'present' \\| 'absent'` |");
    expect(text).toContain('`Resource \\| string \\| (Resource \\| string)[]`');
    expect(text).toContain('| `argv` (required) | `string[]` |');
  });
});
