import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlannedResource } from '../../../agent/protocol/plan.ts';
import { lineResource } from '../../../agent/resources/line.ts';
import { acts, applying, codeOf, converge, type TestHost, testHost } from '../test-host.ts';

let host: TestHost;
beforeEach(() => {
  host = testHost();
});
afterEach(() => host.remove());

const latin = (text: string) => Buffer.from(text, 'latin1');

describe('line', () => {
  it.each([
    ['goes to the end', 'a\n', { line: 'x' }, 'a\nx\n'],
    ['ends a last line that had no end', 'a', { line: 'x' }, 'a\nx\n'],
    ['goes into an empty file', '', { line: 'x' }, 'x\n'],
    ['is left where it stands', 'x\na', { line: 'x' }, 'x\na'],
    ['replaces the last match', 'p=1\np=2\nq', { line: 'p=3', match: '^p=' }, 'p=1\np=3\nq'],
    ['keeps a missing final newline when replaced', 'a\np=1', { line: 'p=3', match: '^p=' }, 'a\np=3'],
    ['settles when it does not match its pattern', 'p=1\np=1\n', { line: 'q', match: '^p=1$' }, 'p=1\nq\n'],
    ['goes after the last match of after', 'a\nb\na\nc\n', { line: 'x', after: '^a$' }, 'a\nb\na\nx\nc\n'],
    ['goes after a last line without an end', 'b\na', { line: 'x', after: '^a$' }, 'b\na\nx\n'],
    ['goes before the last match of before', 'c\nb\nc\n', { line: 'x', before: '^c' }, 'c\nb\nx\nc\n'],
    ['goes to the end when after matches nothing', 'a\n', { line: 'x', after: 'zz' }, 'a\nx\n'],
    ['takes the CRLF ends of the file', 'a\r\nb', { line: 'x' }, 'a\r\nb\r\nx\r\n'],
    [
      'keeps the CRLF end of the line it replaces',
      'p=1\r\nb\r\n',
      { line: 'p=2', match: '^p' },
      'p=2\r\nb\r\n',
    ],
    ['is compared without a carriage return at its end', 'x\r\n', { line: 'x\r' }, 'x\r\n'],
    ['may be empty', 'a\n', { line: '' }, 'a\n\n'],
    ['has an end when nothing else is left of it', 'a\np=1', { line: '', match: '^p=' }, 'a\n\n'],
  ])('%s', async (_, before, wanted, after) => {
    const path = host.path('f');
    writeFileSync(path, before);
    const { announced, left } = await converge(host, lineResource, { path, state: 'present', ...wanted });
    expect(readFileSync(path, 'utf8')).toBe(after);
    expect(announced).toHaveLength(before === after ? 0 : 1);
    expect(left).toEqual([]);
  });

  it.each([
    ['all equal lines go', 'x\na\nx', { line: 'x' }, 'a\n'],
    ['all matching lines go', 'p1\na\np2\n', { line: '', match: '^p' }, 'a\n'],
    ['nothing matches, nothing goes', 'a\r\n', { line: 'x' }, 'a\r\n'],
  ])('with state absent %s', async (_, before, wanted, after) => {
    const path = host.path('f');
    writeFileSync(path, before);
    const { left } = await converge(host, lineResource, { path, state: 'absent', ...wanted });
    expect(readFileSync(path, 'utf8')).toBe(after);
    expect(left).toEqual([]);
  });

  it('tells the old and the new line and shows a diff', async () => {
    const path = host.path('f');
    writeFileSync(path, 'a\np=1\n');
    const { announced } = await converge(host, lineResource, {
      path,
      state: 'present',
      line: 'p=2',
      match: '^p=',
    });
    expect(announced).toEqual([
      { action: 'update', property: 'line', from: 'p=1', to: 'p=2', diff: '@@ -1,2 +1,2 @@\n a\n-p=1\n+p=2' },
    ]);
  });

  it('keeps bytes that are not UTF-8 as they are', async () => {
    const path = host.path('f');
    writeFileSync(path, latin('caf\xe9\nna\xefve=1\n'));
    const wanted = { path, state: 'present' as const, line: 'ü=2', match: '=1$' };
    expect((await converge(host, lineResource, wanted)).left).toEqual([]);
    expect(readFileSync(path)).toEqual(Buffer.concat([latin('caf\xe9\n'), Buffer.from('ü=2\n')]));
  });

  it('makes the file only with create, with mode and a parent', async () => {
    const wanted = { path: host.path('d', 'f'), state: 'present' as const, line: 'x', mode: '0600' };
    expect(await codeOf(converge(host, lineResource, wanted))).toBe('file.missing');
    expect(await codeOf(converge(host, lineResource, { ...wanted, create: true }))).toBe(
      'file.parent-missing',
    );
    mkdirSync(host.path('d'));
    const { announced, left } = await converge(host, lineResource, { ...wanted, create: true });
    expect(acts(announced)).toEqual(['create state']);
    expect(left).toEqual([]);
    expect(await host.reader.stat(wanted.path)).toMatchObject({ mode: '0600', size: 2 });
  });

  it('changes a mode alone when the line stands already', async () => {
    const path = host.path('f');
    writeFileSync(path, 'x\n');
    chmodSync(path, 0o644);
    const wanted = { path, state: 'present' as const, line: 'x', mode: '0600' };
    expect(acts((await converge(host, lineResource, wanted)).announced)).toEqual(['update mode']);
  });

  it('has nothing to do to be absent from a missing file', async () => {
    const wanted = { path: host.path('f'), state: 'absent' as const, line: 'x', create: true };
    expect((await converge(host, lineResource, wanted)).announced).toEqual([]);
    expect(existsSync(host.path('f'))).toBe(false);
  });

  it('refuses a directory and a pattern that is none', async () => {
    expect(await codeOf(converge(host, lineResource, { path: host.root, state: 'present', line: 'x' }))).toBe(
      'file.wrong-type',
    );
    writeFileSync(host.path('f'), '');
    const wanted = { path: host.path('f'), state: 'present' as const, line: 'x', match: '(' };
    expect(await codeOf(converge(host, lineResource, wanted))).toBe('resource.failed');
  });

  it('is unknown in a dry run when something pending writes or may make the file', async () => {
    const path = host.path('f');
    const check = (id: string, wanted: object) =>
      lineResource.check(
        host.reader,
        { path, state: 'present', line: 'x' },
        {
          ...applying,
          pending: [{ id, kind: id.split(':')[0], wanted, meta: {} } as unknown as PlannedResource],
        },
      );
    expect(await check('file:f', { path, state: 'present' })).toHaveProperty('unknown');
    expect(await check('directory:d', { path: host.root, tree: [{ path: 'f' }] })).toHaveProperty('unknown');
    expect(await check('line:l', { path })).toEqual({
      unknown: `${path} is not there yet; line:l may make it`,
    });
    expect(await check('package:p', {})).toHaveProperty('unknown');
    writeFileSync(path, '');
    expect(await check('file:f', { path, state: 'present' })).toHaveProperty('unknown');
    expect(acts((await check('line:l', { path })) as [])).toEqual(['update line']);
  });
});
