/**
 * Links that break: cut at every segment of a run, silent, slow and narrow.
 * Invariant: every run ends and says why; the run after it finishes; no command runs twice that was known to have run.
 * The moments of the cuts are counted in what crossed the link, not in time.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LinkQuality, TcpLink, type Way } from '../helpers/tcp-link.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { Loop } from '../reconciler/flow/loop.ts';
import { SmallFleet } from '../reconciler/flow/small-fleet.ts';

/** Files, commands that tell that they ran, a content that is pulled, and a handler that tells what it saw. */
const role = `import { command, defineRole, file } from 'towline'
export default defineRole({
  resources: ({ vars, data }) => {
    const { version } = data('version.json') as { version: string }
    const tell = (word: string) => ['/bin/sh', '-c', 'echo ' + version + ' ' + word + ' >> "$0/ran"', vars.root]
    return [
      file(vars.root + '/one', { content: version + ' one', notify: 'reload' }),
      command('a', { argv: tell('a') }),
      file(vars.root + '/large', { from: 'large' }),
      command('b', { argv: tell('b') }),
      file(vars.root + '/two', { content: version + ' two', notify: 'reload' }),
    ]
  },
  handlers: { reload: ({ vars }) => command('reload', { argv: ['/bin/sh', '-c', 'cat "$0/one" "$0/two" > "$0/told"', vars.root] }) },
})
`;

const fresh = temporaryDirectories();
let fleet: SmallFleet;
let loop: Loop;
let link: TcpLink;
let version = 0;

beforeEach(async () => {
  fleet = await SmallFleet.start(fresh(), ['a'], {
    'towline.toml': '[environments.test]\nbranch = "main"\ninventory = "inventory.toml"\nroles = ["base"]\n',
    'roles/base/role.ts': role,
    'roles/base/files/large': 'x',
    'roles/base/data/version.json': '{"version":"v0"}',
  });
  const { address, port } = fleet.host('a');
  link = await TcpLink.open({ host: address, port });
  fleet.commit({ 'inventory.toml': fleet.inventory({ a: { towline_port: link.port } }) });
  loop = await Loop.open({ location: fleet.repository, folder: fleet.folder });
});

afterEach(async () => {
  await loop.close();
  await link.close();
  await fleet.stop();
});

function commit(large: string): string {
  version += 1;
  fleet.commit({
    'roles/base/data/version.json': JSON.stringify({ version: `v${version}` }),
    'roles/base/files/large': large,
  });
  return `v${version}`;
}

const on = (file: string): string => {
  const path = join(fleet.host('a').root, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};
const ran = (word: string): number =>
  on('ran')
    .split('\n')
    .filter((line) => line === word).length;

/** Runs until the host is done; the agent of a cut line may still be at its last resource. */
async function runUntilDone(about: string): Promise<void> {
  let last: unknown;
  for (let tries = 0; tries < 20; tries += 1) {
    const summary = await loop.runOnce();
    last = [summary, loop.events.filter((event) => event.type === 'host-failed').at(-1)];
    if (summary.outcome === 'done' || summary.outcome === 'nothing-to-do') return;
    expect(summary.hosts.failed, `${about}: ${JSON.stringify(summary)}`).toEqual([]);
    await pause(50);
  }
  throw new Error(`${about}: twenty runs did not finish: ${JSON.stringify(last)}`);
}

function expectConverged(wanted: string, large: string, about: string): void {
  expect([on('one'), on('two'), on('large').length], about).toEqual([
    `${wanted} one`,
    `${wanted} two`,
    large.length,
  ]);
  expect(on('told'), about).toBe(`${wanted} one${wanted} two`);
}

/** One cut at a place of a run, and what follows it. */
async function cutAt(way: Way, segments: number, cold: boolean): Promise<boolean> {
  const about = `cut after ${segments} segments ${way} of a ${cold ? 'cold' : 'warm'} line`;
  const large = `${version}`.repeat(200_000).slice(0, 400_000);
  const wanted = commit(large);
  if (cold) link.cut();
  else await runUntilDone(about);
  if (!cold) commit(large);
  const now = cold ? wanted : `v${version}`;
  link.cutAfter(way, segments);
  const first = await loop.runOnce();
  const happened = !link.armed;
  link.disarm();
  if (happened && first.outcome !== 'done') {
    expect(first.hosts.unreachable, `${about}: ${JSON.stringify(first)}`).toEqual(['a']);
  }
  await runUntilDone(about);
  expectConverged(now, large, about);
  // The command in hand when the line went is the only one whose end may be unknown.
  expect([ran(`${now} a`), ran(`${now} b`)], about).toEqual([1, 1]);
  return happened;
}

describe('a link that is cut', () => {
  it.each<[Way, boolean]>([
    ['up', true],
    ['down', true],
    ['up', false],
    ['down', false],
  ])(
    'after any segment %s (cold: %s) ends the run with the reason, and the next one finishes it once',
    async (way, cold) => {
      expect(await loop.runOnce()).toMatchObject({ outcome: 'done' });
      let cuts = 0;
      for (let segments = 1; segments <= 60; segments += 1) {
        if (!(await cutAt(way, segments, cold))) break;
        cuts += 1;
      }
      expect(cuts).toBeGreaterThan(cold ? 5 : 1);
    },
    120_000,
  );
});

describe('a link that falls silent', () => {
  it('is given up within fifteen seconds, and the host is reached again when it speaks', async () => {
    expect(await loop.runOnce()).toMatchObject({ outcome: 'done' });
    const wanted = commit('y');
    link.silence();
    const started = performance.now();
    const summary = await loop.runOnce();
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(summary.hosts.unreachable).toEqual(['a']);
    expect(on('one')).not.toContain(wanted);
    link.restore();
    await runUntilDone('after the silence');
    expectConverged(wanted, 'y', 'after the silence');
  }, 60_000);
});

describe('a slow and narrow link', () => {
  it.each<[string, LinkQuality]>([['300 ms away with 64 kB/s', { delay: 150, rate: 64_000 }]])(
    '%s carries a first apply and a change without a deadline passing',
    async (_, quality) => {
      link.quality = quality;
      const large = 'z'.repeat(300_000);
      const wanted = commit(large);
      const summary = await loop.runOnce();
      expect(summary, JSON.stringify(summary)).toMatchObject({ outcome: 'done' });
      expectConverged(wanted, large, 'slow');
      link.reset();
      const next = commit(large);
      expect(await loop.runOnce()).toMatchObject({ outcome: 'done' });
      expectConverged(next, large, 'slow');
      expect(link.crossed('up').bytes).toBeLessThan(20_000);
    },
    90_000,
  );
});
