/**
 * From what a host is like to the runtime it gets: which build, how compressed, where to; or why it can get none.
 * Invariant: a host that cannot run the build is refused before a byte is sent; what is unknown is left to the trial on the host.
 * Pure.
 */

import { failure, type Problem, type Result, success } from '../../../agent/protocol/problem.ts';
import { connectionProblem } from '../../base/problem-codes/connection.ts';
import type { Platform } from './pinned-builds.ts';
import { type Place, placeName } from './places.ts';
import type { Compression, HostProbe, PlaceReport, PlaceState } from './probe.ts';

/** What Node’s own builds ask of a host; a test compares it with the build. */
export const needs = {
  glibc: '2.28',
  symbols: ['GLIBCXX_3.4.21', 'CXXABI_1.3.11'],
  /** Bytes of the unpacked file, rounded up. */
  space: 130_000_000,
} as const;

export interface RuntimeChoice {
  readonly platform: Platform;
  readonly compression: Compression;
  readonly place: Place;
}

/** Chooses for a host. */
export function chooseRuntime(host: string, probe: HostProbe): Result<RuntimeChoice> {
  const platform = platformOf(probe);
  const refusal = refusePlatform(probe, platform) ?? refuseLibraries(probe);
  const place = probe.places.find(({ state }) => state === 'usable')?.place;
  const problem = refusal ?? (place === undefined ? refusePlaces(probe.places) : undefined);
  if (problem !== undefined || platform === undefined || place === undefined)
    return failure({ ...(problem ?? unknownPlatform(probe)), where: { host } });
  const compression = probe.unpackers[0] ?? 'none';
  return success({ platform, compression, place });
}

function platformOf({ system, machine }: HostProbe): Platform | undefined {
  if (system !== 'Linux') return undefined;
  if (/^(x86_64|amd64)$/.test(machine)) return 'linux-x64';
  return /^(aarch64|arm64)$/.test(machine) ? 'linux-arm64' : undefined;
}

function refusePlatform(probe: HostProbe, platform: Platform | undefined): Problem | undefined {
  if (platform === undefined) return unknownPlatform(probe);
  if (probe.libc === 'musl') {
    return connectionProblem(
      'runtime.musl',
      'the host’s C library is musl, and Node’s own builds need glibc',
    );
  }
  const loader = platform === 'linux-x64' ? 'x64' : 'arm64';
  if (probe.libc === 'unknown' || !probe.loaders.includes(loader)) {
    const message = `the host has no 64-bit glibc in the usual place (${probe.system} ${probe.machine})`;
    return connectionProblem('runtime.no-glibc', message);
  }
  return undefined;
}

function unknownPlatform({ system, machine }: HostProbe): Problem {
  const message = `there is no build of Node here for ${system || 'an unknown system'} ${machine}`.trim();
  return connectionProblem('runtime.unknown-platform', message);
}

function refuseLibraries({ libcVersion, cxx }: HostProbe): Problem | undefined {
  if (libcVersion !== undefined && isOlder(libcVersion, needs.glibc)) {
    const message = `the host has glibc ${libcVersion}, and the Node to ship needs ${needs.glibc} or newer`;
    return connectionProblem('runtime.libc-too-old', message);
  }
  if (cxx === 'absent' || cxx === 'old') {
    const has = cxx === 'absent' ? 'has no libstdc++.so.6' : 'has a libstdc++.so.6 that is too old';
    return connectionProblem(
      'runtime.no-libstdcxx',
      `the host ${has}; the Node to ship needs ${needs.symbols.join(' and ')}`,
    );
  }
  return undefined;
}

function isOlder(version: string, wanted: string): boolean {
  const [[major = 0, minor = 0], [wantedMajor = 0, wantedMinor = 0]] = [version, wanted].map((each) =>
    each.split('.').map(Number),
  ) as [number[], number[]];
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

const stateWords: Readonly<Record<PlaceState, (report: PlaceReport) => string>> = {
  usable: () => 'usable',
  small: ({ free }) => (free === undefined ? 'too little room' : `${Math.floor(free / 1e6)} MB free`),
  noexec: () => 'programs may not run there',
  foreign: () => 'belongs to another account',
  unwritable: () => 'cannot be written',
};

function refusePlaces(reports: readonly PlaceReport[]): Problem {
  const tried = reports
    .map((report) => `${placeName(report.place)}: ${stateWords[report.state](report)}`)
    .join('; ');
  return reports.some(({ state }) => state === 'small')
    ? connectionProblem(
        'runtime.no-space',
        `a Node takes ${needs.space / 1e6} MB on the host, and there is no room for it (${tried})`,
      )
    : connectionProblem('runtime.no-place', `no folder on the host can hold a program (${tried})`);
}
