import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../../../agent/resources/package/apt-policy.ts';
import { aptProblem, callsFor } from '../../../../agent/resources/package/apt-transaction.ts';
import {
  findPackage,
  findProvider,
  isInstalled,
  parseDpkg,
} from '../../../../agent/resources/package/dpkg-database.ts';

const stanza = (name: string, more: string) => `Package: ${name}\n${more}\n`;
const status = [
  stanza('dpkg', 'Status: install ok installed\nArchitecture: amd64\nVersion: 1.21'),
  stanza('libx', 'Status: install ok installed\nArchitecture: i386\nVersion: 1'),
  stanza('libx', 'Status: deinstall ok config-files\nArchitecture: amd64\nVersion: 2'),
  stanza(
    'mta',
    'Status: install ok triggers-awaited\nArchitecture: all\nVersion: 3\nProvides: mail-agent (= 9), mail:any\nDescription: a\n Provides: nothing',
  ),
  stanza('old', 'Status: deinstall ok config-files\nArchitecture: all\nVersion: 3\nProvides: gone'),
].join('\n');

describe('dpkg’s database', () => {
  const database = parseDpkg([status]);

  it('finds a name in its own architecture, unless another is asked for', () => {
    expect(findPackage(database, 'libx')).toMatchObject({ architecture: 'amd64', status: 'config-files' });
    expect(findPackage(database, 'libx:native')).toMatchObject({ architecture: 'amd64' });
    expect(findPackage(database, 'libx:i386')).toMatchObject({ architecture: 'i386', version: '1' });
    expect(findPackage(database, 'libx:any')).toMatchObject({ architecture: 'i386' });
    expect(findPackage(database, 'nothing')).toBeUndefined();
  });

  it('knows what stands in for a name, but only by installed packages', () => {
    expect(findProvider(database, 'mail-agent')?.name).toBe('mta');
    expect(findProvider(database, 'mail-agent', '9')?.name).toBe('mta');
    expect(findProvider(database, 'mail-agent', '8')).toBeUndefined();
    expect(findProvider(database, 'mail')?.name).toBe('mta');
    expect(findProvider(database, 'gone')).toBeUndefined();
    expect(findProvider(database, 'nothing')).toBeUndefined();
  });

  it('counts a package that waits for a trigger as installed', () => {
    const mta = findPackage(database, 'mta');
    expect(mta !== undefined && isInstalled(mta)).toBe(true);
  });

  it('lets updates that dpkg has not merged yet win', () => {
    const update = stanza('libx', 'Status: install ok installed\nArchitecture: amd64\nVersion: 4');
    expect(findPackage(parseDpkg([status, update]), 'libx')).toMatchObject({
      version: '4',
      status: 'installed',
    });
  });

  it('reads an empty text as a host without packages', () => {
    expect(findPackage(parseDpkg(['']), 'bash')).toBeUndefined();
  });
});

describe('apt’s answers', () => {
  it('give the candidate and all versions', () => {
    const text = `bash:
  Installed: 5.2-2
  Candidate: 5.2-3
  Version table:
     5.2-3 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
 *** 5.2-2 100
        100 /var/lib/dpkg/status
`;
    expect(parsePolicy(text)).toEqual({ candidate: '5.2-3', versions: ['5.2-3', '5.2-2'] });
  });

  it('tell a virtual package from an unknown one', () => {
    const text = 'awk:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n';
    expect(parsePolicy(text)).toEqual({ candidate: undefined, versions: [] });
    expect(parsePolicy('')).toBeUndefined();
  });

  it('become problems by what apt-get said last', () => {
    const cases = [
      ['E: Unable to locate package x', 'package.unknown'],
      ["E: Package 'awk' has no installation candidate", 'package.unknown'],
      ["E: Version '9' for 'bash' was not found", 'package.unknown'],
      ['E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)', 'package.locked'],
      ['E: Unable to lock directory /var/lib/apt/lists/', 'package.locked'],
      ['E: Unable to acquire the dpkg frontend lock (/x), are you root?', 'package.failed'],
      ['E: something else', 'package.failed'],
    ] as const;
    for (const [stderr, code] of cases) {
      const result = { status: 100, signal: null, stdout: 'noise\n', stderr, timedOut: false };
      expect(aptProblem('install', result), stderr).toMatchObject({ code, lines: ['noise', stderr] });
    }
    const killed = { status: null, signal: 'SIGKILL', stdout: '', stderr: '', timedOut: false };
    expect(aptProblem('install', killed).message).toBe('apt-get install was ended by SIGKILL');
  });

  it('are asked for by name, version and what becomes of the configuration', () => {
    const item = (name: string, more: object) => ({
      wanted: { package: name, state: 'present' as const, ...more },
      changes: [],
    });
    const items = [
      item('a', {}),
      item('b', { version: '1' }),
      item('c', { state: 'absent' }),
      item('d', { state: 'absent', purge: true }),
    ];
    expect(callsFor(items)).toEqual({ install: ['a', 'b=1'], remove: ['c'], purge: ['d'] });
  });
});
