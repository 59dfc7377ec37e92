/**
 * Asks a host what a runtime for it must be like: system, libraries, unpackers, and a folder where a program really runs.
 * Invariant: runs as the account of the agent, through the same become; what the host says is bounded and read strictly, and
 * what cannot be read counts as unknown.
 * Leaves nothing on the host but the empty folder that the runtime goes to.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { failure, type Result, success } from '../../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { connectionProblem } from '../../base/problem-codes/connection.ts';
import { type StartedScript, startScript } from '../bootstrap.ts';
import type { Runner } from '../line.ts';
import { oneLine } from './one-line.ts';
import { enterFunction, type Place, places, placeWord } from './places.ts';

export const compressions = ['zstd', 'gzip', 'none'] as const;
export type Compression = (typeof compressions)[number];

export const placeStates = ['usable', 'small', 'noexec', 'foreign', 'unwritable'] as const;
export type PlaceState = (typeof placeStates)[number];

export interface PlaceReport {
  readonly place: Place;
  readonly state: PlaceState;
  /** Bytes. */
  readonly free?: number | undefined;
}

export interface HostProbe {
  /** What `uname -s` and `uname -m` say. */
  readonly system: string;
  readonly machine: string;
  readonly libc: 'glibc' | 'musl' | 'unknown';
  /** Of glibc, such as `2.36`. */
  readonly libcVersion?: string | undefined;
  /** Dynamic loaders that are there: a 64-bit kernel may carry a 32-bit system. */
  readonly loaders: readonly (typeof loaders)[number][];
  /** The C++ library: whether it has the symbols that Node’s own builds need. */
  readonly cxx: 'fits' | 'old' | 'absent' | 'unknown';
  readonly unpackers: readonly Compression[];
  /** Up to the first that is usable. */
  readonly places: readonly PlaceReport[];
}

export interface ProbeOptions {
  /** Bytes that the unpacked runtime takes. */
  readonly space: number;
  /** Symbol versions that the C++ library must have. */
  readonly symbols: readonly string[];
  readonly startDeadline: number;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds the script may take after its first word, and most it may say. */
const answerDeadline = 30_000;
const longestAnswer = 16 * 1024;

/** Probes the host at the end of a runner as the account that the target's agent runs as. */
export async function probeHost(
  runner: Runner,
  target: Pick<ConnectionSpec, 'host' | 'become'>,
  options: ProbeOptions,
): Promise<Result<HostProbe>> {
  const script = probeScript(options);
  const started = await startScript(runner, target, { ...options, script });
  if (!started.ok) return started;
  const text = await answerOf(started.value, options.signal);
  started.value.process.kill();
  const probe = text === undefined ? undefined : readProbe(text);
  if (probe !== undefined) return success(probe);
  return failure(
    connectionProblem('runtime.probe-failed', 'the host did not say what it is like', {
      where: { host: target.host },
      lines: started.value.said.lines,
    }),
  );
}

/** What the script printed up to its last line; undefined when that did not come. */
async function answerOf({ process }: StartedScript, signal?: AbortSignal): Promise<string | undefined> {
  let text = '';
  const whole = new Promise<boolean>((resolve) => {
    process.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (/^end\r?$/m.test(text)) resolve(true);
      else if (text.length > longestAnswer) resolve(false);
    });
    process.stdout.on('end', () => resolve(false));
    void process.exited.then((exit) => exit.lost !== undefined && resolve(false));
    signal?.addEventListener('abort', () => resolve(false), { once: true });
  });
  const late = new AbortController();
  const came = await Promise.race([
    whole,
    pause(answerDeadline, false, { signal: late.signal }).catch(() => false),
  ]);
  late.abort();
  return came ? text : undefined;
}

/** The script, for sh of any kind. */
export function probeScript({ space, symbols }: Pick<ProbeOptions, 'space' | 'symbols'>): string {
  const need = Math.ceil(space / 1024);
  return oneLine(`
    LC_ALL=C
    export LC_ALL
    umask 077
    ${enterFunction}
    has() { command -v "$1" >/dev/null 2>&1; }
    echo "system $(uname -s)"
    echo "machine $(uname -m)"
    v=$(getconf GNU_LIBC_VERSION 2>/dev/null)
    [ -n "$v" ] || v=$(ldd --version 2>&1 | head -n 1)
    case "$v" in
    *musl*) k=musl;;
    glibc*|*GLIBC*|*"GNU libc"*) k=glibc;;
    *) k=unknown;
    for f in /lib/ld-musl-*; do
    if [ -e "$f" ]; then k=musl; fi
    done
    for f in /lib64/libc.so.6 /lib/*-linux-gnu/libc.so.6; do
    if [ -x "$f" ]; then v=$("$f" 2>/dev/null | head -n 1 | sed "s/[.]*$//"); k=glibc; fi
    done;;
    esac
    echo "libc $k"
    echo "version $v"
    if [ -e /lib64/ld-linux-x86-64.so.2 ]; then echo "loader x64"; fi
    if [ -e /lib/ld-linux-aarch64.so.1 ]; then echo "loader arm64"; fi
    x=absent
    for f in /lib64 /usr/lib64 /lib/*-linux-gnu /usr/lib/*-linux-gnu /lib /usr/lib /usr/local/lib64 /usr/local/lib; do
    f=$f/libstdc++.so.6
    if [ -e "$f" ] && [ $x != fits ]; then
    if ! has grep; then x=unknown; elif ${symbols.map((symbol) => `grep -q ${symbol} "$f"`).join(' && ')}; then x=fits; else x=old; fi
    fi
    done
    echo "cxx $x"
    for z in zstd gzip; do
    if has $z; then echo "unpacker $z"; fi
    done
    u=$(id -u)
    room() { set -- $(df -Pk . 2>/dev/null | tail -n 1); f=$4; case "$f" in ""|*[!0-9]*) f=;; esac; }
    try() {
    w=.try-$$
    s=unwritable
    f=
    case $1 in home) if [ -d "$HOME" ]; then mkdir -p "$2" 2>/dev/null; fi;; *) mkdir "$2" 2>/dev/null;; esac
    if [ -d "$2" ]; then
    if ! enter "$2"; then s=foreign; elif { mkdir $w && echo "#!/bin/sh" >$w/x && chmod 700 $w/x; } 2>/dev/null; then
    s=noexec
    room
    if ./$w/x 2>/dev/null; then s=usable; if [ -n "$f" ] && [ "$f" -lt ${need} ]; then s=small; fi; fi
    fi
    rm -rf $w
    cd /
    if [ $s != usable ] && [ $s != foreign ]; then rmdir "$2" 2>/dev/null; fi
    fi
    echo "place $1 $s $f"
    [ $s = usable ]
    }
    if [ $k = glibc ]; then ${places.map((place) => `try ${place} ${placeWord(place)}`).join(' || ')}; fi
    echo end
  `);
}

/** Reads a probe's answer; undefined when it is not one. */
export function readProbe(text: string): HostProbe | undefined {
  const lines = text
    .slice(0, longestAnswer + 1024)
    .split(/\r?\n/)
    .map((line) => line.split(' '));
  const all = (name: string): string[][] => lines.filter(([first]) => first === name);
  const one = (name: string): string | undefined => all(name)[0]?.slice(1).join(' ');
  const among = <T extends string>(words: readonly T[], word: string | undefined): T | undefined =>
    words.find((known) => known === word);
  const [system, machine, libc] = [one('system'), one('machine'), among(libcs, one('libc'))];
  if (system === undefined || machine === undefined || libc === undefined || one('end') === undefined)
    return undefined;
  return {
    system: word(system),
    machine: word(machine),
    libc,
    libcVersion:
      libc === 'glibc' ? /(?:^|[\s.])(\d{1,2}\.\d{1,3})(?=\s*$)/.exec(one('version') ?? '')?.[1] : undefined,
    loaders: all('loader').flatMap(([, name]) => among(loaders, name) ?? []),
    cxx: among(libraries, one('cxx')) ?? 'unknown',
    unpackers: compressions.filter(
      (each) => each === 'none' || all('unpacker').some(([, name]) => name === each),
    ),
    places: all('place').flatMap(([, name, state, free]) => placeReport(name, state, free)),
  };
}

const libcs = ['glibc', 'musl', 'unknown'] as const;
const loaders = ['x64', 'arm64'] as const;
const libraries = ['fits', 'old', 'absent'] as const;

/** A name that a host gave, safe in a sentence. */
function word(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_.-]/g, '').slice(0, 40);
}

function placeReport(name?: string, state?: string, free?: string): PlaceReport[] {
  const place = places.find((known) => known === name);
  const how = placeStates.find((known) => known === state);
  if (place === undefined || how === undefined) return [];
  const kilobytes = /^\d{1,15}$/.test(free ?? '') ? Number(free) : undefined;
  return [{ place, state: how, free: kilobytes === undefined ? undefined : kilobytes * 1024 }];
}
