/**
 * Holds the form every source file has: header, length, no console, no unfinished corners.
 * Invariant: files are found by folder; there is no list of exceptions.
 * Never judges style that the formatter or the linter settles.
 */

import { describe, expect, it } from 'vitest';
import { sourceFiles, withoutComments } from './source-files.ts';

const product = sourceFiles('agent', 'inventory', 'reconciler');
const all = [...product, ...sourceFiles('bin', 'scripts', 'test')].filter(
  (file) => !file.path.startsWith('test/cases/') && !file.path.startsWith('test/types/'),
);
/** Tests say what they hold in their titles; everything else says it in a header. */
const headed = [...product, ...sourceFiles('bin', 'scripts', 'test/fleet', 'test/helpers')].filter(
  (file) => !file.path.endsWith('.test.ts'),
);

/** The prose of the header: without a drawing, which is set apart by indentation or an empty line. */
function headerOf(text: string): string[] {
  const lines = text.match(/^(?:#!.*\n)?\/\*\*\n((?: \*.*\n){1,30}?) \*\//)?.[1]?.split('\n') ?? [];
  return lines.filter((line) => line.trim() !== '*' && line !== '' && !line.startsWith(' *  '));
}

function paths(files: readonly { path: string }[]): string[] {
  return files.map((file) => file.path);
}

describe('every source file', () => {
  it('has at most 400 lines', () => {
    const long = all.filter((file) => file.text.split('\n').length > 400);
    expect(paths(long)).toEqual([]);
  });

  it('begins with its job, its invariant and what it never does', () => {
    const bare = headed.filter(({ text }) => {
      const prose = headerOf(text);
      const complete = prose.length >= 3 && prose.some((line) => line.startsWith(' * Invariant: '));
      return !complete || prose.length > 6;
    });
    expect(paths(bare)).toEqual([]);
  });

  it('exports by name', () => {
    const defaults = product.filter((file) => /^export default/m.test(file.text));
    expect(paths(defaults)).toEqual([]);
  });

  it('leaves nothing for later', () => {
    const open = product.filter((file) => /\b(TODO|FIXME|XXX|HACK)\b/.test(file.text));
    expect(paths(open)).toEqual([]);
  });

  it('is named by nouns in kebab case', () => {
    const odd = product.filter(
      (file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(file.path.split('/').at(-1) ?? ''),
    );
    expect(paths(odd)).toEqual([]);
  });

  it('is no catch-all', () => {
    const vague = product.filter((file) =>
      /\/(utils?|helpers?|misc|common-?lib|shared)\.ts$/.test(file.path),
    );
    expect(paths(vague)).toEqual([]);
  });

  it('prints through the reporters, never through console', () => {
    const printing = product.filter((file) => /\bconsole\s*\./.test(withoutComments(file.text)));
    expect(paths(printing)).toEqual([]);
  });

  it('ends the process only from an entry', () => {
    const exiting = product.filter((file) => /\bprocess\.exit\(/.test(withoutComments(file.text)));
    expect(paths(exiting).filter((path) => !path.endsWith('/main.ts'))).toEqual([]);
  });
});
