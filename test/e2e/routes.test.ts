import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { agentBundle } from '../../reconciler/connection/agent-bundle.ts';
import { ConnectionPool } from '../../reconciler/connection/pool.ts';
import type { HostSession } from '../../reconciler/connection/session.ts';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { deployUser } from '../fleet/users.ts';
import { testPoolOptions } from '../helpers/lines.ts';

const unavailable = fleetAvailable();

describe.skipIf(unavailable !== undefined)(
  `ways to hosts${unavailable === undefined ? '' : ` (${unavailable})`}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'routes-'));
    let fleet: Fleet;
    let pool: ConnectionPool;

    beforeAll(async () => {
      fleet = await upFleet({ count: 3, names: ['gate', 'inner', 'far'] });
      writeFileSync(
        join(folder, 'config'),
        `UserKnownHostsFile ${fleet.knownHostsFile}\nGlobalKnownHostsFile /dev/null\n`,
      );
      pool = new ConnectionPool({
        ...testPoolOptions(fleet.knownHostsFile),
        bundle: agentBundle,
        opensshConfig: join(folder, 'config'),
      });
      await layKey('gate');
    });
    afterAll(async () => {
      await pool.close('the test is over');
      await fleet.down();
      rmSync(folder, { recursive: true });
    });

    /** Gives root on the host a key and known hosts of its own, as a relay needs. */
    async function layKey(name: string): Promise<void> {
      const host = fleet.host(name);
      await host.writeFile('/root/.ssh/id_ed25519', readFileSync(fleet.clientKeyFile, 'utf8'), '0600');
      await host.writeFile('/root/.ssh/known_hosts', readFileSync(fleet.knownHostsFile, 'utf8'), '0600');
    }

    function spec(name: string, more: Partial<ConnectionSpec> = {}): ConnectionSpec {
      return {
        kind: 'ssh',
        host: name,
        address: fleet.host(name).address,
        port: 22,
        user: 'root',
        keyFile: fleet.clientKeyFile,
        hostKeys: 'strict',
        pinnedKeys: [],
        ...more,
      };
    }

    async function opened(wanted: ConnectionSpec): Promise<HostSession> {
      const session = await pool.open(wanted);
      if (!session.ok) throw new Error(`${session.problem.code}: ${session.problem.message}`);
      return session.value;
    }

    async function said(session: HostSession, script: string): Promise<string> {
      let text = '';
      const onOutput = (_: string, part: string): void => {
        text += part;
      };
      const exit = await session.exec({ argv: ['sh', '-c', script], timeout: 20, onOutput });
      return exit.ok ? text.trim() : exit.problem.message;
    }

    /** Who the host's ssh server sees. */
    async function callers(name: string): Promise<string> {
      const { stdout } = await fleet
        .host(name)
        .exec(['ss', '-Htn', 'state', 'established', 'sport', '=', ':22']);
      return stdout;
    }

    describe('through a relay', () => {
      const relay = (): ConnectionSpec => spec('gate', { relay: true });

      it('are opened by its agent with its own key, and the host sees only the relay', async () => {
        const session = await opened(spec('inner', { via: relay(), keyFile: '/no/such/key/here' }));
        expect(await said(session, 'uname -n')).toBe('inner');
        expect(await callers('inner')).toContain(fleet.host('gate').address);
        await session.close('done');
      });

      it('go on to hosts behind them, and into trees there as root', async () => {
        await layKey('inner');
        const inner = spec('inner', {
          via: relay(),
          user: deployUser.name,
          become: { method: 'sudo', user: 'root' },
        });
        await fleet.host('inner').exec(['sh', '-c', 'mkdir -p /srv/tree && mount --bind / /srv/tree']);
        const tree = await opened({
          ...spec('inner'),
          kind: 'chroot',
          host: 'tree',
          address: '/srv/tree',
          via: inner,
        });
        expect(await said(tree, 'uname -n; id -un; ls -d /srv/tree')).toBe('inner\nroot\n/srv/tree');
        await tree.close('done');
        const far = await opened(spec('far', { via: spec('inner', { via: relay() }) }));
        expect(await said(far, 'uname -n')).toBe('far');
        expect(await callers('far')).toContain(fleet.host('inner').address);
        await far.close('done');
      });

      it('trust pinned keys without a file on the relay, and nothing else', async () => {
        const pinned = { hostKeys: 'pinned', via: relay() } as const;
        const { hostKey } = fleet.host('far');
        const session = await opened(
          spec('far', { ...pinned, pinnedKeys: [fleet.host('gate').hostKey, hostKey] }),
        );
        expect(await said(session, 'uname -n')).toBe('far');
        await session.close('done');
        const wrong = await pool.open(spec('far', { ...pinned, pinnedKeys: [fleet.host('gate').hostKey] }));
        expect(wrong).toMatchObject({
          ok: false,
          problem: {
            code: 'ssh.host-key-not-pinned',
            where: { host: 'far' },
            message: expect.stringContaining('from gate: '),
          },
        });
      });

      it('are refused like others, in the relay’s name', async () => {
        const cases: [Partial<ConnectionSpec>, string][] = [
          [{ user: 'nosuch' }, 'ssh.auth-refused'],
          [{ port: 1 }, 'ssh.unreachable'],
          [{ hostKeys: 'strict', address: 'far' }, 'ssh.host-key-unknown'],
        ];
        for (const [more, code] of cases) {
          const refused = await pool.open(spec('far', { ...more, via: relay() }));
          expect(refused).toMatchObject({ ok: false, problem: { code, where: { host: 'far' } } });
          expect(!refused.ok && refused.problem.message).toMatch(/^from gate: /);
        }
      });

      it('get no password', async () => {
        const refused = await pool.open(spec('far', { password: new Secret('hush'), via: relay() }));
        expect(refused).toMatchObject({
          ok: false,
          problem: { code: 'ssh.password-not-relayed', where: { host: 'far' } },
        });
        expect(JSON.stringify(refused)).not.toContain('hush');
      });

      it('end with a problem that names the relay when it is lost', async () => {
        const session = await opened(spec('far', { via: relay() }));
        const gate = pool.sessions().find(({ host }) => host === 'gate');
        process.kill(fleet.host('gate').agentPids()[0] ?? 0, 'SIGKILL');
        expect(await session.ended).toMatchObject({
          code: 'line.lost',
          where: { host: 'far' },
          message: expect.stringContaining('the line through gate broke'),
        });
        await gate?.ended;
        const again = await opened(spec('far', { via: relay() }));
        expect(await said(again, 'uname -n')).toBe('far');
        await again.close('done');
      });
    });

    describe('by the OpenSSH client', () => {
      it('work for whole chains, each host with its own settings', async () => {
        const via = spec('inner', { via: spec('gate', { user: deployUser.name }) });
        const session = await opened(spec('far', { transport: 'openssh', via }));
        expect(await said(session, 'uname -n')).toBe('far');
        expect(await callers('far')).toContain(fleet.host('inner').address);
        await session.close('done');
      });

      it('share one login for all accounts', async () => {
        const wanted = spec('inner', { transport: 'openssh', user: deployUser.name });
        const one = await opened(wanted);
        const two = await opened({ ...wanted, become: { method: 'sudo', user: 'root' } });
        expect([await said(one, 'id -un'), await said(two, 'id -un')]).toEqual([deployUser.name, 'root']);
        const logins = async () => (await callers('inner')).split('\n').filter((line) => line !== '');
        // That of the test before may take a moment to end.
        await expect.poll(logins).toHaveLength(1);
        await Promise.all([one.close('done'), two.close('done')]);
      });

      it('log in with passwords, different ones on the way', async () => {
        const password = new Secret(deployUser.password);
        const noKey = { keyFile: undefined, user: deployUser.name } as const;
        const ssh = { identitiesOnly: true, identityAgent: 'none' } as const;
        const gate = spec('gate', { ...noKey, password, ssh });
        const far = spec('far', {
          transport: 'openssh',
          keyFile: undefined,
          password: new Secret('root-password'),
          ssh,
          via: gate,
        });
        const session = await opened(far);
        expect(await said(session, 'uname -n; id -un')).toBe('far\nroot');
        await session.close('done');
      });

      it('say what was tried when the password is wrong, without it', async () => {
        const wrong = spec('far', {
          transport: 'openssh',
          keyFile: undefined,
          user: deployUser.name,
          password: new Secret('not-the-one'),
          ssh: { identitiesOnly: true, identityAgent: 'none' },
        });
        const refused = await pool.open(wrong);
        expect(refused).toMatchObject({
          ok: false,
          problem: { code: 'ssh.auth-refused', where: { host: 'far' } },
        });
        expect(!refused.ok && refused.problem.message).toContain(
          'password; the server allows publickey, password',
        );
        expect(JSON.stringify(refused)).not.toContain('not-the-one');
      });
    });
  },
);
