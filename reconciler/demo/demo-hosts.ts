/**
 * The three hosts of the demo, each an SSH server in this process with folders of its own.
 * Invariant: all of them run or none does; ended hosts leave no process behind.
 * Never writes outside the folder it is given.
 */

import { dirname, join } from 'node:path';
import { type SshHost, startSshHost } from './ssh-host.ts';

export interface DemoHost extends SshHost {
  readonly name: string;
  readonly group: string;
  /** The folder that its roles write to; stands for the host's file system. */
  readonly root: string;
}

const wanted = [
  { name: 'web-1', group: 'web' },
  { name: 'web-2', group: 'web' },
  { name: 'db-1', group: 'db' },
] as const;

/** Starts the hosts below `folder`. */
export async function startDemoHosts(folder: string): Promise<readonly DemoHost[]> {
  const started = await Promise.allSettled(wanted.map((host) => startHost(folder, host)));
  const hosts = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = started.find((each) => each.status === 'rejected');
  if (failed === undefined) return hosts;
  await stopDemoHosts(hosts);
  throw failed.reason;
}

export async function stopDemoHosts(hosts: readonly DemoHost[]): Promise<void> {
  await Promise.all(hosts.map((host) => host.stop()));
}

async function startHost(
  folder: string,
  { name, group }: { readonly name: string; readonly group: string },
): Promise<DemoHost> {
  const own = join(folder, name);
  // The agent needs a Node on its PATH; the one we run on is there for sure.
  const host = await startSshHost({ folder: own, path: [dirname(process.execPath)] });
  return Object.defineProperties(
    { name, group, root: join(own, 'srv') },
    Object.getOwnPropertyDescriptors(host),
  ) as DemoHost;
}
