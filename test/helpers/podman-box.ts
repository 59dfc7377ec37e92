/**
 * A real Podman container over this machine's files, without network, control groups or an image to fetch.
 * Invariant: mounts and Podman's store are in a private mount namespace, and everything ends with its one process,
 * also when the test process dies.
 * Only for root: ask `podmanUnavailable` first.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemProgram } from '../fleet/available.ts';

/** Mounts over $1 and starts the container there; ends it when its input ends. */
const keeper = `
set -eu
place="$1/box"
umount -R /sys/fs/cgroup 2>/dev/null || umount -R -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs -o mode=0755 towline-box "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" towline-box "$place/root"
echo box > "$place/root/etc/towline-box"
pod() { podman --root "$place/store" --runroot "$place/run" --events-backend=none "$@"; }
bare='--cgroups=disabled --network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000'
pod create $bare --name idle --rootfs "$place/root" sleep 100000 >/dev/null
pod run -d $bare --name box --rootfs "$place/root" sleep 100000 >/dev/null
echo ready
cat >/dev/null || true
pod rm -f -t 0 box >/dev/null 2>&1
`;

export interface PodmanBox {
  /** Name of the container that runs; another, `idle`, does not. */
  readonly name: 'box';
  /** A folder with a podman that knows it, to put in front of PATH. */
  readonly bin: string;
  /** Where this process sees the container's files. */
  path(...names: string[]): string;
  stop(): Promise<void>;
}

/** Why there can be no Podman container here; undefined when there may be one. */
export function podmanUnavailable(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'a Podman container needs Linux and root';
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlayfs';
  const missing = ['podman', 'crun', 'unshare', 'nsenter', 'node'].filter(
    (name) => systemProgram(name) === undefined,
  );
  if (missing.length > 0) return `missing: ${missing.join(', ')}: node scripts/prepare-tests.mjs`;
  const probe = spawnSync('unshare', [
    '-m',
    'sh',
    '-c',
    'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup',
  ]);
  return probe.status === 0 ? undefined : 'control groups cannot be mounted here';
}

/** Starts the container. */
export async function startPodmanBox(): Promise<PodmanBox> {
  const place = mkdtempSync(join(tmpdir(), 'podman-box-'));
  mkdirSync(join(place, 'box'));
  mkdirSync(join(place, 'bin'));
  const args = ['-m', '--propagation', 'private', 'sh', '-c', keeper, 'keeper', place];
  const child = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the container did not start'))),
  ]);
  const store = `--root ${place}/box/store --runroot ${place}/box/run --events-backend=none`;
  const wrapper = join(place, 'bin', 'podman');
  writeFileSync(
    wrapper,
    `#!/bin/sh\nexec nsenter --target ${child.pid} --mount -- ${systemProgram('podman')} ${store} "$@"\n`,
  );
  chmodSync(wrapper, 0o755);
  return {
    name: 'box',
    bin: join(place, 'bin'),
    path: (...names) => join(`/proc/${child.pid}/root`, place, 'box', 'root', ...names),
    async stop() {
      const exited = once(child, 'exit');
      child.stdin.end();
      await exited;
      rmSync(place, { recursive: true, force: true });
    },
  };
}
