/**
 * One large file: the rate to one host beside scp's, and what the reconciler grows by while it sends to eight.
 * Invariant: the same bytes over the same cables with the same cipher; scp's login is not counted, as ours is done before.
 * Never leaves the bytes behind.
 */

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { ContentStore } from '../../reconciler/base/content.ts';
import { SharedContents } from '../../reconciler/base/shared-contents.ts';
import type { HostSession } from '../../reconciler/connection/session.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { convergeCall } from '../helpers/lines.ts';
import { type Bench, type Figure, median, timed } from './bench.ts';
import { openLines } from './open-lines.ts';
import { must } from './planner.ts';

const mebibyte = 1024 * 1024;
const rounds = 3;

export const oneFile: Bench = {
  name: 'one-file',
  summary: 'a file of 64 and 512 MiB to one host and to eight, beside scp, with the memory it takes',
  minutes: 4,
  parts: [() => rate(64), () => rate(512), () => growth(64), () => growth(512)],
};

interface Image {
  readonly path: string;
  /** A file without bytes: copying it costs what is no copying. */
  readonly empty: string;
  readonly content: { readonly sha256: string; readonly size: number };
  readonly store: ContentStore;
}

/** scp's login is taken off: our line is open before. */
async function rate(size: number): Promise<readonly Figure[]> {
  return withImage(size, 1, async (fleet, image) => {
    const { sessions, end } = await openLines(fleet);
    await sendAll(fleet, sessions, image);
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await sendAll(fleet, sessions, image));
      const login = await scp(fleet, image.empty);
      theirs.push((await scp(fleet, image.path)) - login);
    }
    await end();
    return [
      {
        ...{ name: `${size} MiB to one host`, value: median(ours), unit: 'ms' },
        ...{ beside: { scp: median(theirs) }, budget: { of: 'scp', share: 1 / 0.8 } },
      },
    ];
  });
}

async function growth(size: number): Promise<readonly Figure[]> {
  return withImage(size, 8, async (fleet, image) => {
    const { sessions, end } = await openLines(fleet);
    globalThis.gc?.();
    const before = resident();
    let most = before;
    const sampling = setInterval(() => {
      most = Math.max(most, resident());
    }, 50);
    const milliseconds = await sendAll(fleet, sessions, image);
    clearInterval(sampling);
    await end();
    const theirs = (await scp(fleet, image.path)) - (await scp(fleet, image.empty));
    return [
      { name: `${size} MiB to eight hosts`, value: milliseconds, unit: 'ms', beside: { scp: theirs } },
      {
        ...{ name: `${size} MiB to eight hosts: growth of the reconciler`, unit: 'MiB' },
        ...{ value: (most - before) / mebibyte, budget: { most: 64 } },
      },
    ];
  });
}

/** Random bytes in a file, and as many hosts as are to get them. */
async function withImage<T>(
  size: number,
  count: number,
  work: (fleet: Fleet, image: Image) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'towline-stream-'));
  const fleet = await upFleet({ count });
  try {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'image');
    execFileSync('sh', ['-c', `head -c ${size * mebibyte} /dev/urandom > "$0"`, path]);
    const sha256 = execFileSync('sha256sum', [path]).toString().slice(0, 64);
    const content = { sha256, size: size * mebibyte };
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    return await work(fleet, { path, empty, content, store: fileStore(path, content.size) });
  } finally {
    await fleet.down();
    rmSync(folder, { recursive: true, force: true });
  }
}

function fileStore(path: string, size: number): ContentStore {
  return new SharedContents({
    open: async () => {
      const file = await open(path);
      return {
        size,
        read: async (offset, count, into) => {
          const bytes = (into ?? Buffer.allocUnsafeSlow(count)).subarray(0, Math.min(count, size - offset));
          await file.read(bytes, 0, bytes.length, offset);
          return bytes;
        },
        close: () => file.close(),
      };
    },
  });
}

/** The file anew on every host, milliseconds; it is removed afterwards. */
async function sendAll(fleet: Fleet, sessions: readonly HostSession[], image: Image): Promise<number> {
  const milliseconds = await timed(async () => {
    const ended = await Promise.all(
      sessions.map((session) => session.converge(convergeCall(imagePlan(session.host, image), image.store))),
    );
    for (const result of ended) if (!must(result).ok) throw new Error(JSON.stringify(must(result)));
  });
  for (const host of fleet.hosts) await host.exec(['rm', '-f', '/root/image']);
  return milliseconds;
}

function imagePlan(host: string, { content }: Image): RolePlan {
  const wanted = { path: '/root/image', state: 'present' as const, content };
  const resource = { id: 'file:/root/image' as const, kind: 'file' as const, wanted, meta: {} };
  return { environment: 'bench', host, role: 'image', resources: [resource], handlers: [] } as RolePlan;
}

/** To every host at once, milliseconds. */
async function scp(fleet: Fleet, path: string): Promise<number> {
  const trust = ['-o', `UserKnownHostsFile=${fleet.knownHostsFile}`, '-o', 'BatchMode=yes'];
  const argv = ['-q', '-i', fleet.clientKeyFile, ...trust, '-c', 'aes256-gcm@openssh.com', path];
  const copy = (address: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn('scp', [...argv, `root@${address}:/root/image-by-scp`]);
      child.once('close', (status) =>
        status === 0 ? resolve() : reject(new Error(`scp ended with ${status}`)),
      );
    });
  const milliseconds = await timed(() => Promise.all(fleet.hosts.map((host) => copy(host.address))));
  for (const host of fleet.hosts) await host.exec(['rm', '-f', '/root/image-by-scp']);
  return milliseconds;
}

function resident(): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0);
}
