import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failure, type Result, success } from '../../../../agent/protocol/problem.ts';
import { heldContent } from '../../../../reconciler/base/content.ts';
import { connectionProblem } from '../../../../reconciler/base/problem-codes/connection.ts';
import type { RemoteProcess, Supply } from '../../../../reconciler/connection/line.ts';
import { type ShipOptions, shipRuntime } from '../../../../reconciler/connection/runtime/ship.ts';
import { systemProgram } from '../../../fleet/available.ts';
import { shellRunner } from '../../../helpers/shell-runner.ts';
import { temporaryDirectories } from '../../../helpers/temporary-directory.ts';
import { fakePayload } from './fake-runtime.ts';

const fresh = temporaryDirectories();
const path = '/usr/sbin:/usr/bin:/sbin:/bin';
const here = { host: 'here' };
const busybox = systemProgram('busybox');

async function shipment(more: Partial<ShipOptions> = {}): Promise<ShipOptions> {
  return {
    payload: more.payload ?? (await fakePayload(fresh())),
    place: 'home',
    keep: true,
    startDeadline: 10_000,
    onSent: () => {},
    ...more,
  };
}

/** A home with its cache, and what is in the cache. */
function home(): { readonly folder: string; readonly env: Record<string, string>; cached(): string[] } {
  const folder = fresh();
  return {
    folder,
    env: { HOME: folder, PATH: path },
    cached: () => {
      const cache = join(folder, '.cache/towline');
      if (!existsSync(cache)) return [];
      return readdirSync(cache, { recursive: true }).map(String).sort();
    },
  };
}

describe('shipping a runtime', () => {
  for (const compression of ['gzip', 'none', ...(systemProgram('zstd') ? (['zstd'] as const) : [])] as const)
    it(`puts it in its place, unpacked by ${compression}`, async () => {
      const { env, folder, cached } = home();
      const sent: number[] = [];
      const payload = await fakePayload(fresh(), compression);
      const options = await shipment({ payload, onSent: (bytes) => sent.push(bytes) });
      expect(await shipRuntime(shellRunner({ env }), here, options)).toMatchObject({ ok: true });
      const name = payload.raw.sha256.slice(0, 16);
      expect(cached()).toEqual([name, `${name}/node`]);
      const file = join(folder, '.cache/towline', name, 'node');
      expect(readFileSync(file).length).toBe(payload.raw.size);
      expect(spawnSync(file, { encoding: 'utf8' }).stdout).toBe('whole\n');
      expect(sent.at(-1)).toBe(payload.size);
      expect(sent.length).toBeGreaterThan(5);
    });

  it('removes it again when it is not to be kept, however the line ends', async () => {
    for (const end of ['release', 'loss'] as const) {
      const { env, folder, cached } = home();
      let process: RemoteProcess | undefined;
      const runner = shellRunner({ env, onStart: (started) => (process = started) });
      const shipped = await shipRuntime(runner, here, await shipment({ keep: false }));
      if (!shipped.ok) throw new Error(shipped.problem.message);
      const file = (shipped.value.runtime ?? '').replace('~', folder);
      expect(spawnSync(file, { encoding: 'utf8' }).stdout).toBe('whole\n');
      if (end === 'release') shipped.value.release();
      else process?.stdin.destroy();
      await process?.exited;
      expect(cached()).toEqual([]);
    }
  });

  it('leaves nothing when it is cut in the middle, and the next attempt succeeds', async () => {
    const { env, cached } = home();
    let process: RemoteProcess | undefined;
    const runner = shellRunner({ env, onStart: (started) => (process = started) });
    const cut = await shipRuntime(
      runner,
      here,
      await shipment({ onSent: (bytes) => bytes > 1_000_000 && process?.stdin.destroy() }),
    );
    expect(cut).toMatchObject({ problem: { code: 'runtime.upload-failed', where: here } });
    await process?.exited;
    expect(cached()).toEqual([]);
    expect((await shipRuntime(runner, here, await shipment())).ok).toBe(true);
  });

  it('removes what a killed attempt left, and not what another has under way', async () => {
    const { env, folder, cached } = home();
    const cache = join(folder, '.cache/towline');
    let script: RemoteProcess | undefined;
    const killed = await shipRuntime(
      shellRunner({ env, onStart: (started) => (script = started) }),
      here,
      await shipment({ onSent: (bytes) => bytes > 1_000_000 && script?.kill() }),
    );
    expect(killed.ok).toBe(false);
    expect(cached().some((name) => name.startsWith('.new-'))).toBe(true);
    mkdirSync(join(cache, `.new-${process.pid}-other`));
    mkdirSync(join(cache, '.new-x'));
    const options = await shipment();
    expect((await shipRuntime(shellRunner({ env }), here, options)).ok).toBe(true);
    const name = options.payload.raw.sha256.slice(0, 16);
    expect(cached()).toEqual([`.new-${process.pid}-other`, '.new-x', name, `${name}/node`]);
  });

  it('removes other versions that nobody can be about to start', async () => {
    const { env, folder, cached } = home();
    const cache = join(folder, '.cache/towline');
    for (const name of ['0123456789abcdef', 'fedcba9876543210', 'notes'])
      mkdirSync(join(cache, name), { recursive: true });
    const hoursAgo = Date.now() / 1000 - 7200;
    for (const name of ['0123456789abcdef', 'notes']) utimesSync(join(cache, name), hoursAgo, hoursAgo);
    const options = await shipment();
    await shipRuntime(shellRunner({ env }), here, options);
    const name = options.payload.raw.sha256.slice(0, 16);
    expect(cached()).toEqual([name, `${name}/node`, 'fedcba9876543210', 'notes'].sort());
  });

  it('serves any number at once', async () => {
    const { env, cached } = home();
    const payload = await fakePayload(fresh());
    const others = await fakePayload(fresh());
    const all = await Promise.all(
      [payload, others, payload, payload].map(async (each) =>
        shipRuntime(shellRunner({ env }), here, await shipment({ payload: each })),
      ),
    );
    expect(all.map(({ ok }) => ok)).toEqual([true, true, true, true]);
    const names = [payload, others].map(({ raw }) => raw.sha256.slice(0, 16));
    expect(cached()).toEqual(names.flatMap((name) => [name, `${name}/node`]).sort());
  });

  it('comes from a cache near the host where there is one, and from here once that cannot', async () => {
    const { env, folder } = home();
    const payload = await fakePayload(fresh());
    const ranges: number[][] = [];
    const runner = shellRunner({
      env,
      onStart: (process) =>
        Object.assign(process, {
          supply: async ({ content, offset, bytes, store }: Supply): Promise<Result<void>> => {
            expect(content).toEqual({ sha256: payload.sha256, size: payload.size });
            if (ranges.length === 2) return failure(connectionProblem('line.closed', 'no more'));
            ranges.push([offset, bytes]);
            const reader = await store.open(content.sha256);
            process.stdin.write(await reader?.read(offset, bytes));
            await reader?.close();
            return success(undefined);
          },
        }),
    });
    expect((await shipRuntime(runner, here, await shipment({ payload }))).ok).toBe(true);
    expect(ranges).toEqual([
      [0, 1024 * 1024],
      [1024 * 1024, 1024 * 1024],
    ]);
    const file = join(folder, '.cache/towline', payload.raw.sha256.slice(0, 16), 'node');
    expect(readFileSync(file).length).toBe(payload.raw.size);
  });

  it('refuses bytes that are not those announced', async () => {
    const { env, cached } = home();
    const payload = await fakePayload(fresh(), 'none');
    const other = { ...payload, open: async () => heldContent(Buffer.alloc(payload.size, 7)) };
    const shipped = await shipRuntime(shellRunner({ env }), here, await shipment({ payload: other }));
    expect(shipped).toMatchObject({ problem: { code: 'runtime.damaged', disposition: 'retry' } });
    expect(cached()).toEqual([]);
  });

  it('says why a Node does not start there', async () => {
    const { env, cached } = home();
    const says = 'echo "libatomic.so.1: cannot open shared object file" >&2; exit 127';
    const payload = await fakePayload(fresh(), 'gzip', { says });
    const shipped = await shipRuntime(shellRunner({ env }), here, await shipment({ payload }));
    expect(shipped).toMatchObject({
      problem: { code: 'runtime.cannot-run', lines: ['libatomic.so.1: cannot open shared object file'] },
    });
    expect(cached()).toEqual([]);
  });

  it('does not use a folder that is not to be trusted', async () => {
    const { env } = home();
    const user = process.getuid?.() ?? 0;
    const [elsewhere, link] = [fresh(), `/dev/shm/towline-${user}`];
    if (existsSync(link)) return;
    symlinkSync(elsewhere, link);
    const shipped = await shipRuntime(shellRunner({ env }), here, await shipment({ place: 'shm' }));
    spawnSync('rm', [link]);
    expect(shipped).toMatchObject({ problem: { code: 'runtime.no-place' } });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('gives up a host that takes nothing', async () => {
    const { env, folder } = home();
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/gzip'), '#!/bin/sh\nexec sleep 60\n');
    chmodSync(join(folder, 'bin/gzip'), 0o755);
    const runner = shellRunner({ env: { ...env, PATH: `${folder}/bin:${path}` } });
    const slow = await shipRuntime(runner, here, await shipment({ stall: 400 }));
    expect(slow).toMatchObject({ problem: { code: 'runtime.upload-failed', disposition: 'retry' } });
    const cancelled = await shipRuntime(runner, here, await shipment({ signal: AbortSignal.timeout(400) }));
    expect(cancelled).toMatchObject({ problem: { code: 'line.cancelled' } });
  });

  it('fails when its file is gone', async () => {
    const payload = await fakePayload(fresh());
    const gone = { ...payload, open: async () => heldContent(Buffer.alloc(0)) };
    const shipped = await shipRuntime(
      shellRunner({ env: home().env }),
      here,
      await shipment({ payload: gone }),
    );
    expect(shipped).toMatchObject({ problem: { code: 'runtime.upload-failed' } });
  });

  it('is not misled by what the host says', async () => {
    const lies = ['go', 'done 1 2; reboot', 'done 99999999999 1', 'failed everything', 'x'.repeat(5000)];
    for (const lie of lies) {
      const shell = [
        '/bin/sh',
        '-c',
        `echo; echo "$0" | sed "s/.*; echo \\([0-9a-f]*\\)\\"\\"\\([0-9a-f]*\\) .*/\\1\\2 ready/"; echo "${lie}"`,
      ];
      const shipped = await shipRuntime(shellRunner({ env: home().env, shell }), here, await shipment());
      expect(shipped, lie).toMatchObject({ ok: false, problem: { code: 'runtime.upload-failed' } });
    }
  });

  it.skipIf(busybox === undefined)(
    'works where there is nothing but BusyBox, and the new Node checks itself',
    async () => {
      const { env, folder, cached } = home();
      const bin = join(folder, 'bin');
      mkdirSync(bin);
      for (const applet of 'sh id mkdir rm head gzip chmod mv find df tail cat'.split(' '))
        symlinkSync(busybox ?? '', join(bin, applet));
      const runner = shellRunner({ shell: [join(bin, 'sh'), '-c'], env: { ...env, PATH: bin } });
      const echoes = `[ "$3" = "$(cat ${folder}/sum)" ] && echo whole`;
      const payload = await fakePayload(fresh(), 'gzip', { says: echoes });
      writeFileSync(join(folder, 'sum'), payload.raw.sha256);
      expect(await shipRuntime(runner, here, await shipment({ payload }))).toMatchObject({ ok: true });
      expect(cached()).toHaveLength(2);
      const slow = await shipRuntime(runner, here, await shipment({ payload, keep: false }));
      if (slow.ok) slow.value.release();
      expect(slow.ok).toBe(true);
    },
  );
});
