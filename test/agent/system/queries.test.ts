import { describe, expect, it } from 'vitest';
import * as queries from '../../../agent/system/queries.ts';
import type { Query } from '../../../agent/system/system.ts';
import { testHost } from '../test-host.ts';

describe('queries', () => {
  it('lets every built question pass, whatever the names in it', () => {
    for (const name of ['bash', '--root=/x', '-H', '; rm -rf /']) {
      const built = [
        queries.aptPolicy(name),
        queries.unitProperties(name, 'LoadState', 'ActiveState'),
        queries.nameService('passwd', name),
        queries.nameService('group'),
      ];
      for (const query of built) {
        expect(() => queries.verifyQuery(query)).not.toThrow();
        if (query.args.includes(name)) expect(query.args.slice(-2)).toEqual(['--', name]);
      }
    }
  });

  it.each([
    ['systemctl', ['restart', 'ssh']],
    ['systemctl', ['-H', 'other', 'show']],
    ['systemctl', ['show', '--root=/x']],
    ['dpkg-query', ['--admindir=/x', '-W']],
    ['apt-cache', ['gencaches']],
    ['apt-cache', ['policy', '-o', 'Dir=/x']],
    ['getent', ['services']],
    ['id', ['--zero\0']],
    ['rm', ['-rf']],
    ['systemctl', []],
  ])('refuses %s %j', (program, args) => {
    expect(() => queries.verifyQuery({ program, args } as Query)).toThrow(/a check may not run/);
  });

  it('asks in the C locale and gets an answer', async () => {
    const host = testHost();
    const result = await host.reader.query(queries.nameService('passwd', 'root'));
    expect(result).toMatchObject({ status: 0, stdout: expect.stringMatching(/^root:/) });
    await expect(host.reader.query({ program: 'systemctl', args: ['stop', 'x'] })).rejects.toThrow();
    host.remove();
  });
});
