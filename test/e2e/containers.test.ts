import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { agentBundle } from '../../reconciler/connection/agent-bundle.ts';
import { ConnectionPool } from '../../reconciler/connection/pool.ts';
import type { HostSession } from '../../reconciler/connection/session.ts';
import { systemProgram } from '../fleet/available.ts';
import { convergeCall, filePlan, MemoryContents, testPoolOptions } from '../helpers/lines.ts';
import { type NspawnBox, nspawnUnavailable, startNspawnBox } from '../helpers/nspawn-box.ts';
import { type OverlayRoot, overlayUnavailable, startOverlayRoot } from '../helpers/overlay-root.ts';
import { type PodmanBox, podmanUnavailable, startPodmanBox } from '../helpers/podman-box.ts';

const path = process.env.PATH ?? '';
const folder = mkdtempSync(join(tmpdir(), 'containers-'));
const pool = new ConnectionPool({
  ...testPoolOptions(join(folder, 'known_hosts')),
  bundle: agentBundle,
});

afterAll(async () => {
  await pool.close('the test is over');
  rmSync(folder, { recursive: true });
});

function spec(
  kind: ConnectionSpec['kind'],
  address: string,
  more: Partial<ConnectionSpec> = {},
): ConnectionSpec {
  return { kind, host: 'web1', address, port: 22, hostKeys: 'strict', pinnedKeys: [], ...more };
}

async function opened(wanted: ConnectionSpec): Promise<HostSession> {
  const session = await pool.open(wanted);
  if (!session.ok) throw new Error(`${session.problem.code}: ${session.problem.message}`);
  return session.value;
}

async function said(session: HostSession, ...argv: string[]): Promise<string> {
  let text = '';
  const onOutput = (_: string, part: string): void => {
    text += part;
  };
  const exit = await session.exec({ argv, timeout: 20, onOutput });
  return exit.ok ? text.trim() : exit.problem.message;
}

/** Puts a file into the folder, as a role would. */
async function putFile(session: HostSession, target: string, text: string): Promise<void> {
  const contents = new MemoryContents();
  const plan = filePlan('base', [contents.add(Buffer.from(text))], target);
  const done = await session.converge(convergeCall(plan, contents));
  expect(done).toMatchObject({ ok: true, value: { outcomes: { changed: 1 } } });
}

const noPodman = podmanUnavailable();

describe.skipIf(noPodman !== undefined)(
  `a Podman container${noPodman === undefined ? '' : ` (${noPodman})`}`,
  () => {
    let box: PodmanBox;
    beforeAll(async () => {
      box = await startPodmanBox();
      process.env.PATH = `${box.bin}${delimiter}${path}`;
    });
    afterAll(async () => {
      process.env.PATH = path;
      await box.stop();
    });

    it('is a host: roles are applied inside, and the machine does not see it', async () => {
      const session = await opened(spec('podman', box.name));
      expect(await said(session, 'cat', '/etc/towline-box')).toBe('box');
      await putFile(session, '/etc', 'from podman');
      expect(readFileSync(box.path('etc', '0'), 'utf8')).toBe('from podman');
      expect(existsSync('/etc/0')).toBe(false);
      await session.close('done');
    });

    it('is entered as an account by Podman itself, without sudo inside', async () => {
      const become = { method: 'sudo', user: 'nobody' } as const;
      const session = await opened(spec('podman', box.name, { become }));
      expect(await said(session, 'id', '-un')).toBe('nobody');
      await session.close('done');
    });

    it('is entered by its namespaces too, with nothing of our environment', async () => {
      process.env.TOWLINE_TEST_SECRET = 'hush';
      const session = await opened(spec('setns', `podman:${box.name}`));
      delete process.env.TOWLINE_TEST_SECRET;
      expect(await said(session, 'cat', '/etc/towline-box')).toBe('box');
      expect(await said(session, 'sh', '-c', 'echo "$TOWLINE_TEST_SECRET$HOME"')).toBe('/root');
      expect(await said(session, 'cat', '/proc/1/comm')).toBe('sleep');
      await session.close('done');
    });

    it.each([
      ['podman', 'nowhere', 'container.missing'],
      ['podman', 'idle', 'container.not-running'],
      ['setns', 'podman:nowhere', 'container.missing'],
      ['setns', 'podman:idle', 'container.not-running'],
      ['setns', '2147483647', 'container.missing'],
    ] as const)('by %s at %s is refused as %s', async (kind, address, code) => {
      expect(await pool.open(spec(kind, address))).toMatchObject({
        ok: false,
        problem: { code, where: { host: 'web1' } },
      });
    });

    it('without such an account says so', async () => {
      const become = { method: 'sudo', user: 'nosuch' } as const;
      expect(await pool.open(spec('podman', box.name, { become }))).toMatchObject({
        ok: false,
        problem: { code: 'become.unknown-user' },
      });
    });
  },
);

const noNspawn = nspawnUnavailable();

describe.skipIf(noNspawn !== undefined)(
  `a machine of systemd-nspawn${noNspawn === undefined ? '' : ` (${noNspawn})`}`,
  () => {
    let box: NspawnBox;
    beforeAll(async () => {
      box = await startNspawnBox();
    });
    afterAll(() => box.stop());

    it('is a host: roles are applied inside, under its own systemd', async () => {
      const session = await opened(spec('machinectl', box.name));
      expect(await said(session, 'cat', '/proc/1/comm')).toBe('systemd');
      expect(await said(session, 'sh', '-c', 'echo "$HOME" $((6 * 7))')).toBe('/root 42');
      await putFile(session, '/etc', 'from nspawn');
      expect(readFileSync(box.path('etc', '0'), 'utf8')).toBe('from nspawn');
      expect(existsSync('/etc/0')).toBe(false);
      await session.close('done');
    });

    it('is entered as an account by systemd itself, without sudo inside', async () => {
      const become = { method: 'sudo', user: 'nobody' } as const;
      const session = await opened(spec('machinectl', box.name, { become }));
      expect(await said(session, 'id', '-un')).toBe('nobody');
      await session.close('done');
    });

    it('is entered by the namespaces of its first process too', async () => {
      const session = await opened(spec('setns', String(box.leader)));
      expect(await said(session, 'cat', '/proc/1/comm')).toBe('systemd');
      await session.close('done');
    });

    it('is refused in words where there is no such machine or account', async () => {
      expect(await pool.open(spec('machinectl', 'nowhere'))).toMatchObject({
        ok: false,
        problem: { code: 'container.missing', where: { host: 'web1' } },
      });
      const become = { method: 'sudo', user: 'nosuch' } as const;
      expect(await pool.open(spec('machinectl', box.name, { become }))).toMatchObject({
        ok: false,
        problem: { code: 'become.unknown-user' },
      });
    });
  },
);

const noOverlay = overlayUnavailable() ?? (systemProgram('node') === undefined ? 'no node' : undefined);

describe.skipIf(noOverlay !== undefined)(
  `a tree of files${noOverlay === undefined ? '' : ` (${noOverlay})`}`,
  () => {
    let root: OverlayRoot;
    beforeAll(async () => {
      root = await startOverlayRoot();
    });
    afterAll(() => root.stop());

    it('is a host by chroot', async () => {
      const session = await opened(spec('chroot', root.path()));
      await putFile(session, '/etc', 'from chroot');
      expect(readFileSync(root.path('etc', '0'), 'utf8')).toBe('from chroot');
      expect(existsSync('/etc/0')).toBe(false);
      await session.close('done');
    });

    it('is a host for another account by su inside', async () => {
      const become = { method: 'su', user: 'nobody' } as const;
      const session = await opened(spec('chroot', root.path(), { become }));
      expect(await said(session, 'id', '-un')).toBe('nobody');
      await session.close('done');
    });

    it('that is not there, or has no shell, is refused', async () => {
      expect(await pool.open(spec('chroot', root.path('nowhere')))).toMatchObject({
        ok: false,
        problem: { code: 'container.missing' },
      });
      expect(await pool.open(spec('chroot', root.path('var')))).toMatchObject({
        ok: false,
        problem: { code: 'container.no-shell' },
      });
    });

    it('is reached through the agent of another account of this machine', async () => {
      const via = spec('local', '', { host: 'here' });
      const session = await opened(spec('chroot', root.path(), { via }));
      expect(await said(session, 'cat', '/etc/0')).toBe('from chroot');
      const parent = pool.sessions().find(({ host }) => host === 'here');
      process.kill(parent?.hello.pid ?? 0, 'SIGKILL');
      expect(await session.ended).toMatchObject({
        code: 'line.lost',
        message: expect.stringContaining('the line through here broke'),
      });
    });
  },
);
