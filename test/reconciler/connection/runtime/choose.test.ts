import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseRuntime } from '../../../../reconciler/connection/runtime/choose.ts';
import { type HostProbe, placeStates } from '../../../../reconciler/connection/runtime/probe.ts';

const debian: HostProbe = {
  system: 'Linux',
  machine: 'x86_64',
  libc: 'glibc',
  libcVersion: '2.36',
  loaders: ['x64'],
  cxx: 'fits',
  unpackers: ['gzip', 'none'],
  places: [{ place: 'home', state: 'usable', free: 1e9 }],
};

function refusal(more: Partial<HostProbe>): string {
  const choice = chooseRuntime('web1', { ...debian, ...more });
  if (choice.ok) return `chose ${choice.value.platform}`;
  expect(choice.problem.where).toEqual({ host: 'web1' });
  return `${choice.problem.code}: ${choice.problem.message}`;
}

describe('choosing a runtime', () => {
  it('takes the build of the platform, the best unpacker and the first usable place', () => {
    expect(chooseRuntime('web1', debian)).toEqual({
      ok: true,
      value: { platform: 'linux-x64', compression: 'gzip', place: 'home' },
    });
    const arm: HostProbe = {
      ...debian,
      machine: 'aarch64',
      loaders: ['arm64'],
      unpackers: ['zstd', 'gzip', 'none'],
      places: [
        { place: 'home', state: 'noexec' },
        { place: 'var-tmp', state: 'usable' },
      ],
    };
    expect(chooseRuntime('web1', arm)).toEqual({
      ok: true,
      value: { platform: 'linux-arm64', compression: 'zstd', place: 'var-tmp' },
    });
  });

  it('sends the file as it is to a host that can unpack nothing', () => {
    expect(chooseRuntime('web1', { ...debian, unpackers: ['none'] })).toMatchObject({
      value: { compression: 'none' },
    });
  });

  it('goes on where the host does not know its own versions', () => {
    expect(refusal({ libcVersion: undefined, cxx: 'unknown' })).toBe('chose linux-x64');
  });

  it.each([
    [{ libc: 'musl' }, 'runtime.musl'],
    [{ libc: 'unknown' }, 'runtime.no-glibc'],
    [{ machine: 'aarch64' }, 'runtime.no-glibc'],
    [
      { libcVersion: '2.17' },
      'runtime.libc-too-old: the host has glibc 2.17, and the Node to ship needs 2.28',
    ],
    [{ libcVersion: '1.99' }, 'runtime.libc-too-old'],
    [{ cxx: 'absent' }, 'runtime.no-libstdcxx: the host has no libstdc++.so.6'],
    [{ cxx: 'old' }, 'runtime.no-libstdcxx: the host has a libstdc++.so.6 that is too old'],
    [{ machine: 'riscv64' }, 'runtime.unknown-platform: there is no build of Node here for Linux riscv64'],
    [{ system: 'FreeBSD' }, 'runtime.unknown-platform'],
    [{ places: [] }, 'runtime.no-place'],
  ] as const)('refuses %j', (more, expected) => {
    expect(refusal(more)).toContain(expected);
  });

  it('takes glibc 2.28 and everything after it', () => {
    for (const libcVersion of ['2.28', '2.100', '3.0'])
      expect(refusal({ libcVersion })).toBe('chose linux-x64');
  });

  it('says of every place why it is none', () => {
    const places = [
      { place: 'home', state: 'noexec' },
      { place: 'var-tmp', state: 'foreign' },
      { place: 'tmp', state: 'unwritable' },
    ] as const;
    expect(refusal({ places })).toBe(
      'runtime.no-place: no folder on the host can hold a program (~/.cache/towline: programs may not run there; ' +
        '/var/tmp: belongs to another account; /tmp: cannot be written)',
    );
    const small = [...places, { place: 'shm', state: 'small', free: 64e6 }] as const;
    expect(refusal({ places: small })).toContain('/dev/shm: 64 MB free');
    expect(refusal({ places: small })).toContain('runtime.no-space: a Node takes 130 MB');
  });

  it('never chooses a place that is not usable', () => {
    const place = fc.record({
      place: fc.constantFrom('home' as const, 'tmp' as const, 'shm' as const),
      state: fc.constantFrom(...placeStates),
    });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 5 }), (places) => {
        const choice = chooseRuntime('web1', { ...debian, places });
        const usable = places.filter(({ state }) => state === 'usable');
        expect(choice.ok ? choice.value.place : undefined).toBe(usable[0]?.place);
      }),
    );
  });
});
