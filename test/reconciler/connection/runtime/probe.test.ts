import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { needs } from '../../../../reconciler/connection/runtime/choose.ts';
import { type HostProbe, probeHost, readProbe } from '../../../../reconciler/connection/runtime/probe.ts';
import { systemProgram } from '../../../fleet/available.ts';
import { shellRunner } from '../../../helpers/shell-runner.ts';
import { temporaryDirectories } from '../../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();
const options = { space: needs.space, symbols: needs.symbols, startDeadline: 10_000 };
const busybox = systemProgram('busybox');

const spare = `/var/tmp/towline-${process.getuid?.()}`;
const wasThere = existsSync(spare);
afterAll(() => {
  if (!wasThere) rmSync(spare, { recursive: true, force: true });
});

/** A home, and a folder of programs in front of PATH. */
function account(programs: Readonly<Record<string, string>> = {}): {
  readonly home: string;
  readonly env: Record<string, string>;
} {
  const folder = fresh();
  const [home, bin] = [join(folder, 'home'), join(folder, 'bin')];
  for (const made of [home, bin]) mkdirSync(made);
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return { home, env: { HOME: home, PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin` } };
}

async function probed(programs: Readonly<Record<string, string>> = {}): Promise<HostProbe> {
  const probe = await probeHost(shellRunner({ env: account(programs).env }), { host: 'here' }, options);
  if (!probe.ok) throw new Error(probe.problem.message);
  return probe.value;
}

describe('probing a host', () => {
  it('learns what this machine is like, and leaves the folder for the runtime', async () => {
    const { home, env } = account();
    const probe = await probeHost(shellRunner({ env }), { host: 'here' }, options);
    expect(probe).toMatchObject({
      ok: true,
      value: {
        system: 'Linux',
        libc: 'glibc',
        libcVersion: expect.stringMatching(/^\d+\.\d+$/),
        cxx: 'fits',
        unpackers: expect.arrayContaining(['gzip', 'none']),
        places: [{ place: 'home', state: 'usable', free: expect.any(Number) }],
      },
    });
    expect(readdirSync(join(home, '.cache/towline'))).toEqual([]);
  });

  it('is not misled by what is printed before', async () => {
    const env = account().env;
    const noisy = ['/bin/sh', '-c', 'echo libc musl; echo end; echo place home noexec; eval "$0"'];
    const probe = await probeHost(shellRunner({ env, shell: noisy }), { host: 'here' }, options);
    expect(probe).toMatchObject({ value: { libc: 'glibc', places: [{ place: 'home', state: 'usable' }] } });
  });

  it('tells musl from glibc, with getconf, with ldd alone, and leaves musl’s disk alone', async () => {
    const musl = { getconf: 'exit 1', ldd: 'echo "musl libc (x86_64)" >&2; exit 1' };
    const { home, env } = account(musl);
    const probe = await probeHost(shellRunner({ env }), { host: 'here' }, options);
    expect(probe).toMatchObject({ value: { libc: 'musl', libcVersion: undefined, places: [] } });
    expect(existsSync(join(home, '.cache'))).toBe(false);
    expect(await probed({ getconf: 'echo glibc 2.17' })).toMatchObject({
      libc: 'glibc',
      libcVersion: '2.17',
    });
    const ubuntu = 'echo "ldd (Ubuntu GLIBC 2.31-0ubuntu9.16) 2.31"';
    expect(await probed({ getconf: 'exit 1', ldd: ubuntu })).toMatchObject({ libcVersion: '2.31' });
    const centos = 'echo "ldd (GNU libc) 2.17"';
    expect(await probed({ getconf: 'exit 1', ldd: centos })).toMatchObject({ libcVersion: '2.17' });
  });

  it('asks the library itself where nothing else knows', async () => {
    const probe = await probed({ getconf: 'exit 1', ldd: 'exit 1' });
    expect(probe).toMatchObject({ libc: 'glibc', libcVersion: expect.stringMatching(/^2\.\d+$/) });
  });

  it('sees a C++ library that lacks a symbol', async () => {
    const missing = { ...options, symbols: ['GLIBCXX_3.4.21', 'GLIBCXX_9.9.9'] };
    const probe = await probeHost(shellRunner({ env: account().env }), { host: 'here' }, missing);
    expect(probe).toMatchObject({ value: { cxx: 'old' } });
  });

  it('takes another place when the home is too small', async () => {
    const df = 'case $(pwd) in */home/*) k=1000;; *) k=9000000;; esac; echo h; echo "/dev/x 9 9 $k 1% /"';
    const probe = await probed({ df });
    expect(probe.places).toEqual([
      { place: 'home', state: 'small', free: 1000 * 1024 },
      { place: 'var-tmp', state: 'usable', free: 9_000_000 * 1024 },
    ]);
  });

  it('goes on without df', async () => {
    const { places } = await probed({ df: 'exit 1' });
    expect(places).toEqual([{ place: 'home', state: 'usable', free: undefined }]);
  });

  it('ends with a problem when the host says nothing it can use', async () => {
    const env = account().env;
    const dumb = ['/bin/sh', '-c', 'eval "$(echo "$0" | sed "s/LC_ALL=C; export.*/exit 0\'/")"'];
    const silent = await probeHost(shellRunner({ env, shell: dumb }), { host: 'here' }, options);
    expect(silent).toMatchObject({ problem: { code: 'runtime.probe-failed', where: { host: 'here' } } });
    const aborted = await probeHost(
      shellRunner({ env: account({ uname: 'sleep 60' }).env }),
      { host: 'here' },
      { ...options, signal: AbortSignal.timeout(300) },
    );
    expect(aborted.ok).toBe(false);
  });

  it.skipIf(busybox === undefined)('works where there is nothing but BusyBox', async () => {
    const folder = fresh();
    const [bin, home] = [join(folder, 'bin'), join(folder, 'home')];
    for (const made of [bin, home]) mkdirSync(made);
    const applets = 'sh uname head sed grep id df tail mkdir chmod rm rmdir gzip'.split(' ');
    for (const applet of applets) symlinkSync(busybox ?? '', join(bin, applet));
    const shell = [join(bin, 'sh'), '-c'];
    const runner = shellRunner({ shell, env: { PATH: bin, HOME: home } });
    expect(await probeHost(runner, { host: 'here' }, options)).toMatchObject({
      value: {
        libc: 'glibc',
        cxx: 'fits',
        unpackers: ['gzip', 'none'],
        places: [{ place: 'home', state: 'usable', free: expect.any(Number) }],
      },
    });
  });
});

describe('the answer of a host', () => {
  const answer = [
    'system Linux',
    'machine x86_64',
    'libc glibc',
    'version glibc 2.36',
    'loader x64',
    'cxx fits',
    'unpacker zstd',
    'place home usable 1000',
    'end',
  ];

  it('is read', () => {
    expect(readProbe(answer.join('\n'))).toEqual({
      system: 'Linux',
      machine: 'x86_64',
      libc: 'glibc',
      libcVersion: '2.36',
      loaders: ['x64'],
      cxx: 'fits',
      unpackers: ['zstd', 'none'],
      places: [{ place: 'home', state: 'usable', free: 1_024_000 }],
    });
    expect(readProbe(answer.join('\r\n'))).toEqual(readProbe(answer.join('\n')));
  });

  it('counts only when it is whole', () => {
    for (const needed of [0, 1, 2, 8])
      expect(readProbe(answer.filter((_, index) => index !== needed).join('\n'))).toBeUndefined();
  });

  it('cannot bring in words of its own', () => {
    const evil = ['machine \u001b[31m$(reboot)', 'system Linux;x', 'libc glibc', 'cxx new', 'end'];
    const places = ['place /etc usable 1', 'place home writable', 'place tmp usable 1e9', 'unpacker bzip2'];
    expect(readProbe([...evil, ...places].join('\n'))).toMatchObject({
      machine: '31mreboot',
      system: 'Linuxx',
      cxx: 'unknown',
      unpackers: ['none'],
      places: [{ place: 'tmp', state: 'usable', free: undefined }],
    });
  });

  it('never makes it throw, whatever it is', () => {
    const line = fc.oneof(fc.constantFrom(...answer), fc.string({ maxLength: 60 }));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const probe = readProbe(lines.join('\n'));
        for (const text of probe === undefined ? [] : [probe.system, probe.machine])
          expect(text).toMatch(/^[A-Za-z0-9_.-]{0,40}$/);
      }),
    );
  });
});
