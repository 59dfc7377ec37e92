/**
 * Programs that say more than the reconciler takes: they wait, and nothing of what they said is lost.
 * Invariant: a bundled agent as a process; credit is given as the test takes events, so the agent is always ahead.
 * Never a timing assertion.
 */

import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentPeer, removeAgentFile } from './agent-peer.ts';
import { ConvergeHost } from './converge-host.ts';

const megabyte = 1_000_000;
/** About what the agent takes before a program waits, less than that and what the kernel keeps: it can end before all is heard. */
const littleMore = 216_000;

let host: ConvergeHost;
let peer: AgentPeer;
beforeEach(async () => {
  host = new ConvergeHost();
  peer = await AgentPeer.start(host.path('agent'));
});
afterEach(async () => {
  await peer.kill();
  host.remove();
});
afterAll(removeAgentFile);

/** A program that says so many bytes and leaves a file. */
function flood(bytes: number, timeout = 60): void {
  const script = `yes 0123456 | head -c ${bytes}; touch ${host.path('made')}`;
  peer.send({ type: 'exec', id: 1, argv: ['sh', '-c', script], timeout });
}

function output(): string {
  return peer.events.map((event) => (event.event === 'output' ? event.text : '')).join('');
}

function flooded(bytes: number): string {
  return '0123456\n'.repeat(bytes / 8);
}

/** Gives credit only for what was taken, and a little later, until the program has ended. */
async function takeSlowly(): Promise<void> {
  let taken = 0;
  const isOver = (): boolean => peer.messages.some(({ type }) => type === 'executed');
  while (!isOver()) {
    await peer.until(() => peer.events.length > taken || isOver());
    taken = peer.events.length;
    await new Promise((resolve) => setTimeout(resolve, 1));
    peer.send({ type: 'credit', bytes: 128 * 1024 });
  }
}

/** The most memory the agent ever had, in bytes. */
function peak(): number {
  const status = readFileSync(`/proc/${peer.child.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('a program whose output is taken slowly', () => {
  it('waits, so that all of it arrives and the agent keeps little of it', async () => {
    await peer.open(1);
    const before = peak();
    flood(20 * megabyte);
    await takeSlowly();
    expect(output() === flooded(20 * megabyte)).toBe(true);
    expect(await peer.message('executed')).toMatchObject({ status: 0 });
    expect(peak() - before).toBeLessThan(80 * megabyte);
  });

  it('does not get on while nothing is taken', async () => {
    await peer.open(1);
    flood(megabyte);
    for (let id = 1; id <= 20; id += 1) {
      peer.send({ type: 'ping', id });
      await peer.until(() => peer.messages.some((each) => each.type === 'pong' && each.id === id));
    }
    expect(existsSync(host.path('made'))).toBe(false);
  });

  it('is heard to the end although it ended long ago', async () => {
    await peer.open(0);
    flood(littleMore);
    await until(() => existsSync(host.path('made')));
    await new Promise((resolve) => setTimeout(resolve, 500));
    peer.send({ type: 'credit', bytes: 1 });
    await takeSlowly();
    expect(output() === flooded(littleMore)).toBe(true);
  });
});

describe('a program that waits because nothing is taken', () => {
  it('ends at its timeout', async () => {
    await peer.open(1);
    flood(20 * megabyte, 0.3);
    expect((await peer.message('executed')).problem?.code).toBe('resource.timeout');
    expect(existsSync(host.path('made'))).toBe(false);
  });

  it('ends when it is cancelled', async () => {
    await peer.open(1);
    flood(20 * megabyte);
    await peer.until(() => peer.events.length > 0);
    peer.send({ type: 'cancel', id: 1, reason: 'enough' });
    expect(await peer.message('executed')).toMatchObject({ signal: 'SIGTERM' });
  });

  it('ends with the line', async () => {
    await peer.open(1);
    flood(20 * megabyte);
    await peer.until(() => peer.events.length > 0);
    peer.child.stdin?.end();
    expect(await peer.exited).toBe(0);
    expect(existsSync(host.path('made'))).toBe(false);
  });
});
