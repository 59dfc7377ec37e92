import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { blockResource } from '../../../agent/resources/block.ts';
import { acts, codeOf, converge, type TestHost, testHost } from '../test-host.ts';

let host: TestHost;
beforeEach(() => {
  host = testHost();
});
afterEach(() => host.remove());

const markers = { begin: '# begin', end: '# end' };

describe('block', () => {
  it.each([
    ['goes to the end between its markers', 'a\n', { block: 'x\ny\n' }, 'a\n# begin\nx\ny\n# end\n'],
    ['ends a last line that had no end', 'a', { block: 'x' }, 'a\n# begin\nx\n# end\n'],
    ['may hold nothing', 'a\n', { block: '' }, 'a\n# begin\n# end\n'],
    ['may hold one empty line', 'a\n', { block: '\n' }, 'a\n# begin\n\n# end\n'],
    ['goes after a match', 'a\nb\n', { block: 'x', after: '^a' }, 'a\n# begin\nx\n# end\nb\n'],
    ['goes before a match', 'a\nb\n', { block: 'x', before: '^a' }, '# begin\nx\n# end\na\nb\n'],
    ['replaces what is between', 'a\n# begin\no\np\n# end\nb', { block: 'x' }, 'a\n# begin\nx\n# end\nb'],
    ['keeps an end marker without an end', '# begin\no\n# end', { block: 'x' }, '# begin\nx\n# end'],
    ['is left when it is right', '# begin\nx\n# end', { block: 'x\n' }, '# begin\nx\n# end'],
    ['tells an empty line from none', '# begin\n# end\n', { block: '\n' }, '# begin\n\n# end\n'],
    ['takes CRLF from the file', 'a\r\n', { block: 'x\ny' }, 'a\r\n# begin\r\nx\r\ny\r\n# end\r\n'],
    ['goes behind a stray end marker', '# end\n', { block: 'x' }, '# end\n# begin\nx\n# end\n'],
  ])('%s', async (_, before, wanted, after) => {
    const path = host.path('f');
    writeFileSync(path, before);
    const { announced, left } = await converge(host, blockResource, {
      path,
      state: 'present',
      ...markers,
      ...wanted,
    });
    expect(readFileSync(path, 'utf8')).toBe(after);
    expect(acts(announced)).toEqual(before === after ? [] : ['update block']);
    expect(left).toEqual([]);
  });

  it('goes with its markers and leaves every other byte', async () => {
    const path = host.path('f');
    writeFileSync(path, 'a\r\n# begin\nx\n# end\r\nb');
    const wanted = { path, state: 'absent' as const, block: 'other', ...markers };
    const { announced, left } = await converge(host, blockResource, wanted);
    expect(announced).toMatchObject([{ action: 'update', property: 'block', from: 'x' }]);
    expect(left).toEqual([]);
    expect(readFileSync(path, 'utf8')).toBe('a\r\nb');
    expect((await converge(host, blockResource, wanted)).announced).toEqual([]);
  });

  it('makes the file with create', async () => {
    const wanted = { path: host.path('f'), state: 'present' as const, block: 'x', create: true, ...markers };
    const { announced, left } = await converge(host, blockResource, wanted);
    expect(acts(announced)).toEqual(['create state']);
    expect(left).toEqual([]);
    expect(readFileSync(host.path('f'), 'utf8')).toBe('# begin\nx\n# end\n');
  });

  it('works with one marker for both ends', async () => {
    const path = host.path('f');
    writeFileSync(path, 'a\n');
    const same = { begin: '---', end: '---' };
    for (const block of ['x', 'y\nz']) {
      const { left } = await converge(host, blockResource, { path, state: 'present', block, ...same });
      expect(left).toEqual([]);
    }
    expect(readFileSync(path, 'utf8')).toBe('a\n---\ny\nz\n---\n');
  });

  it('refuses a begin without an end, two begins, and a block that holds a marker', async () => {
    const path = host.path('f');
    const wanted = { path, state: 'present' as const, block: 'x', ...markers };
    const block = '# begin\nb\n# end\n';
    for (const text of ['a\n# begin\nb\n', block + block, `# begin\n${block}`, `${block}# begin\n`])
      for (const state of ['present', 'absent'] as const) {
        writeFileSync(path, text);
        expect(await codeOf(converge(host, blockResource, { ...wanted, state }))).toBe('resource.failed');
        expect(readFileSync(path, 'utf8')).toBe(text);
      }
    writeFileSync(path, '');
    expect(await codeOf(converge(host, blockResource, { ...wanted, block: 'x\n# end\ny' }))).toBe(
      'resource.failed',
    );
  });
});
