/**
 * An agent whose file system stops answering in the middle of a run.
 * Invariant: the file system is a real one, of a program that never answers and goes away when it is told to.
 * Never a timing assertion.
 */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { AgentPeer, removeAgentFile } from './agent-peer.ts';
import { ConvergeHost, command, ends, planOf } from './converge-host.ts';
import { fuseOptions, mayMountFuse } from './system/may-mount.ts';

const host = new ConvergeHost();
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of undo.splice(0).reverse()) await act();
});
afterAll(async () => {
  host.remove();
  await removeAgentFile();
});

/** Mounts at a path what hangs until it is ended. */
async function mountHanging(path: string): Promise<() => void> {
  const script = `exec 3<>/dev/fuse && mount -i -t fuse -o ${fuseOptions} towline-test "$0" && echo mounted && cat`;
  const holder = spawn('sh', ['-c', script, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  undo.push(
    () => execFileSync('umount', ['-l', path]),
    () => holder.stdin.end(),
  );
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  return () => holder.stdin.end();
}

describe.runIf(mayMountFuse())('an agent with a mount that hangs', () => {
  it('goes on answering, also when the mount came in the middle of the run', {
    timeout: 60_000,
  }, async () => {
    const peer = await AgentPeer.start(host.path('agent'));
    undo.push(() => peer.kill());
    await peer.open();
    mkdirSync(host.path('d'));
    const waiting = `touch ${host.path('asks')}; while ! test -e ${host.path('mounted')}; do sleep 0.02; done`;
    const plan = planOf([
      host.file('d/before', 'one'),
      command('waits for the mount', waiting),
      host.file('d/after', 'two'),
    ]);
    const ending = peer.converge('run-1', plan, { inline: [...host.store.keys()] });
    for (const [sha256, bytes] of host.store) peer.chunk(sha256, 0, bytes);
    while (!existsSync(host.path('asks'))) await new Promise((resolve) => setTimeout(resolve, 10));
    const release = await mountHanging(host.path('d'));
    host.write('mounted', '');
    await peer.until(() => peer.events.filter(({ event }) => event === 'started').length === 3);
    peer.send({ type: 'ping', id: 7 });
    await peer.until(() => peer.messages.some((each) => each.type === 'pong' && each.id === 7));
    release();
    const result = await ending;
    expect(result && ends(result)).toEqual([
      'file:d/before changed',
      'command:waits for the mount changed',
      'file:d/after failed',
    ]);
  });
});
