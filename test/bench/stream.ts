/**
 * One large file: the rate to one host beside scp's, and what the reconciler grows by while it sends to eight.
 * Invariant: the same bytes over the same cables with the same cipher; scp's login is not counted, as ours is done before.
 * Never leaves the bytes behind.
 */

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import { connectionFor } from '../../inventory/connection.ts';
import { loadInventory } from '../../inventory/load.ts';
import type { ContentStore } from '../../reconciler/base/content.ts';
import { SharedContents } from '../../reconciler/base/shared-contents.ts';
import { ConnectionPool, poolOptions } from '../../reconciler/connection/pool.ts';
import type { HostSession } from '../../reconciler/connection/session.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { convergeCall } from '../helpers/lines.ts';
import { type Bench, type Figure, median } from './bench.ts';
import { must } from './planner.ts';

const mebibyte = 1024 * 1024;
const rounds = 3;

export const stream: Bench = {
  name: 'stream',
  summary: 'a file of 64 and 512 MiB to one host, beside scp, and to eight hosts, with the memory it takes',
  run: async () => [...(await rate(64)), ...(await rate(512)), ...(await growth(512))],
};

interface Image {
  readonly path: string;
  readonly content: { readonly sha256: string; readonly size: number };
  readonly store: ContentStore;
}

async function rate(size: number): Promise<readonly Figure[]> {
  return withImage(size, 1, async (fleet, image) => {
    const { sessions, end } = await connectAll(fleet);
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await timed(() => sendAll(fleet, sessions, image)));
      const login = await timed(() => scp(fleet, '/dev/null'));
      theirs.push((await timed(() => scp(fleet, image.path))) - login);
    }
    await end();
    const share = median(theirs) / median(ours);
    return [
      { name: `${size} MiB to one host`, value: median(ours), unit: 'ms' },
      { name: `${size} MiB with scp`, value: median(theirs), unit: 'ms' },
      { name: `${size} MiB: our time over scp's`, value: 1 / share, unit: 'count', budget: 1.25 },
    ];
  });
}

async function growth(size: number): Promise<readonly Figure[]> {
  return withImage(size, 8, async (fleet, image) => {
    const { sessions, end } = await connectAll(fleet);
    const before = resident();
    let most = before;
    const sampling = setInterval(() => {
      most = Math.max(most, resident());
    }, 100);
    const milliseconds = await timed(() => sendAll(fleet, sessions, image));
    clearInterval(sampling);
    await end();
    return [
      { name: `${size} MiB to eight hosts`, value: milliseconds, unit: 'ms' },
      { name: 'growth of the reconciler', value: (most - before) / mebibyte, unit: 'MiB', budget: 64 },
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
    return await work(fleet, { path, content, store: fileStore(path, content.size) });
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
        read: async (offset, count) => {
          const bytes = Buffer.allocUnsafeSlow(Math.min(count, size - offset));
          await file.read(bytes, 0, bytes.length, offset);
          return bytes;
        },
        close: () => file.close(),
      };
    },
  });
}

async function connectAll(
  fleet: Fleet,
): Promise<{ readonly sessions: readonly HostSession[]; readonly end: () => Promise<void> }> {
  const text = fleet.inventoryToml({ user: 'root' });
  const loaded = loadInventory([{ path: 'inventory.toml', text }]);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const pool = new ConnectionPool(poolOptions(() => {}));
  const specs = fleet.hosts.map((host) => must(connectionFor(loaded.value, host.name, {})));
  const opened = await Promise.all(specs.map((spec) => pool.open(spec)));
  return { sessions: opened.map(must), end: () => pool.close('the bench is done') };
}

/** The file anew on every host: what was there from before is removed first. */
async function sendAll(fleet: Fleet, sessions: readonly HostSession[], image: Image): Promise<void> {
  const ended = await Promise.all(
    sessions.map((session) => session.converge(convergeCall(imagePlan(session.host, image), image.store))),
  );
  for (const result of ended) if (!must(result).ok) throw new Error(JSON.stringify(must(result)));
  for (const host of fleet.hosts) await host.exec(['rm', '-f', '/root/image']);
}

function imagePlan(host: string, { content }: Image): RolePlan {
  const wanted = { path: '/root/image', state: 'present' as const, content };
  const resource = { id: 'file:/root/image' as const, kind: 'file' as const, wanted, meta: {} };
  return { environment: 'bench', host, role: 'image', resources: [resource], handlers: [] } as RolePlan;
}

async function scp(fleet: Fleet, path: string): Promise<void> {
  const [host] = fleet.hosts;
  const trust = ['-o', `UserKnownHostsFile=${fleet.knownHostsFile}`, '-o', 'BatchMode=yes'];
  const argv = ['-q', '-i', fleet.clientKeyFile, ...trust, '-c', 'aes256-gcm@openssh.com'];
  const child = spawn('scp', [...argv, path, `root@${host?.address}:/root/image-by-scp`]);
  await new Promise((resolve) => child.once('close', resolve));
  await host?.exec(['rm', '-f', '/root/image-by-scp']);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function resident(): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0);
}
