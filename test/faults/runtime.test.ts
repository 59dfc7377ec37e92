import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import { Secret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { RuntimeProgress } from '../../reconciler/base/event.ts';
import { ConnectionPool, poolOptions } from '../../reconciler/connection/pool.ts';
import { RuntimeShipping } from '../../reconciler/connection/runtime/shipping.ts';
import type { HostSession } from '../../reconciler/connection/session.ts';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import { deployUser, limitedUser, rootUser } from '../fleet/users.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();
const cache = fresh();
const gone = (problem: Problem): string => `${problem.code}: ${problem.message}`;

describe.skipIf(fleetAvailable() !== undefined)('a Node on its way to a host', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await upFleet({ count: 4, names: ['odd', 'full', 'cut', 'shared'], node: false });
  });
  afterAll(() => fleet?.down());

  function specOf({ name, address, hostKey }: FleetHost, more: Partial<ConnectionSpec> = {}): ConnectionSpec {
    return {
      kind: 'ssh',
      host: name,
      address,
      port: 22,
      user: deployUser.name,
      keyFile: fleet.clientKeyFile,
      hostKeys: 'pinned',
      pinnedKeys: [hostKey],
      ...more,
    };
  }

  /** Opens a session as a controller of its own would, with a permit to ship. */
  async function open(
    spec: ConnectionSpec,
    onProgress: (progress: RuntimeProgress) => void = () => {},
  ): Promise<Result<HostSession>> {
    const shipping = new RuntimeShipping({ ship: true, cache: true, folder: cache });
    const pool = new ConnectionPool({ ...poolOptions(() => {}), shipping });
    onTestFinished(() => pool.close('the test is over'));
    shipping.permit(spec, onProgress);
    return pool.open(spec);
  }

  /** Where it was shipped to; undefined when nothing had to be. */
  async function shippedTo(spec: ConnectionSpec): Promise<string | undefined> {
    let place: string | undefined;
    const opened = await open(spec, (progress) => {
      if (progress.stage === 'begins') place = progress.place;
    });
    if (!opened.ok) throw new Error(gone(opened.problem));
    await opened.value.close('enough');
    return place;
  }

  async function list(host: FleetHost, ...folders: readonly string[]): Promise<string[]> {
    const { stdout } = await host.exec(['find', ...folders, '-mindepth', '1']);
    return stdout.split('\n').filter(Boolean).sort();
  }

  it('goes where programs may run when the home does not let them, and is found there', async () => {
    const host = fleet.host('odd');
    const owner = `uid=${deployUser.uid},gid=${deployUser.uid}`;
    await host.exec(['install', '-d', '-o', 'deploy', '-g', 'deploy', '/home/deploy/.cache']);
    await host.exec([
      'mount',
      '-t',
      'tmpfs',
      '-o',
      `noexec,mode=0700,${owner}`,
      'tmpfs',
      '/home/deploy/.cache',
    ]);
    expect(await shippedTo(specOf(host))).toBe('/var/tmp');
    expect(await shippedTo(specOf(host))).toBeUndefined();
    expect(await list(host, '/home/deploy/.cache')).toEqual([]);
    const [folder = '', inner = '', node = ''] = await list(host, '/var/tmp');
    expect([folder, node]).toEqual([`/var/tmp/towline-${deployUser.uid}`, `${inner}/node`]);
    expect((await host.exec(['stat', '-c', '%U %a', folder, node])).stdout).toBe('deploy 700\ndeploy 700\n');
  });

  it('is never one that somebody else put there', async () => {
    const host = fleet.host('odd');
    const trap = '#!/bin/sh\necho "$(id -un)" >>/tmp/caught\n';
    for (const folder of ['/var/tmp/towline-0', '/tmp/towline-1', '/dev/shm/towline-0']) {
      const lay = `mkdir -p ${folder}/aa && printf '%s' "$1" >${folder}/aa/node && chmod -R 777 ${folder}`;
      await host.exec([
        'setpriv',
        '--reuid=7703',
        '--regid=7703',
        '--clear-groups',
        'sh',
        '-c',
        lay,
        'sh',
        trap,
      ]);
    }
    const link = 'ln -s / /run/lock/x; ln -s /home /tmp/towline-7701';
    await host.exec(['setpriv', '--reuid=7703', '--regid=7703', '--clear-groups', 'sh', '-c', link]);
    const become = { method: 'sudo', user: 'root' } as const;
    expect(await shippedTo(specOf(host, { become }))).toBe('~/.cache/towline');
    expect(await shippedTo(specOf(host))).toBeUndefined();
    expect((await host.exec(['cat', '/tmp/caught'])).status).toBe(1);
  });

  /** Gives every place of the host so much room. */
  async function makeSmall(host: FleetHost, varTmp: string): Promise<void> {
    await host.exec(['install', '-d', '-o', 'deploy', '-g', 'deploy', '/home/deploy/.cache']);
    const places = { '/home/deploy/.cache': '20m', '/var/tmp': varTmp, '/tmp': '20m', '/dev/shm': '20m' };
    for (const [path, size] of Object.entries(places))
      await host.exec(['mount', '-t', 'tmpfs', '-o', `size=${size},mode=1777`, 'tmpfs', path]);
  }

  it('is not sent where there is no room, and says how much there is', async () => {
    const host = fleet.host('full');
    await makeSmall(host, '20m');
    const opened = await open(specOf(host));
    expect(opened.ok ? 'open' : gone(opened.problem)).toMatch(
      /^runtime.no-space: a Node takes 130 MB on the host.*~\/.cache\/towline: 20 MB free; \/var\/tmp: 20 MB free/,
    );
    expect(await list(host, '/home/deploy/.cache', '/var/tmp')).toEqual([]);
  });

  it('leaves nothing where the disk fills up on the way', async () => {
    const host = fleet.host('full');
    await makeSmall(host, '140m');
    const opened = await open(specOf(host), ({ stage }) => {
      if (stage === 'begins')
        void host.exec(['dd', 'if=/dev/zero', 'of=/var/tmp/other', 'bs=1M', 'count=60']);
    });
    expect(opened.ok ? 'open' : gone(opened.problem)).toContain(
      'runtime.no-space: the host’s disk filled up',
    );
    expect(await list(host, '/var/tmp')).toEqual(['/var/tmp/other', `/var/tmp/towline-${deployUser.uid}`]);
  });

  it('survives a power cut in its middle: the next attempt begins anew and clears up', async () => {
    const host = fleet.host('cut');
    let off: Promise<void> | undefined;
    const opened = await open(specOf(host), ({ stage, sent, size }) => {
      if (stage === 'sends' && sent > size / 3) off ??= host.stop('refuse');
    });
    expect(opened.ok ? 'open' : opened.problem.disposition).toBe('retry');
    await off;
    await host.start();
    const left = await list(host, '/home/deploy/.cache/towline');
    expect(left.some((path) => path.includes('/.new-'))).toBe(true);
    expect(await shippedTo(specOf(host))).toBe('~/.cache/towline');
    const now = await list(host, '/home/deploy/.cache/towline');
    expect(now).toEqual([expect.stringMatching(/\/[0-9a-f]{16}$/), expect.stringMatching(/[0-9a-f]\/node$/)]);
  });

  it('reaches every account by its own way, two controllers at once', async () => {
    const host = fleet.host('shared');
    const limited: ConnectionSpec = specOf(host, {
      user: limitedUser.name,
      become: { method: 'sudo', user: 'root', password: new Secret(limitedUser.password) },
    });
    const viaSu: ConnectionSpec = specOf(host, {
      become: { method: 'su', user: 'limited', password: new Secret(limitedUser.password) },
    });
    const all = [specOf(host), specOf(host), limited, specOf(host, { user: rootUser.name }), viaSu];
    const opened = await Promise.all(all.map((spec) => open(spec)));
    const accounts = opened.map((each) =>
      each.ok ? each.value.hello.facts.account?.user : gone(each.problem),
    );
    expect(accounts).toEqual(['deploy', 'deploy', 'root', 'root', 'limited']);
    const homes = ['/root', '/home/deploy', '/home/limited'].map((home) => `${home}/.cache/towline`);
    expect(await list(host, ...homes)).toHaveLength(2 * homes.length);
  });
});
