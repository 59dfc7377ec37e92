import { describe, expect, it } from 'vitest';
import {
  filesSuffice,
  findId,
  parseAccounts,
  parseGroups,
  readDatabase,
  resolveIds,
} from '../../../agent/system/accounts.ts';
import type { SystemReader } from '../../../agent/system/system.ts';
import { codeOf, testHost } from '../test-host.ts';

describe('account databases', () => {
  it('are read entry by entry, leaving out what is none', () => {
    const text = 'root:x:0:0:root:/root:/bin/bash\n# comment\n+nis::::::\nbad:x:no:0\n\nsvc:*:9:8:A B:/:\n';
    expect(parseAccounts(text)).toEqual([
      { name: 'root', uid: 0, gid: 0, comment: 'root', home: '/root', shell: '/bin/bash' },
      { name: 'svc', uid: 9, gid: 8, comment: 'A B', home: '/', shell: '/bin/sh' },
    ]);
    expect(parseGroups('wheel:x:10:a,b\nempty:x:11:\nbad:x::\n')).toEqual([
      { name: 'wheel', gid: 10, members: ['a', 'b'] },
      { name: 'empty', gid: 11, members: [] },
    ]);
  });

  it.each([
    ['', true],
    ['hosts: dns\n', true],
    ['passwd: files\n', true],
    ['passwd:\tfiles systemd # note ldap\n', true],
    ['passwd: files [NOTFOUND=return] systemd\n', true],
    ['passwd: files sss\n', false],
    ['passwd: ldap\n', false],
  ])('are answered by files for %j: %s', (nsswitch, answer) => {
    expect(filesSuffice(nsswitch, 'passwd')).toBe(answer);
  });

  it('resolve names and numbers, and refuse what does not exist', async () => {
    const { reader, remove } = testHost();
    expect(await findId(reader, 'user', 'root')).toBe(0);
    expect(await findId(reader, 'group', 'root')).toBe(0);
    expect(await findId(reader, 'user', '4242')).toBe(4242);
    expect(await findId(reader, 'group', '4242')).toBe(4242);
    for (const name of ['no-such-account', '', 'a:b', '-x', '12345678901']) {
      expect(await findId(reader, 'user', name)).toBe(undefined);
      expect(await findId(reader, 'group', name)).toBe(undefined);
    }
    expect(await resolveIds(reader, { group: 'root' })).toEqual({ uid: undefined, gid: 0 });
    expect(await codeOf(resolveIds(reader, { owner: 'nobody-here' }))).toBe('file.unknown-owner');
    expect(await codeOf(resolveIds(reader, { group: 'nobody-here' }))).toBe('file.unknown-owner');
    remove();
  });

  it('ask the name service where files do not suffice, and fall back to the file without one', async () => {
    const host = testHost();
    const files: Record<string, string> = {
      '/etc/nsswitch.conf': 'passwd: files ldap\n',
      '/etc/passwd': 'only:x:1:1:::\n',
    };
    const reader: SystemReader = Object.assign(Object.create(host.reader) as SystemReader, {
      readFile: async (path: string) => Buffer.from(files[path] ?? ''),
    });
    expect(await readDatabase(reader, 'passwd')).toMatch(/^root:/m);
    host.remove();
  });
});
