/**
 * A bastion that is lost while twenty hosts behind it work.
 * Invariant: every child ends with the reason, hosts elsewhere are not disturbed, and the next run needs one new line to the bastion.
 * The hosts are the embedded ones: what is tested is the tree of lines, not a shell.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TcpLink } from '../helpers/tcp-link.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { Loop } from '../reconciler/flow/loop.ts';
import { SmallFleet } from '../reconciler/flow/small-fleet.ts';

const children = Array.from({ length: 20 }, (_, index) => `child${index + 1}`);

/** Tells that it began, waits for a word, tells that it ended. */
const role = `import { command, defineRole, file } from 'towline'
const wait = 'echo began >> "$0/ran"; until test -e "$1"; do sleep 0.05; done; echo ended >> "$0/ran"'
export default defineRole({
  maxFailures: '100%',
  resources: ({ vars }) => [
    command('wait', { argv: ['/bin/sh', '-c', wait, vars.root, vars.word], timeout: 60 }),
    file(vars.root + '/last', { content: 'last' }),
  ],
})
`;

const fresh = temporaryDirectories();
let fleet: SmallFleet;
let loop: Loop;
let link: TcpLink;

beforeEach(async () => {
  const folder = fresh();
  const word = join(folder, 'word');
  fleet = await SmallFleet.start(folder, ['bastion', 'elsewhere', ...children], {
    'towline.toml':
      '[environments.test]\nbranch = "main"\ninventory = "inventory.toml"\nroles = ["base"]\nparallel = 30\n',
    'roles/base/role.ts': role,
  });
  const { address, port } = fleet.host('bastion');
  link = await TcpLink.open({ host: address, port });
  const behind = children.map((name) => [name, { towline_via: 'bastion', word }] as const);
  fleet.commit({
    'inventory.toml': fleet.inventory({
      bastion: { towline_port: link.port, word },
      elsewhere: { word },
      ...Object.fromEntries(behind),
    }),
  });
  loop = await Loop.open({ location: fleet.repository, folder });
}, 30_000);

afterEach(async () => {
  await loop.close();
  await link.close();
  await fleet.stop();
});

const ran = (host: string): string[] => {
  const path = join(fleet.host(host).root, 'ran');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};

/** Looks every 50 ms, for at most forty seconds. */
async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 800; tries += 1) {
    if (holds()) return;
    await pause(50);
  }
  throw new Error(
    `${what} did not come: ${JSON.stringify([fleet.hosts.map(({ name }) => [name, ran(name)]), loop.events.slice(-2)])}`,
  );
}

describe('a bastion with twenty children', () => {
  it('is set up once for all of them; when it is lost all end with the reason, and the next run finishes', async () => {
    const first = loop.runOnce();
    await until(() => children.every((name) => ran(name).length === 1), 'the begin of twenty children');
    expect(fleet.host('bastion').logins).toBe(1);
    link.cut();
    await until(
      () => loop.events.filter((event) => event.type === 'host-failed').length === 21,
      'the end of twenty-one lines',
    );
    writeFileSync(join(fleet.folder, 'word'), '');
    const summary = await first;
    expect(summary.hosts.changed).toEqual(['elsewhere']);
    expect(summary.hosts.unreachable.toSorted()).toEqual(['bastion', ...children].sort());
    const failed = loop.events.flatMap((event) => (event.type === 'host-failed' ? [event] : []));
    for (const { problem } of failed)
      expect(problem).toMatchObject({ code: 'line.lost', disposition: 'retry' });

    await until(() => children.every((name) => ran(name).includes('ended')), 'the end of twenty commands');
    await pause(200);
    const second = await loop.runOnce();
    expect(second.outcome, JSON.stringify(second)).toBe('done');
    expect([...second.hosts.changed, ...second.hosts.unchanged].sort()).toEqual(
      ['bastion', ...children].sort(),
    );
    expect(fleet.host('bastion').logins).toBe(2);
    for (const name of children) expect(ran(name)).toEqual(['began', 'ended']);
  }, 120_000);
});
